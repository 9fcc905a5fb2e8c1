"""The searches of a storage: what there is, how each stands, and how one is deleted."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import optuna
from optuna.artifacts import get_all_artifact_meta
from optuna.trial import TrialState

from ._artifacts import open_artifacts
from ._claims import DROPPED, FORGETS, all_trials, is_alive, study_attributes
from ._link import ROLES, START, find_search, linked_studies, read_places
from ._linked import LinkedStudies, load_linked_studies, trials_of
from ._translate import forgotten
from .errors import EgnasError, SearchError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial


class Summary(NamedTuple):
    """One search of a storage.

    `state` is "finished", "in training", "stopped" (it can go on), "not begun", or what is wrong
    with it. `workers` counts trainings that run now. `valid_accuracy` is a fraction, `last` when
    a trial has begun or ended last.
    """

    name: str
    dataset: str
    state: str
    workers: int = 0
    candidates: int = 0
    valid_accuracy: float | None = None
    params: int | None = None
    last: datetime | None = None


def summaries(storage: BaseStorage) -> list[Summary]:
    """All searches of a storage by name."""
    found = {link.name: link for _, link in linked_studies(storage)}
    return [
        _summary(storage, name, str(link.dataset.get("dataset", "")))
        for name, link in sorted(found.items())
    ]


def _summary(storage: BaseStorage, name: str, dataset: str) -> Summary:
    try:
        studies = load_linked_studies(storage=storage, name=name)
    except EgnasError as error:
        return Summary(name=name, dataset=dataset, state=str(error))
    result, trials = studies.result(), trials_of(studies)
    workers = sum(map(_runs, trials))
    times = [time for trial in trials for time in (trial.datetime_start, trial.datetime_complete)]
    return Summary(
        name=name,
        dataset=dataset,
        state=_state(result.finished, workers, bool(trials)),
        workers=workers,
        candidates=result.candidates,
        valid_accuracy=result.valid_accuracy,
        params=result.params,
        last=max((time for time in times if time is not None), default=None),
    )


def _state(finished: bool, workers: int, begun: bool) -> str:
    if finished:
        return "finished"
    if workers:
        return "in training"
    return "stopped" if begun else "not begun"


def _runs(trial: FrozenTrial) -> bool:
    return trial.state is TrialState.RUNNING and is_alive(trial)


def check_may_be_deleted(storage: BaseStorage, name: str) -> tuple[str, ...]:
    """The names of the studies of a search; also of one of which only one study is left.

    Raises:
        SearchError: there is none of this name, or it is in training.
    """
    return _at_rest(storage, name, "deleted")


def _at_rest(storage: BaseStorage, name: str, what: str) -> tuple[str, ...]:
    found = find_search(storage, name)
    if not found:
        names = ", ".join(sorted({link.name for _, link in linked_studies(storage)}))
        there = f"there are {names}" if names else "the storage holds none"
        raise SearchError(f"There is no search named {name!r}: {there}.")
    studies = tuple(study for study, _ in found.values())
    workers = 0
    for study in studies:
        trials = all_trials(optuna.load_study(study_name=study, storage=storage))
        workers += sum(map(_runs, trials))
    if workers:
        raise SearchError(
            f"A search must be at rest to be {what}, but {name!r} trains {workers} "
            f"candidate{'s' if workers > 1 else ''} now: stop its workers first."
        )
    return studies


def delete_search(storage: BaseStorage, name: str) -> None:
    """Delete the studies of a search, its checkpoints and what was uploaded to its studies.

    Files that cannot be removed stay where they are.

    Raises:
        SearchError: as `check_may_be_deleted`.
    """
    studies = check_may_be_deleted(storage, name)
    if len(studies) == len(ROLES):
        # Files are not worth a failure: a bucket may be out of reach for who only tidies up.
        with suppress(Exception):
            _remove_files(storage, load_linked_studies(storage=storage, name=name))
    for study in studies:
        optuna.delete_study(study_name=study, storage=storage)


class Failures(NamedTuple):
    """Failures of one study that count: the numbers of its trials, and their errors in words."""

    study: str
    numbers: tuple[int, ...]
    errors: tuple[str, ...]


def failures(storage: BaseStorage, name: str) -> tuple[Failures, ...]:
    """The failures of a search that can be forgotten, for each study that has any.

    Those of the macro search cannot once the micro search has begun from what it found.

    Raises:
        SearchError: there is no such search, or it is in training.
    """
    _at_rest(storage, name, "tried again")
    studies = load_linked_studies(storage=storage, name=name)
    begun = START in study_attributes(studies.micro)
    found = [_failures(studies.study(role)) for role in ROLES if role == "micro" or not begun]
    return tuple(each for each in found if each.numbers)


def forget_failures(storage: BaseStorage, found: Failures) -> None:
    """Let failures say nothing: their candidates are as if they had never been trained.

    Trials that have ended can no longer be changed: a trial is added that lists them.
    """
    said = {FORGETS: list(found.numbers), DROPPED: f"{len(found.numbers)} failures are forgotten"}
    study = optuna.load_study(study_name=found.study, storage=storage)
    study.add_trial(optuna.trial.create_trial(state=TrialState.FAIL, user_attrs=said))


def _failures(study: Study) -> Failures:
    trials = all_trials(study)
    known = forgotten(trials)
    failed = [
        trial
        for trial in trials
        if trial.state is TrialState.FAIL
        and "error" in trial.user_attrs
        and trial.number not in known
    ]
    errors = dict.fromkeys(str(trial.user_attrs["error"]) for trial in failed)
    return Failures(study.study_name, tuple(trial.number for trial in failed), tuple(errors))


def _remove_files(storage: BaseStorage, studies: LinkedStudies) -> None:
    from ._final import forget_finals
    from ._stored import stored_recipe
    from .evaluation._checkpoint import Checkpoints

    place = read_places(studies.macro).get("artifacts")
    if place is None:
        return
    store, link = open_artifacts(place), studies.link
    forget_finals(studies, Checkpoints(store=store))
    for role in ROLES:
        study, reader = studies.study(role), studies.reader(role)
        trials = all_trials(study)
        owners: list[Study | FrozenTrial] = [study, *trials]
        for owner in owners:
            for artifact in get_all_artifact_meta(owner, storage=storage):
                with suppress(Exception):
                    store.remove(artifact.artifact_id)
        candidates = {reader.candidate(trial) for trial in trials} if reader else set()
        for candidate in candidates:
            if candidate is not None and candidate.epochs is not None:
                checkpoints = Checkpoints(store=store)
                recipe = stored_recipe(link)
                checkpoints.place(link.run, role, candidate, recipe, link.seed).remove()
