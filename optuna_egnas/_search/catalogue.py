"""The searches of a storage: what there is, the state of each, and how one is deleted."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

import optuna
from optuna.artifacts import get_all_artifact_meta
from optuna.trial import TrialState

from .._core.rules import file_name, quoted
from .._core.text import clipped, one_line
from .._storage.artifacts import open_artifacts
from .._storage.attributes import check_study
from .._storage.claims import CLAIM, DROPPED, FORGETS, OWNER, is_alive
from .._storage.final_claims import at_work, who
from .._storage.final_results import all_begun, all_finals
from .._storage.link import (
    START,
    Link,
    find_search,
    linked_studies,
    no_search,
    read_places,
    search_names,
    unreadable,
)
from .._storage.owners import forget, release
from .._storage.private import all_trials, study_attributes
from .._storage.reader import forgotten
from .._storage.studies import trials_of
from ..errors import EgnasError, SearchError
from .studies import LinkedStudies, load_linked_studies

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from .._storage.artifacts import Store

    Found = dict[str, tuple[str, Link]]


FEW = 3
"""Most workers that a message names."""


class Summary(NamedTuple):
    """One search of a storage.

    `state` is "finished", "in training", "stopped" (it can go on), "not begun", or what is wrong
    with it. `workers` counts trainings that run now. `valid_accuracy` is a fraction, `last` when
    a trial has begun or ended last.
    """

    name: str
    method: str
    dataset: str
    state: str
    workers: int = 0
    candidates: int = 0
    valid_accuracy: float | None = None
    params: int | None = None
    last: datetime | None = None


def summaries(storage: BaseStorage) -> list[Summary]:
    """All searches of a storage by name, also those that this version cannot read."""
    links = {link.name: link for _, link in linked_studies(storage)}
    return [_summary(storage, name, links.get(name)) for name in search_names(storage)]


def _summary(storage: BaseStorage, name: str, link: Link | None) -> Summary:
    method, dataset = "", ""
    if link is not None:
        method, dataset = link.method, str(link.dataset.get("dataset", ""))
    try:
        studies = load_linked_studies(storage=storage, name=name)
        result, trials = studies.result(), trials_of(studies)
    except EgnasError as error:
        return Summary(name=name, method=method, dataset=dataset, state=str(error))
    workers = sum(map(_runs, trials))
    times = [time for trial in trials for time in (trial.datetime_start, trial.datetime_complete)]
    return Summary(
        name=name,
        method=method,
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
        SearchError: there is none of this name, this version cannot read it, or it is in
            training: the message says who trains.
    """
    return _at_rest(storage, name, "deleted")


def _at_rest(storage: BaseStorage, name: str, what: str) -> tuple[str, ...]:
    found = find_search(storage, name)
    if not found or name in unreadable(storage):
        raise no_search(storage, name)
    studies = [optuna.load_study(study_name=study, storage=storage) for study, _ in found.values()]
    candidates, finals = [], []
    space = next(link for _, link in found.values()).space
    for study in studies:
        attributes, trials = study_attributes(study), all_trials(study)
        check_study(study, trials, space.network_from_json)
        candidates += [_worker(trial) for trial in trials if _runs(trial)]
        finals += at_work(attributes)
    if candidates:
        several = "s" if len(candidates) > 1 else ""
        raise SearchError(
            f"A search must train nothing to be {what}, but {quoted(name)} trains "
            f"{len(candidates)} candidate{several} now ({_few(candidates)}): stop its workers "
            "first."
        )
    if finals:
        raise SearchError(
            f"A search must train nothing to be {what}, but {quoted(name)} is in its final "
            f"training now ({_few(finals)}): stop that first."
        )
    if len(found) == len(next(link for _, link in found.values()).roles):
        # They name files, which are to be removed.
        whole = load_linked_studies(storage=storage, name=name)
        all_begun(whole)
        all_finals(whole)
    return tuple(study.study_name for study in studies)


def _worker(trial: FrozenTrial) -> str:
    """Who trains a candidate."""
    owner = trial.system_attrs.get(OWNER) or trial.system_attrs.get(CLAIM)
    since = f"{trial.datetime_start:%Y-%m-%d %H:%M}" if trial.datetime_start else "unknown"
    return who(owner, since) if owner else f"a worker that does not say where it is, since {since}"


