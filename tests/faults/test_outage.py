"""PostgreSQL is restarted in the middle of a search with three workers: nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from searching import prepare, run
from test_kills import CONTEXT, OPTIONS, check, walked, with_artifacts, work

from optuna_egnas import load_linked_studies
from optuna_egnas._storage.private import all_trials


@pytest.fixture(scope="module")
def unbroken() -> list[tuple[Any, ...]]:
    setup = prepare("digits", storage=None, options=OPTIONS)
    run(setup)
    return walked(setup.studies)


def test_a_restart_is_waited_for(
    tmp_path: Path,
    new_database: Callable[[str], str],
    restart_postgresql: Callable[[float], None],
    unbroken: list[tuple[Any, ...]],
) -> None:
    storage, artifacts = new_database("outage"), str(tmp_path / "artifacts")
    options = with_artifacts(artifacts)
    studies = prepare("digits", storage=storage, name="fire", options=options).studies
    processes = [CONTEXT.Process(target=work, args=(storage, "fire", artifacts)) for _ in range(3)]
    for process in processes:
        process.start()
    while sum(t.state is TrialState.COMPLETE for t in all_trials(studies.macro)) < 2:
        time.sleep(0.05)

    restart_postgresql(3.0)

    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    check(storage, tmp_path, unbroken, "fire")
    reopened = load_linked_studies(storage=storage, name="fire")
    assert reopened.result().finished
