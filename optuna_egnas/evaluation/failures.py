"""Whose failure it was: that of a network, or that of the place where it was trained.

A network that fails twice is refused, and the walk goes on without it. A program, a driver or a
disk that lets every network fail would so end a whole search, for good. What a search must not
count is found out from its stored trials, by the worker that meets the second such failure; the
trial then lists in its attribute `forgets` what says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from optuna.trial import TrialState

from .._core.history import Failed
from .._core.method import method
from .._core.proposal import Done
from .._storage.claims import FORGETS
from .._storage.private import all_trials
from ..errors import SearchError
from .engine.candidate import lacks_memory

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from .account import TrialReport


ENOUGH = 2
"""Networks that fail alike before any was trained."""
SHOWN = 160
"""Characters of an error that are shown."""


def check_environment(
    account: TrialReport, error: BaseException | None, device: torch.device
) -> None:
    """After the failure of its candidate was written: refuse to go on where it is not its own.

    It is not where, of a study that begins by itself and has trained none, another network has
    failed with the same error, numbers apart, or nothing is left to try; and, of memory, where a
    network that takes at least as much was trained, or others hold half of the device's.

    Raises:
        SearchError: the failure says nothing of the candidate; what says nothing was written.
    """
    trials = all_trials(account.trial.study)
    this = trials[account.trial.number]
    if this.user_attrs.get("error_is_final"):
        return
    memory = error is not None and lacks_memory(error)
    found = _taken_memory(account, trials, device) if memory else None
    if found is None and not any(trial.state is TrialState.COMPLETE for trial in trials):
        found = _never_trained(account, trials, memory=memory)
    if not found:
        return
    account.trial.set_user_attr(FORGETS, sorted(found))
    reason = str(this.user_attrs["error"])
    reason = reason if len(reason) <= SHOWN else f"{reason[:SHOWN]} ..."
    raise SearchError(
        f"Every network fails here: {reason.rstrip('.')}. No candidate was refused; fix the cause "
        "and repeat the command."
        if not memory
        else f"Networks of this size lack memory: {reason.rstrip('.')}. No candidate was refused; "
        "free memory and repeat the command."
    ) from error


def _never_trained(
    account: TrialReport, trials: Sequence[FrozenTrial], *, memory: bool
) -> set[int] | None:
    """Failures of a study that begins by itself and has trained nothing; None where they count."""
    if method(account.reader.space.method).role(account.link.role).start is not None:
        return None  # it begins with what was trained
    failed = [trial for trial in trials if _may_be_tried_again(trial)]
    kind = _kind(trials[account.trial.number])
    alike = [trial for trial in failed if _kind(trial) == kind]
    candidates = [account.reader.candidate(trial) for trial in alike]
    networks = {candidate.architecture for candidate in candidates if candidate is not None}
    if not memory and len(networks) >= ENOUGH:
        return {trial.number for trial in alike}
    if account.is_given_up() and _is_last(account):
        return {trial.number for trial in failed}
    return None


def _taken_memory(
    account: TrialReport, trials: Sequence[FrozenTrial], device: torch.device
) -> set[int] | None:
    """Failures of a candidate by memory that it would have had before; None where they count."""
    if not account.is_given_up():
        return None  # by then, there may be enough
    trained = [
        candidate.architecture
        for trial in trials
        if trial.state is TrialState.COMPLETE and (candidate := account.reader.candidate(trial))
    ]
    asked = account.candidate.architecture
    contains = account.reader.space.contains
    if not any(contains(network, asked) for network in trained) and not is_crowded(device):
        return None
    return {
        trial.number
        for trial in trials
        if _may_be_tried_again(trial) and account.reader.candidate(trial) == account.candidate
    }


def is_crowded(device: torch.device) -> bool:
    """Whether others hold at least half of the memory of a GPU."""
    if device.type != "cuda":
        return False
    free, total = torch.cuda.mem_get_info(device)
    return total - free - torch.cuda.memory_reserved(device) >= total / 2


def _is_last(account: TrialReport) -> bool:
    """Whether the walk ends with nothing where the candidate is refused."""
    history = account.reader.history(account.trial.study)
    refused = history.with_outcome(account.candidate, Failed(reason="", final=True))
    end = account.reader.space.follow(refused).next
    return isinstance(end, Done) and end.found is None


def _may_be_tried_again(trial: FrozenTrial) -> bool:
    return "error" in trial.user_attrs and not trial.user_attrs.get("error_is_final")


def _kind(trial: FrozenTrial) -> str:
    """An error without its numbers and addresses, which differ from network to network."""
    return re.sub(r"0x[0-9a-fA-F]+|\d+", "#", str(trial.user_attrs["error"]))
