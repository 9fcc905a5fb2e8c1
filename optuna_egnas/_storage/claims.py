"""Who trains what: claims of trials, and whether their workers live.

A claim says which candidate a trial trains, and which process does it. A trial makes its claim
before anything else; trials that start together let the lower number choose first. Where workers
come and go (`search`), it says whose it is even before that.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import fail_stale_trials
from optuna.trial import Trial, TrialState

from .._core.history import Candidate
from .._core.problem import Space
from .._core.proposal import Proposal
from . import liveness as _alive
from .private import (
    all_trials,
    fail_trial,
    has_heartbeat,
    trials_numbered,
    write_of_trial,
    write_system_of_trial,
)

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial


OWNER, CLAIM = "egnas:owner", "egnas:claim"
SIGN = "sign_of_life"
DROPPED = "dropped"
"""The user attribute that says why a trial that says nothing was ended."""
STOPPED_BY, STOPPED, STOPPED_BELOW = "stopped_by", "stopped", "stopped_below"
"""The user attributes that say what stopped a trial, why, and below which bar of its walk."""
FORGETS = "forgets"
"""The user attribute that lists trials of its study, by number, whose failures say nothing."""
PREMISE, HOPELESS = "premise", "budget"
"""Values of STOPPED_BY: the walk went elsewhere; too small a chance to pass its bar."""
BUDGET = "budget"
"""The user attribute that holds a trial's own budget, where no walk says it."""
PATIENCE = 2.0
"""Seconds that a trial waits for those of lower number to make their claims."""
PATIENCE_WITH_OWNERS = 10.0
"""Seconds that a trial waits for those that have announced a claim: with three workers on two
busy cores, PATIENCE was too short at one start in four."""
POLL = 0.02
NAMELESS = timedelta(seconds=60)
"""After so long a trial that has said nothing at all, not even whose it is, is a dead worker's."""


def fail_dead(study: Study, *, nameless: timedelta = NAMELESS) -> None:
    """Tell FAIL to the RUNNING trials whose workers are dead, by process, heartbeat or silence.

    `nameless`: after so long also to those that have not said whose they are.
    """
    if has_heartbeat(study):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            fail_stale_trials(study)
    for trial in all_trials(study):
        if trial.state is TrialState.RUNNING and (
            not is_alive(trial) or _is_nameless(trial, nameless)
        ):
            fail_trial(study, trial)


def fail_own(study: Study) -> None:
    """End what an interruption in the middle of `ask` has left RUNNING in this thread."""
    for trial in all_trials(study):
        owner = _owner(trial)
        if trial.state is TrialState.RUNNING and owner is not None and _alive.is_own(owner):
            with suppress(UpdateFinishedTrialError):
                reason = "stopped before it was trained"
                write_of_trial(study, trial, DROPPED, reason)
            fail_trial(study, trial)


def was_ended_by_others(error: Exception) -> bool:
    """Whether Optuna says that a trial was ended while its worker was at work on it."""
    if isinstance(error, UpdateFinishedTrialError):
        return True
    return re.fullmatch(r"Cannot tell a \w+ trial\.", str(error)) is not None


def write_owner(study: Study, trial: FrozenTrial, patience: float | None) -> None:
    """Say whose a trial is before it claims anything; `patience` as in `liveness.owner`."""
    owner = _alive.owner(patience)
    write_system_of_trial(study, trial, OWNER, owner)


def patience_of(trial: FrozenTrial) -> float | None:
    """After how many seconds of silence a trial's worker said that it would count as dead."""
    patience: float | None = (_owner(trial) or {}).get("patience")
    return patience


def write_sign(trial: Trial, patience: float | None, longest_epoch: float) -> None:
    """Write that the trial's worker lives."""
    if patience is None:
        return
    sign = _alive.sign_of_life(None if has_heartbeat(trial.study) else patience, longest_epoch)
    write_of_trial(trial.study, trial, SIGN, sign)


