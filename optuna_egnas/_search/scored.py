"""The trained networks of a search with their accuracy, and the smallest of those that are near.

A network may have been trained several times, for different numbers of epochs. Its longest
trainings count, and their mean: the best of several would favour what was tried often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from .._core.commands import WITHIN
from .._core.network import Network
from .._core.proposal import TOLERANCE
from ..errors import SearchError
from ..visualization._entries import entries, standard_error

if TYPE_CHECKING:
    from .._storage.studies import StoredStudies
    from ..visualization._entries import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One network that was trained to the end.

    Args:
        name: of the first of its longest trainings, as "trial:ROLE/NUMBER".
        words: the network in a few words.
        architecture: the network.
        score: mean validation accuracy of its longest trainings, a fraction.
        standard_error: binomial error of that over the validation images; None: not known.
        epochs: of each of these trainings; None: not known.
        trainings: how many there are.
        params: its parameters.
        macs: its multiply-accumulates per image.
    """

    name: str
    words: str
    architecture: Network
    score: float
    standard_error: float | None
    epochs: int | None
    trainings: int
    params: int
    macs: int

    def to_json(self) -> dict[str, Any]:
        """Plain values under the field names."""
        values = {name: getattr(self, name) for name in Scored.__slots__}
        return {**values, "architecture": self.architecture.to_json()}


def scored_networks(studies: StoredStudies) -> tuple[Scored, ...]:
    """All networks of a search that were trained to the end, in the order of their trainings."""
    trained: dict[Network, list[Entry]] = {}
    for entry in entries(studies):
        if entry.score is not None and entry.number is not None:
            trained.setdefault(entry.architecture, []).append(entry)
    return tuple(_scored(studies, network, found) for network, found in trained.items())


def smallest_within(networks: Sequence[Scored], points: float) -> Scored:
    """The network with fewest parameters within so many points of the best score.

    Of equals that with the higher score, then that with fewer multiply-accumulates.

    Raises:
        InvalidSpace: `points` are out of bounds.
        SearchError: there is no network.
    """
    WITHIN.check(points)
    if not networks:
        raise SearchError("A candidate must be trained to the end first, but none is yet.")
    least = max(each.score for each in networks) - points / 100 - TOLERANCE
    near = [each for each in networks if each.score >= least]
    return min(near, key=lambda each: (each.params, -each.score, each.macs))


def _scored(studies: StoredStudies, network: Network, trainings: Sequence[Entry]) -> Scored:
    longest = max(entry.epochs or 0 for entry in trainings)
    counted = [entry for entry in trainings if (entry.epochs or 0) == longest]
    first, space = counted[0], studies.link.space
    score = fmean(entry.score for entry in counted if entry.score is not None)
    return Scored(
        name=f"trial:{first.role}/{first.number}",
        words=", ".join((space.describe(network), *_kinds(space.details(network)))),
        architecture=network,
        score=score,
        standard_error=standard_error(score, space.n_valid),
        epochs=first.epochs,
        trainings=len(counted),
        params=first.params,
        macs=first.macs,
    )


def _kinds(details: Sequence[str]) -> list[str]:
    """The layers of a network by their kinds, each with its number."""
    return [f"{details.count(kind)} {kind}" for kind in dict.fromkeys(details)]
