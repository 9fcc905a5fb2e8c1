"""The few storage calls that Optuna keeps private.

The only module that touches private names of Optuna, each for a reason:
`_storage`, `_study_id`   hooks may get a study whose `get_trials` hides trials (HyperbandPruner
                          shows one bracket) and whose `user_attrs` raises; a walk needs them all;
`_trial_id`               a claim that is written in `before_trial` is lost unless it goes through
                          the storage;
`_thread_local`, `_study` the end of a walk reads differently inside `optimize` and outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import RandomSampler
from optuna.study import load_study
from optuna.trial import Trial, TrialState

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial


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


def has_trial(study: Study, number: int) -> bool:
    """Whether a study has a trial of this number; its trials are not read for it."""
    try:
        study._storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
    except KeyError:
        return False
    return True


def study_attributes(study: Study) -> dict[str, Any]:
    """The user attributes of a study, also where the study object hides them."""
    return study._storage.get_study_user_attrs(study._study_id)


def write_attribute(study: Study, key: str, value: Any) -> None:
    """Write a user attribute of a study, also where the study object hides them."""
    study._storage.set_study_user_attr(study._study_id, key, value)


def write_of_trial(study: Study, trial: FrozenTrial | Trial, key: str, value: Any) -> None:
    """Write a user attribute of a trial; a pruner's trial has no setter that reaches a database.

    Nor is a `Trial` for two threads at once.
    """
    study._storage.set_trial_user_attr(trial._trial_id, key, value)


def write_system_of_trial(study: Study, trial: FrozenTrial, key: str, value: Any) -> None:
    """Write a system attribute of a trial, in the storage and in this object.

    The hooks of one trial share the object, which is not read again from the storage.
    """
    study._storage.set_trial_system_attr(trial._trial_id, key, value)
    trial.system_attrs[key] = value


def has_heartbeat(study: Study) -> bool:
    """Whether the study's storage records heartbeats, which then say best who lives."""
    interval = getattr(study._storage, "get_heartbeat_interval", None)
    return interval is not None and interval() is not None


def trials_numbered(study: Study, numbers: Sequence[int]) -> list[FrozenTrial]:
    """The trials of these numbers, each read by itself."""
    storage, study_id = study._storage, study._study_id
    ids = [storage.get_trial_id_from_study_id_trial_number(study_id, each) for each in numbers]
    return [storage.get_trial(trial_id) for trial_id in ids]


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