def write_claim(
    study: Study, trial: FrozenTrial, proposal: Proposal | None, *, ahead: bool = False
) -> None:
    """Claim a proposal for a trial; None says that it takes nothing.

    `ahead`: the walk may yet go another way, and then has no use for it.
    """
    candidate = _to_json(proposal) if proposal else None
    owner = _owner(trial) or _alive.owner(None)
    claim = {**owner, "candidate": candidate, "ahead": ahead}
    write_system_of_trial(study, trial, CLAIM, claim)


def has_claim(trial: FrozenTrial) -> bool:
    """Whether a trial has made its claim, be it an empty one."""
    return CLAIM in trial.system_attrs


def claimed(trial: FrozenTrial, space: Space) -> Candidate | None:
    """The candidate that a trial of a study with this space has claimed."""
    record = trial.system_attrs.get(CLAIM, {}).get("candidate")
    return None if record is None else Candidate.from_json(record, space.network_from_json)


def claimed_phase(trial: FrozenTrial) -> str | None:
    """The phase of the walk that a trial's claim belongs to."""
    record = trial.system_attrs.get(CLAIM, {}).get("candidate")
    return None if record is None else str(record["phase"])


def is_ahead(trial: FrozenTrial) -> bool:
    """Whether a trial was claimed for a walk that may yet go another way."""
    return bool(trial.system_attrs.get(CLAIM, {}).get("ahead", False))


def write_stop(
    study: Study, trial: FrozenTrial, by: str, reason: str, *, below: str | None = None
) -> None:
    """Say why a trial is stopped, while it still runs: its attributes freeze when it ends."""
    said = {STOPPED_BY: by, STOPPED: reason, STOPPED_BELOW: below}
    with suppress(UpdateFinishedTrialError):
        for key, value in said.items():
            if value is not None:
                write_of_trial(study, trial, key, value)


def is_alive(trial: FrozenTrial) -> bool:
    """Whether a RUNNING trial may still have a worker; see `liveness.is_alive`."""
    owner = _owner(trial)
    if owner is None:
        return True
    return _alive.is_alive(owner, trial.user_attrs.get(SIGN))


def wait_for_lower(
    study: Study, trial: FrozenTrial, unread: Sequence[int] | None = None
) -> list[FrozenTrial]:
    """Wait until all live trials of lower number have made their claims, but not for long.

    `unread`: the numbers of those that may not have finished; None: it may be any. Returns these
    trials, or all, in their present state.
    """
    began = time.monotonic()
    while True:
        trials = all_trials(study) if unread is None else trials_numbered(study, unread)
        waited = time.monotonic() - began
        # The state first, of all: most trials have ended, and there may be many.
        running = [other for other in trials if other.state is TrialState.RUNNING]
        if not any(_may_yet_claim(other, trial, waited) for other in running):
            return trials
        time.sleep(POLL)


def _may_yet_claim(other: FrozenTrial, trial: FrozenTrial, waited: float) -> bool:
    if other.number >= trial.number or has_claim(other):
        return False
    if OWNER in other.system_attrs:
        return waited < PATIENCE_WITH_OWNERS and is_alive(other)
    if other.datetime_start is None or trial.datetime_start is None:
        return False
    # One that began long before and has no claim is another sampler's: it will never make one.
    apart = abs((trial.datetime_start - other.datetime_start).total_seconds())
    return max(waited, apart) < PATIENCE


def _owner(trial: FrozenTrial) -> Mapping[str, Any] | None:
    """Whose a trial is, by what it wrote first or by its claim; None if it has said neither."""
    attributes = trial.system_attrs
    owner: Mapping[str, Any] | None = attributes.get(OWNER) or attributes.get(CLAIM)
    return owner


def _is_nameless(trial: FrozenTrial, after: timedelta) -> bool:
    """Whether its worker has died between making a trial and saying whose it is."""
    said = trial.params or trial.system_attrs or trial.user_attrs
    begun = trial.datetime_start
    return not said and begun is not None and datetime.now() - begun > after


def _to_json(proposal: Proposal) -> Mapping[str, Any]:
    return {**proposal.candidate.to_json(), "phase": proposal.phase}
