"""Who trains what: claims of trials, and the few storage calls that Optuna keeps private.

The only module that touches private names of Optuna, each for a reason:
`_storage`, `_study_id`   hooks may get a study whose `get_trials` hides trials (HyperbandPruner
                          shows one bracket) and whose `user_attrs` raises; a walk needs them all;
`_trial_id`               a claim that is written in `before_trial` is lost unless it goes through
                          the storage;
`_thread_local`, `_study` the end of a walk reads differently inside `optimize` and outside.

A claim says which candidate a trial trains, and which process does it. A trial makes its claim
before anything else; trials that start together let the lower number choose first.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import psutil
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from ._core.architecture import Architecture
from ._core.history import Candidate
from ._core.proposal import Proposal

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

CLAIM = "egnas:claim"
PATIENCE = 2.0
"""Seconds that a trial waits for those of lower number to make their claims."""
POLL = 0.02
SAME_START = 1.0
"""Seconds by which two readings of one process's start may differ."""


def storage_of(study: Study) -> BaseStorage:
    """The storage object behind a study."""
    return study._storage


def key_of(study: Study) -> int:
    """What tells a study from all others of its storage."""
    return study._study_id


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


def fail_trial(study: Study, trial: FrozenTrial) -> None:
    """End a trial as FAIL; one that others have ended stays as it is."""
    try:
        study._storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL)
    except UpdateFinishedTrialError:
        return


def fail_dead(study: Study) -> None:
    """Tell FAIL to the RUNNING trials of this machine whose process is gone."""
    for trial in all_trials(study):
        if trial.state is TrialState.RUNNING and not is_alive(trial):
            fail_trial(study, trial)


def write_claim(study: Study, trial: FrozenTrial, proposal: Proposal | None) -> None:
    """Claim a proposal for a trial; None says that it takes nothing."""
    claim = {**_owner(os.getpid()), "candidate": _to_json(proposal) if proposal else None}
    study._storage.set_trial_system_attr(trial._trial_id, CLAIM, claim)
    # The hooks of one trial share this object, which is not read again from the storage.
    trial.system_attrs[CLAIM] = claim


def has_claim(trial: FrozenTrial) -> bool:
    """Whether a trial has made its claim, be it an empty one."""
    return CLAIM in trial.system_attrs


def claimed(trial: FrozenTrial) -> Candidate | None:
    """The candidate that a trial has claimed."""
    record = trial.system_attrs.get(CLAIM, {}).get("candidate")
    if record is None:
        return None
    return Candidate(
        architecture=Architecture.from_json(record),
        epochs=record["epochs"],
        replicate=record["replicate"],
    )


def claimed_phase(trial: FrozenTrial) -> str | None:
    """The phase of the walk that a trial's claim belongs to."""
    record = trial.system_attrs.get(CLAIM, {}).get("candidate")
    return None if record is None else str(record["phase"])


def is_alive(trial: FrozenTrial) -> bool:
    """Whether a RUNNING trial may still have a worker: only a proof of death makes it dead."""
    claim = trial.system_attrs.get(CLAIM)
    if claim is None or claim.get("host") != platform.node():
        return True
    started = _started(claim["pid"])
    return started is not None and abs(started - claim["started"]) < SAME_START


def wait_for_lower(study: Study, trial: FrozenTrial) -> None:
    """Wait, for PATIENCE at most, until all live trials of lower number have made their claims."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not any(_may_yet_claim(other, trial) for other in all_trials(study)):
            return
        time.sleep(POLL)


def _may_yet_claim(other: FrozenTrial, trial: FrozenTrial) -> bool:
    if other.state is not TrialState.RUNNING or other.number >= trial.number or has_claim(other):
        return False
    if other.datetime_start is None or trial.datetime_start is None:
        return False
    # One that began long before and has no claim is another sampler's: it will never make one.
    return abs((trial.datetime_start - other.datetime_start).total_seconds()) < PATIENCE


def _to_json(proposal: Proposal) -> Mapping[str, Any]:
    candidate = proposal.candidate
    return {
        **candidate.architecture.to_json(),
        "phase": proposal.phase,
        "epochs": candidate.epochs,
        "replicate": candidate.replicate,
    }


@lru_cache(maxsize=4)
def _owner(pid: int) -> dict[str, Any]:
    return {"host": platform.node(), "pid": pid, "started": psutil.Process(pid).create_time()}


def _started(pid: int) -> float | None:
    """When the process of this id was started; None if there is none (or only its remains)."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.create_time()
    except psutil.NoSuchProcess:
        return None
