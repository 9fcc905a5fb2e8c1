"""A whole search on images: its options, its set-up and its run."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from .._core.proposal import Done
from .._storage.claims import fail_dead, fail_own, was_ended_by_others
from .._storage.interrupts import interruptible, stopping_in_order
from .._storage.limits import Spent, limit_reached, write_limits
from .._storage.outage import waiting
from ..evaluation.engine.conditions import conditions, threads_for
from ..evaluation.objective import CandidateFailed, Objective
from ..options import SearchOptions
from ..visualization._dashboard import DashboardWriter
from .forecast.estimate import time_rows
from .studies import LinkedStudies

if TYPE_CHECKING:
    from optuna.study import Study

    from .setup import Setup


POLL = 0.5
"""Seconds between two looks while all that is left is in flight."""


def run(setup: Setup) -> None:
    """Train what the method asks for until all studies have ended.

    Returns early where a limit of the search is reached; see `bound`.
    On an interruption (Ctrl-C) the trial in flight leaves a checkpoint of its last whole epoch,
    and a later run goes on from there.
    """
    link = setup.studies.link
    deterministic = bool(link.dataset.get("deterministic", False))
    threads = threads_for(min(link.space.input_shape[1:]), deterministic=deterministic)
    writer = dashboard_writer(setup.studies, setup.storage)
    with waiting():
        with stopping_in_order(), conditions(threads=threads, deterministic=deterministic):
            ended = all(
                _run_walk(setup.studies, role, setup.objective, writer)
                for role in setup.studies.roles
            )
        if ended:
            finish(setup)
        writer.update(last=True)


def dashboard_writer(studies: LinkedStudies, storage: str) -> DashboardWriter:
    """What keeps the dashboard of a search up to date, its times included."""
    return DashboardWriter(
        studies=studies,
        storage=storage,
        times=lambda search: time_rows(search, finished=search.result().finished),
    )


def bound(setup: Setup, options: SearchOptions) -> None:
    """Store the limits of this run for all of its workers; where none is given, there is none."""
    for role in setup.studies.roles:
        write_limits(
            setup.studies.study(role),
            time_limit=options.time_limit,
            max_total_epochs=options.max_total_epochs,
        )


def finish(setup: Setup) -> None:
    """Leave nothing behind of workers that died: neither RUNNING trials nor checkpoints."""
    for role in setup.studies.roles:
        # A trial that is being made just now will find that there is nothing left to train.
        fail_dead(setup.studies.study(role), nameless=timedelta(0))
        setup.objective.forget(setup.studies.study(role))


def _run_walk(
    studies: LinkedStudies, role: str, objective: Objective, writer: DashboardWriter
) -> bool:
    """Train what one walk asks for; whether it has ended, or a limit has ended the search."""
    # This thread trains nothing now: what it has left was interrupted while the storage was away.
    fail_own(studies.study(role))
    spent = Spent(studies.studies.values)
    while limit_reached(studies.study(role), spent) is None:
        if _take_step(studies, role, objective) is None:
            return True
        writer.update()
    return isinstance(studies.frontier(role), Done)


def _take_step(studies: LinkedStudies, role: str, objective: Objective) -> bool | None:
    """Train one candidate, or wait (False) while all that is left is in flight; None: the end."""
    study = studies.study(role)
    with interruptible():
        fail_dead(study)
    # Asking first keeps the end of a walk from leaving an empty trial behind.
    ahead = studies.frontier(role)
    if isinstance(ahead, Done):
        return None
    if not ahead:
        with interruptible():
            time.sleep(POLL)
        return False
    _train_next(study, objective)
    return True


def _train_next(study: Study, objective: Objective) -> None:
    """Train one candidate. A trial that others ended meanwhile is dropped: they know better."""
    try:
        study.optimize(objective, n_trials=1, catch=(CandidateFailed,))
    except KeyboardInterrupt:
        # Optuna ends a trial that is interrupted, but not one that is only being made.
        fail_own(study)
        raise
    except (RuntimeError, ValueError) as error:
        if not was_ended_by_others(error):
            raise
