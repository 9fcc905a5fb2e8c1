"""Workers are killed at random, again and again: the walk stays that of an unbroken search.

Real processes, real SIGKILLs, real trainings of tiny networks, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from searching import left_over

from optuna_egnas import LinkedStudies, load_linked_studies
from optuna_egnas._claims import all_trials
from optuna_egnas._core.history import MAX_LOSSES
from optuna_egnas._core.walk import Done
from optuna_egnas._link import ROLES
from optuna_egnas._search import prepare, run
from optuna_egnas.options import SearchOptions

OPTIONS = SearchOptions(
    subset=120,
    deterministic=True,
    checkpoint_seconds=0.0,
    macro={
        "min_depth": 2,
        "max_depth": 5,
        "min_width": 2,
        "max_width": 8,
        "base_epochs": 6,
        "epochs_per_width_step": 1,
    },
    micro={"epochs": 5},
)
# A server that has torch loaded already: a worker then starts in milliseconds.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["optuna_egnas._search"])
LIMIT = 240.0
Steps = list[tuple[Any, ...]]


def work(storage: str, name: str, artifacts: str) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    options = with_artifacts(artifacts)
    run(prepare("digits", storage=storage, name=name, options=options))


def with_artifacts(artifacts: str) -> SearchOptions:
    return replace(OPTIONS, artifacts=artifacts)


def walked(studies: LinkedStudies) -> Steps:
    """Every step of both walks with its score and verdict."""
    walks = [studies.walk(role) for role in ROLES]
    assert all(walk is not None and isinstance(walk.next, Done) for walk in walks)
    return [
        (step.proposal.phase, step.proposal.candidate, step.score, step.verdict)
        for walk in walks
        if walk is not None
        for step in walk.steps
    ]


@pytest.fixture(scope="module")
def unbroken() -> Steps:
    setup = prepare("digits", storage=None, options=OPTIONS)
    run(setup)
    return walked(setup.studies)


def killed_too_often(studies: LinkedStudies) -> bool:
    """Whether one more loss would make some candidate count as one that kills its worker."""
    for role in ROLES:
        reader = studies.reader(role)
        trials = [] if reader is None else all_trials(studies.study(role))
        lost = [t for t in trials if t.state in (TrialState.FAIL, TrialState.RUNNING)]
        of = [str(reader.candidate(trial)) for trial in lost if reader is not None]
        if any(of.count(candidate) >= MAX_LOSSES - 1 for candidate in of):
            return True
    return False


def search_under_fire(
    storage: str, folder: Path, name: str, *, workers: int, kills: int, draw: random.Random
) -> int:
    """Search with workers that are killed and replaced; returns how many were killed."""
    artifacts = str(folder / "artifacts")
    options = with_artifacts(artifacts)
    studies = prepare("digits", storage=storage, name=name, options=options).studies
    processes: list[Any] = []
    killed, started = 0, time.monotonic()
    while not studies.result().finished or any(process.is_alive() for process in processes):
        assert time.monotonic() - started < LIMIT, "the search must not hang"
        processes = [process for process in processes if process.is_alive()]
        while len(processes) < workers and not studies.result().finished:
            process = CONTEXT.Process(target=work, args=(storage, name, artifacts))
            process.start()
            processes.append(process)
        time.sleep(draw.uniform(0.1, 0.8))
        if studies.result().finished:
            continue
        if killed < kills and processes and not killed_too_often(studies):
            victim = draw.choice(processes)
            if victim.is_alive():
                os.kill(victim.pid, signal.SIGKILL)
                victim.join()
                killed += 1
    for process in processes:
        process.join()
    return killed


def search_until_killed(
    storage: str, folder: Path, unbroken: Steps, *, workers: int, kills: int, seed: int
) -> None:
    """Search again and again, under fire, until so many workers were killed; check each search."""
    draw, left, searches = random.Random(seed), kills, 0
    while left:
        name = f"fire-{searches}"
        left -= search_under_fire(storage, folder, name, workers=workers, kills=left, draw=draw)
        check(storage, folder, unbroken, name)
        searches += 1
        assert searches <= 10, "a search must leave time to kill its workers"


def check(storage: str, folder: Path, unbroken: Steps, name: str) -> None:
    studies = load_linked_studies(storage=storage, name=name)
    assert walked(studies) == unbroken, "the same walk, to the last bit"
    on_path = {candidate for _, candidate, _, _ in unbroken}
    for role in ROLES:
        trials = all_trials(studies.study(role))
        assert not [t.number for t in trials if t.state is TrialState.RUNNING], "no zombie is left"
        reader = studies.reader(role)
        assert reader is not None
        done = [reader.candidate(t) for t in trials if t.state is TrialState.COMPLETE]
        ours = [candidate for candidate in done if candidate in on_path]
        assert len(ours) == len(set(ours)), "nothing on the path is finished twice"
    assert left_over(folder) == [], "no checkpoint is left"


@pytest.mark.parametrize(("workers", "kills"), [(1, 9), (4, 12)])
def test_sqlite(workers: int, kills: int, tmp_path: Path, unbroken: Steps) -> None:
    storage = f"sqlite:///{tmp_path}/egnas.db"

    search_until_killed(storage, tmp_path, unbroken, workers=workers, kills=kills, seed=workers)


@pytest.mark.parametrize(("workers", "kills"), [(3, 12)])
def test_postgresql(
    workers: int,
    kills: int,
    tmp_path: Path,
    new_database: Callable[[str], str],
    unbroken: Steps,
) -> None:
    storage = new_database(f"fire_{workers}")

    search_until_killed(storage, tmp_path, unbroken, workers=workers, kills=kills, seed=workers)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_soak(seed: int, tmp_path: Path, unbroken: Steps) -> None:
    storage = f"sqlite:///{tmp_path}/egnas.db"

    search_until_killed(storage, tmp_path, unbroken, workers=1 + seed % 4, kills=15, seed=seed)
