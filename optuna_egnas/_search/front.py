"""The networks of a search that no other one beats in everything: the non-dominated ones.

Accuracy, parameters and multiply-accumulates are compared exactly. A latency is a measurement:
those within `SPREAD` count as equal, else chance would keep nearly every network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from .._core.proposal import TOLERANCE
from ..errors import SearchError
from ..evaluation.engine.device import choose_device
from ..evaluation.engine.latency import THREADS, Latency, network_latencies
from .scored import Scored, scored_networks, smallest_within

if TYPE_CHECKING:
    from .._storage.studies import StoredStudies


SPREAD = 0.05
"""The share by which two latencies must differ to count as different."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontNetwork:
    """A network with its latencies: `latencies` hold one for each size of a batch."""

    scored: Scored
    latencies: tuple[Latency, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **self.scored.to_json(),
            "latencies": [each.to_json() for each in self.latencies],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The non-dominated networks of a search.

    Args:
        networks: those, by growing parameters.
        trained: all networks that were trained to the end.
        device: where the latencies were measured, with random weights.
        threads: threads of the CPU for that.
    """

    networks: tuple[FrontNetwork, ...]
    trained: tuple[Scored, ...]
    device: str
    threads: int

    def within(self, points: float) -> Scored:
        """The network with fewest parameters within so many points of the best accuracy.

        Raises:
            InvalidSpace: `points` are out of bounds.
        """
        return smallest_within(self.trained, points)

    def to_json(self) -> dict[str, Any]:
        """Plain values; `trained` is their number."""
        return {
            "front": [each.to_json() for each in self.networks],
            "trained": len(self.trained),
            "device": self.device,
            "threads": self.threads,
        }


def measured_front(studies: StoredStudies, *, device: str = "auto") -> Front:
    """Measure the latency of all trained networks here, and keep those that none beats.

    Raises:
        SearchError: nothing is trained yet.
    """
    where, trained = choose_device(device), scored_networks(studies)
    if not trained:
        raise SearchError(
            f"A candidate of {studies.name!r} must be trained to the end first, but none is yet."
        )
    measured = [_measured(studies, each, where) for each in trained]
    return Front(
        networks=non_dominated(measured),
        trained=trained,
        device=device_words(where),
        threads=THREADS,
    )


def non_dominated(networks: Sequence[FrontNetwork]) -> tuple[FrontNetwork, ...]:
    """The networks that no other one dominates, by growing parameters."""
    kept = [each for each in networks if not any(_dominates(other, each) for other in networks)]
    return tuple(sorted(kept, key=lambda each: (each.scored.params, -each.scored.score)))


def device_words(device: torch.device) -> str:
    """A device, with its name where it is a GPU."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)


def _dominates(one: FrontNetwork, other: FrontNetwork) -> bool:
    """Whether a network is nowhere worse than the other, and somewhere better."""
    gains = (
        _sign(one.scored.score - other.scored.score),
        other.scored.params - one.scored.params,
        other.scored.macs - one.scored.macs,
        *(
            _quicker(first.median, second.median)
            for first, second in zip(one.latencies, other.latencies, strict=True)
        ),
    )
    return min(gains) >= 0 and max(gains) > 0


def _sign(difference: float) -> int:
    return (difference > TOLERANCE) - (difference < -TOLERANCE)


def _quicker(first: float, second: float) -> int:
    """1 where the first latency is lower by more than `SPREAD`, -1 where the second one is."""
    return (first * (1 + SPREAD) < second) - (second * (1 + SPREAD) < first)


def _measured(studies: StoredStudies, scored: Scored, device: torch.device) -> FrontNetwork:
    space = studies.link.space
    latencies = network_latencies(
        studies.method,
        scored.architecture,
        input_shape=space.input_shape,
        classes=space.classes,
        device=device,
    )
    return FrontNetwork(scored=scored, latencies=latencies)
