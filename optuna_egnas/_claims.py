"""Who trains what: claims of trials, and the few storage calls that Optuna keeps private.

The only module that touches private names of Optuna, each for a reason:
`_storage`, `_study_id`   hooks may get a study whose `get_trials` hides trials (HyperbandPruner
                          shows one bracket) and whose `user_attrs` raises; a walk needs them all;
`_trial_id`               a claim that is written in `before_trial` is lost unless it goes through
                          the storage;
`_thread_local`, `_study` the end of a walk reads differently inside `optimize` and outside.

A claim says which candidate a trial trains, and which process does it. A trial makes its claim
before anything else; trials that start together let the lower number choose first. Where workers
come and go (`search`), it says whose it is even before that.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.samplers import RandomSampler
from optuna.storages import fail_stale_trials
from optuna.study import load_study
from optuna.trial import Trial, TrialState

from . import _alive
from ._core.history import Candidate
from ._core.proposal import Proposal

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
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
"""The same where they have said that they will, and live: with three workers on two busy cores,
PATIENCE was too short at one start in four."""
POLL = 0.02
NAMELESS = timedelta(seconds=60)
"""After so long a trial that has said nothing at all, not even whose it is, is a dead worker's."""


def storage_of(study: Study) -> BaseStorage:
    """The storage object behind a study."""
    return study._storage


def key_of(study: Study) -> tuple[BaseStorage, int]:
    """What tells a study from all others."""
    return study._storage, study._study_id


def all_studies(storage: BaseStorage) -> list[tuple[str, dict[str, Any]]]:
    """Name and user attributes of every study of a storage."""
    return [
        (study.study_name, storage.get_study_user_attrs(study._study_id))
        for study in storage.get_all_studies()
    ]


def all_trials(study: Study) -> list[FrozenTrial]:
    """All trials of a study, past any filter; not to be changed."""
    return study._storage.get_all_trials(study._study_id, deepcopy=False)


def study_attributes(study: Study) -> dict[str, Any]:
    """The user attributes of a study, also where the study object hides them."""
    return study._storage.get_study_user_attrs(study._study_id)


def write_attribute(study: Study, key: str, value: Any) -> None:
    """Write a user attribute of a study, also where the study object hides them."""
    study._storage.set_study_user_attr(study._study_id, key, value)


def is_optimizing(study: Study) -> bool:
    """Whether this thread is inside `study.optimize`."""
    # A study that hides trials wraps the one that is being optimised.
    whole = getattr(study, "_study", study)
    return bool(getattr(whole._thread_local, "in_optimize_loop", False))


def reopened(study: Study, trials: Iterable[FrozenTrial]) -> Iterator[Trial]:
    """Stored trials as the kind of object that optuna-dashboard takes a note for."""
    # A new `Trial` asks its study's sampler at once: ours would claim something.
    plain = load_study(
        study_name=study.study_name, storage=study._storage, sampler=RandomSampler()
    )
    return (Trial(plain, trial._trial_id) for trial in trials)


def fail_trial(study: Study, trial: FrozenTrial) -> None:
    """End a trial as FAIL; one that others have ended stays as it is."""
    try:
        study._storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL)
    except UpdateFinishedTrialError:
        return


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
                study._storage.set_trial_user_attr(trial._trial_id, DROPPED, reason)
            fail_trial(study, trial)


def has_heartbeat(study: Study) -> bool:
    """Whether the study's storage records heartbeats, which then say best who lives."""
    interval = getattr(study._storage, "get_heartbeat_interval", None)
    return interval is not None and interval() is not None


def was_ended_by_others(error: Exception) -> bool:
    """Whether Optuna says that a trial was ended while its worker was at work on it."""
    if isinstance(error, UpdateFinishedTrialError):
        return True
    return re.fullmatch(r"Cannot tell a \w+ trial\.", str(error)) is not None


def write_owner(study: Study, trial: FrozenTrial, patience: float | None) -> None:
    """Say whose a trial is before it claims anything; `patience` as in `_alive.owner`."""
    owner = _alive.owner(patience)
    study._storage.set_trial_system_attr(trial._trial_id, OWNER, owner)
    trial.system_attrs[OWNER] = owner


def patience_of(trial: FrozenTrial) -> float | None:
    """After how many seconds of silence a trial's worker said that it would count as dead."""
    patience: float | None = (_owner(trial) or {}).get("patience")
    return patience


def write_sign(trial: Trial, patience: float | None, longest_epoch: float) -> None:
    """Write that the trial's worker lives."""
    if patience is None:
        return
    sign = _alive.sign_of_life(None if has_heartbeat(trial.study) else patience, longest_epoch)
    # Not through the trial, which is not for two threads at once.
    trial.study._storage.set_trial_user_attr(trial._trial_id, SIGN, sign)


def write_claim(
    study: Study, trial: FrozenTrial, proposal: Proposal | None, *, ahead: bool = False
) -> None:
    """Claim a proposal for a trial; None says that it takes nothing.

    `ahead`: the walk may yet go another way, and then has no use for it.
    """
    candidate = _to_json(proposal) if proposal else None
    owner = _owner(trial) or _alive.owner(None)
    claim = {**owner, "candidate": candidate, "ahead": ahead}
    study._storage.set_trial_system_attr(trial._trial_id, CLAIM, claim)
    # The hooks of one trial share this object, which is not read again from the storage.
    trial.system_attrs[CLAIM] = claim


def has_claim(trial: FrozenTrial) -> bool:
    """Whether a trial has made its claim, be it an empty one."""
    return CLAIM in trial.system_attrs


def claimed(trial: FrozenTrial) -> Candidate | None:
    """The candidate that a trial has claimed."""
    record = trial.system_attrs.get(CLAIM, {}).get("candidate")
    return None if record is None else Candidate.from_json(record)


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
    # A pruner is given a FrozenTrial, whose own setter does not reach a database.
    with suppress(UpdateFinishedTrialError):
        for key, value in said.items():
            if value is not None:
                study._storage.set_trial_user_attr(trial._trial_id, key, value)


def is_alive(trial: FrozenTrial) -> bool:
    """Whether a RUNNING trial may still have a worker; see `_alive.is_alive`."""
    owner = _owner(trial)
    if owner is None:
        return True
    return _alive.is_alive(owner, trial.user_attrs.get(SIGN))


def wait_for_lower(
    study: Study, trial: FrozenTrial, unread: Sequence[int] | None = None
) -> list[FrozenTrial]:
    """Wait until all live trials of lower number have made their claims, but not for long.

    `unread`: the numbers of those that may not have finished; None: it may be any. Returns these
    trials, or all, as they then stand.
    """
    began = time.monotonic()
    while True:
        trials = all_trials(study) if unread is None else _trials_numbered(study, unread)
        waited = time.monotonic() - began
        # The state first, of all: most trials have ended, and there may be many.
        running = [other for other in trials if other.state is TrialState.RUNNING]
        if not any(_may_yet_claim(other, trial, waited) for other in running):
            return trials
        time.sleep(POLL)


def _trials_numbered(study: Study, numbers: Sequence[int]) -> list[FrozenTrial]:
    storage, study_id = study._storage, study._study_id
    ids = [storage.get_trial_id_from_study_id_trial_number(study_id, each) for each in numbers]
    return [storage.get_trial(trial_id) for trial_id in ids]


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
