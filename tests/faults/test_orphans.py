"""Worker processes whose starter is killed, and whose search is deleted while they start."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from searching import NAME, bars, left_over, options, prepare, url

from optuna_egnas import load_linked_studies
from optuna_egnas._search import pool as _pool
from optuna_egnas._search import worker as _worker
from optuna_egnas._search.catalogue import delete_search
from optuna_egnas._search.worker import Job
from optuna_egnas._storage.opening import open_storage
from optuna_egnas.errors import SearchError

LONG = {"min_depth": 2, "max_depth": 3, "min_width": 4, "max_width": 6, "base_epochs": 2000}


def job(folder: Path) -> Job:
    return Job(data=bars(), storage=url(folder), name=NAME, device="cpu", options=options(folder))


def start_worker(folder: Path, events: Any) -> None:
    """Start a worker as `--workers` does, say which, and wait to be killed."""
    context = multiprocessing.get_context("spawn")
    queue_of_worker = context.Queue()
    work = Job(
        data=bars(),
        storage=url(folder),
        name=NAME,
        device="cpu",
        options=options(folder, macro=LONG),
    )
    process = context.Process(target=_worker.work_here, args=(work, 0, 1, queue_of_worker))
    process.start()
    events.put(process.pid)
    time.sleep(600)


def test_a_worker_ends_in_order_when_its_starter_is_killed(folder: Path) -> None:
    prepare(bars(), storage=url(folder), name=NAME, options=options(folder, macro=LONG))
    context = multiprocessing.get_context("spawn")
    events = context.Queue()
    starter = context.Process(target=start_worker, args=(folder, events))
    starter.start()
    worker = psutil.Process(events.get(timeout=120))
    try:
        deadline = time.monotonic() + 120
        while not left_over(folder):
            assert worker.is_running() and time.monotonic() < deadline
            time.sleep(0.05)

        starter.kill()

        starter.join()
        psutil.wait_procs([worker], timeout=60)
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    finally:
        if worker.is_running():
            worker.kill()
    assert left_over(folder), "its checkpoint is kept"
    (trial,) = load_linked_studies(storage=url(folder), name=NAME).macro.trials
    assert (trial.state.name, trial.user_attrs["dropped"]) == ("FAIL", "stopped by its user")


def test_a_search_that_was_deleted_meanwhile_stays_deleted(folder: Path) -> None:
    prepare(bars(), storage=url(folder), name=NAME, options=options(folder))
    delete_search(open_storage(url(folder)), NAME)

    ended = _worker.work(job(folder), 0, lambda _: None)

    assert ended.error is not None
    assert "There is no search named" in ended.error
    with pytest.raises(SearchError, match="the storage holds none"):
        load_linked_studies(storage=url(folder), name=NAME)


def test_a_worker_makes_no_database(folder: Path) -> None:
    ended = _worker.work(job(folder), 0, lambda _: None)

    assert ended.error is not None
    assert "does not exist" in ended.error
    assert [*folder.iterdir()] == []


def test_what_all_workers_say_is_passed_on_once(caplog: pytest.LogCaptureFixture) -> None:
    events: queue.Queue[Any] = queue.Queue()
    for _ in range(3):
        _worker.QueueHandler(events).emit(
            _pool.logger.makeRecord("optuna_egnas", 30, "", 0, "It is full.", (), None)
        )

    assert [*_pool._listen(events, [], None)] == []

    assert [record.getMessage() for record in caplog.records] == ["It is full."]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_modules_are_loaded_is_no_traceback(tmp_path: Path, number: int) -> None:
    """The command sends it to itself in the middle of an import, as early as can be."""
    (tmp_path / "typer.py").write_text(f"import os, time; os.kill(os.getpid(), {int(number)})")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}

    ran = subprocess.run(
        [sys.executable, "-m", "optuna_egnas", "list"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (128 + number, "", "")