def _few(workers: list[str]) -> str:
    more = f"; and {len(workers) - FEW} more" if len(workers) > FEW else ""
    return "; ".join(clipped(each, 80) for each in workers[:FEW]) + more


def delete_search(storage: BaseStorage, name: str) -> str | None:
    """Delete the studies of a search, its checkpoints and what was uploaded to its studies.

    Files stay where they cannot be removed, or also belong to another storage, of which this one
    is a copy, say. Returns in words which, and why; None where none do.

    Raises:
        SearchError: as `check_may_be_deleted`.
    """
    studies = check_may_be_deleted(storage, name)
    found = find_search(storage, name)
    stay = _release(storage, name, found, copies=_copies(storage, found))
    for study in studies:
        optuna.delete_study(study_name=study, storage=storage)
    return stay


class Failures(NamedTuple):
    """Failures of one study that count: the numbers of its trials, and their errors in words."""

    study: str
    numbers: tuple[int, ...]
    errors: tuple[str, ...]


def failures(storage: BaseStorage, name: str) -> tuple[Failures, ...]:
    """The failures of a search that can be forgotten, for each study that has any.

    Those of a study cannot once the next one has begun from what it found.

    Raises:
        SearchError: there is no such search, or it is in training.
    """
    _at_rest(storage, name, "tried again")
    studies = load_linked_studies(storage=storage, name=name)
    found = [
        _failures(study)
        for study, after in zip_longest(studies.studies.values(), [*studies.studies.values()][1:])
        if after is None or START not in study_attributes(after)
    ]
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


def _copies(storage: BaseStorage, found: Found) -> list[str]:
    """Studies of the same run beside those of a search: copies in its own storage."""
    runs = {link.run for _, link in found.values()}
    originals = {study for study, _ in found.values()}
    return [
        study
        for study, link in linked_studies(storage)
        if link.run in runs and study not in originals
    ]


def _release(storage: BaseStorage, name: str, found: Found, *, copies: list[str]) -> str | None:
    """Remove the files of a search that are its storage's alone; why they stay, where they do."""
    study, link = next(iter(found.values()))
    place = read_places(optuna.load_study(study_name=study, storage=storage)).get("artifacts")
    if place is None:
        return None
    # Files are not worth a failure: a bucket may be out of reach for who only tidies up.
    try:
        if len(found) < len(link.roles):
            reason = "only one of its studies is left, which does not name them"
        elif copies:
            reason = f"{', '.join(map(quoted, copies[:FEW]))} may need them"
        else:
            store = open_artifacts(place)
            released = release(store, link.run, storage)
            if released.may_go:
                studies = load_linked_studies(storage=storage, name=name)
                _remove_files(storage, studies, store)
                forget(store, link.run)
                return None
            reason = released.reason
    except Exception as error:
        reason = one_line(str(error)) or type(error).__name__
    return f"Files of {quoted(name)} stay in {place}, if there are any: {reason}."


def _remove_files(storage: BaseStorage, studies: LinkedStudies, store: Store) -> None:
    from ..evaluation.engine.checkpoint import Checkpoints
    from .final.train import forget_finals
    from .identity import stored_recipe

    link, checkpoints = studies.link, Checkpoints(store=store)
    recipe = stored_recipe(link)
    for role in studies.roles:
        study, reader = studies.study(role), studies.reader(role)
        trials = all_trials(study)
        owners: list[Study | FrozenTrial] = [study, *trials]
        for owner in owners:
            _remove_uploads(storage, owner, store)
        candidates = {reader.candidate(trial) for trial in trials} if reader else set()
        for candidate in candidates:
            if candidate is not None and candidate.epochs is not None:
                checkpoints.place(link.run, role, candidate, recipe, link.seed).remove()
    forget_finals(studies, checkpoints)


def _remove_uploads(storage: BaseStorage, owner: Study | FrozenTrial, store: Store) -> None:
    """Remove what was uploaded to a study or a trial; what is not there any more is no harm."""
    with suppress(Exception):
        for artifact in get_all_artifact_meta(owner, storage=storage):
            # A name with a path in it was not written by this package.
            if not file_name(artifact.artifact_id):
                with suppress(Exception):
                    store.remove(artifact.artifact_id)
