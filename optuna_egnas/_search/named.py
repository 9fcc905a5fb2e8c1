"""The networks of a search by their names: the best of a study, the largest, that of a trial."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .._core.commands import NAMED_NETWORK
from .._core.network import Network
from .._core.proposal import FINAL, Done
from .._storage.private import all_trials
from ..errors import SearchError
from .scored import scored_networks, smallest_within

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from .._storage.studies import StoredStudies


LARGEST, TRIAL, WITHIN = "largest", "trial", "within"


def wanted_network(studies: StoredStudies, name: str | None) -> Network:
    """The network of this name; None: what the search has found, or its best so far.

    Raises:
        InvalidSpace: the name is no text, or its points are out of bounds.
        SearchError: there is none; the message lists those that there are.
    """
    if name is not None:
        return named_network(studies, name)
    found = studies.result().architecture
    if found is None:
        raise SearchError(
            f"The search {studies.name!r} must have found a network, but has none yet."
        )
    return found


def named_network(studies: StoredStudies, name: str) -> Network:
    """The network of this name.

    Args:
        studies: those of the search.
        name: a role, for the best of that study before finalists were compared; `largest`: what
            has most parameters and fits the limits; `trial:ROLE/NUMBER`; or `within:POINTS`, the
            smallest network within so many points of the best.

    Raises:
        InvalidSpace: the name is no text, or its points are out of bounds.
        SearchError: there is none; the message lists those that there are.
    """
    NAMED_NETWORK.check(name)
    found = _network(studies, name)
    if found is None:
        raise SearchError(
            f"`network` must be one of {', '.join(_names(studies))}, but got network={name!r}."
        )
    return found


def find_trial(studies: StoredStudies, trial: str) -> tuple[str, FrozenTrial]:
    """The trial that is named as `role/number`, with its role.

    Raises:
        SearchError: there is none.
    """
    role, _, number_text = trial.partition("/")
    if role not in studies.roles or not re.fullmatch(r"\d{1,18}", number_text):
        named = " or ".join(f"{each}/N" for each in studies.roles)
        raise SearchError(f"A trial must be named {named}, but got {trial!r}.")
    trials = all_trials(studies.study(role))
    number = int(number_text)
    if number >= len(trials):
        raise SearchError(
            f"`N` of {role}/N must be less than {len(trials)}, but got {role}/{number}."
        )
    return role, trials[number]


def _network(studies: StoredStudies, name: str) -> Network | None:
    if name in studies.roles:
        return _best(studies, name)
    if name == LARGEST:
        return studies.method.largest(studies.spaces())
    kind, _, rest = name.partition(":")
    if kind == TRIAL:
        return _of_trial(studies, rest)
    points = _number(rest) if kind == WITHIN else None
    return (
        None if points is None else smallest_within(scored_networks(studies), points).architecture
    )


def _number(text: str) -> float | None:
    """The number that a text says; None where it says none."""
    try:
        return float(text)
    except ValueError:
        return None


def _best(studies: StoredStudies, role: str) -> Network | None:
    """The best of one study, before finalists were compared; None where it has none yet."""
    walk = studies.walk(role)
    if walk is None:
        return None
    compared = any(step.proposal.phase == FINAL for step in walk.steps)
    if isinstance(walk.next, Done) and walk.next.found is not None and not compared:
        return walk.next.found.architecture
    passed = [step for step in walk.steps if step.passed]
    return passed[-1].proposal.candidate.architecture if passed else None


def _of_trial(studies: StoredStudies, trial: str) -> Network:
    role, found = find_trial(studies, trial)
    reader = studies.reader(role)
    candidate = reader.candidate(found) if reader is not None else None
    if candidate is None:
        raise SearchError(f"Trial {trial} must hold a network of the search, but holds none.")
    return candidate.architecture


def _names(studies: StoredStudies) -> list[str]:
    """The names that there are, of trials with the range of their numbers."""
    names = [role for role in studies.roles if _best(studies, role) is not None]
    if studies.method.largest(studies.spaces()) is not None:
        names.append(LARGEST)
    if scored_networks(studies):
        names.append(f"{WITHIN}:POINTS")
    counts = {role: len(all_trials(studies.study(role))) for role in studies.roles}
    trials = [f"{TRIAL}:{role}/N (N below {count})" for role, count in counts.items() if count]
    return [*names, *trials]
