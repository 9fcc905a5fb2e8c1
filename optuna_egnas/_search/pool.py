"""Several workers for one search: processes on this machine, or tasks of a Ray cluster.

No worker leads. Each opens the same studies, asks for what nobody has, and finds out by itself
when one study hands over to the next and when all is done. The process that started the workers
only passes on what they report, and asks them to end.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any

import torch
from optuna.storages import InMemoryStorage

from .._core.commands import ENGINE, WORKERS
from .._storage.limits import Spent, limit_reached
from .._storage.outage import logger, waiting
from .._storage.urls import parse_url
from ..errors import SearchError
from ..evaluation.account import Progress
from .ray import run_tasks
from .run import bound, finish
from .run import run as run_alone
from .setup import Setup
from .worker import (
    GRACE,
    POLL,
    SAID_ONCE,
    Ended,
    threads_each,
    without_ctrl_c,
    work,
    work_here,
)

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from .worker import Job


def run(
    setup: Setup,
    job: Job,
    *,
    workers: int,
    engine: str = "processes",
    watch: Callable[[Progress], None] | None = None,
) -> None:
    """Run a prepared search with this number of workers until all of its walks have ended.

    A worker that is lost does not stop the others. On CPUs the threads are shared out; each
    process sees one GPU where there are GPUs.

    Raises:
        SearchError: all workers ended before the search did.
    """
    with waiting():
        _run(setup, job, workers, engine, watch)


def _run(
    setup: Setup,
    job: Job,
    workers: int,
    engine: str,
    watch: Callable[[Progress], None] | None,
) -> None:
    bound(setup, job.options)
    if workers == 1 and engine == "processes":
        run_alone(setup)
        return
    run_all = _run_processes if engine == "processes" else _run_ray
    errors = [ended.error for ended in run_all(job, workers, watch) if ended.error]
    if setup.studies.result().finished:
        finish(setup)
    elif limit_reached(setup.studies.first, Spent(setup.studies.studies.values)) is None:
        reason = errors[0] if errors else "they were lost."
        raise SearchError(
            f"All {workers} workers ended before the search did: {reason} "
            "The same command goes on from here."
        )


def check_workers(workers: int, engine: str, storage: str | BaseStorage | None) -> None:
    """Refuse what cannot be started.

    Raises:
        InvalidSpace: less than one worker, or an unknown engine.
        SearchError: several workers, and a storage that only one process can see.
    """
    WORKERS.check(workers)
    ENGINE.check(engine)
    in_memory = storage is None or isinstance(storage, InMemoryStorage)
    if isinstance(storage, str):
        url = parse_url(storage)
        in_memory = url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")
    if in_memory and (workers > 1 or engine != "processes"):
        raise SearchError(
            f"{workers} workers need a storage that all of them can open, such as "
            "sqlite:///egnas.db, but got one in memory."
        )


def _run_processes(
    job: Job, workers: int, watch: Callable[[Progress], None] | None
) -> Iterator[Ended]:
    context = multiprocessing.get_context("spawn")
    events: Any = context.Queue()
    processes: list[SpawnProcess] = []
    for number in range(workers):
        process = context.Process(target=work_here, args=(job, number, workers, events))
        with _environment(number, workers), without_ctrl_c():
            process.start()
        processes.append(process)
    try:
        yield from _listen(events, processes, watch)
    finally:
        _end(processes)
        events.close()


def _listen(
    events: Any, processes: list[SpawnProcess], watch: Callable[[Progress], None] | None
) -> Iterator[Ended]:
    """Pass on the events of the workers, until none of them lives."""
    said: dict[str, float] = {}
    while True:
        alive = any(process.is_alive() for process in processes)
        try:
            event = events.get(timeout=POLL if alive else 0.01)
        except queue.Empty:
            if not alive:
                return
            continue
        if isinstance(event, Ended):
            yield event
        elif isinstance(event, logging.LogRecord):
            _say_once(event, said)
        elif watch is not None:
            watch(event)


def _say_once(record: logging.LogRecord, said: dict[str, float]) -> None:
    """Pass on what a worker says, unless another one has just said the same."""
    now, what = time.monotonic(), str(record.msg)
    if now - said.get(what, -SAID_ONCE) >= SAID_ONCE:
        logger.handle(record)
    said[what] = now


def _end(processes: list[SpawnProcess]) -> None:
    """Ask those that still live to end in order, and wait for them."""
    for process in processes:
        if process.is_alive() and process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
    for process in processes:
        process.join(GRACE)
        if process.is_alive():
            process.kill()
            process.join()


@contextmanager
def _environment(number: int, workers: int) -> Iterator[None]:
    """What a process must find set before it loads torch."""
    changed = {"OMP_NUM_THREADS": str(threads_each(workers))}
    gpus = _visible_gpus()
    if gpus:
        changed["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    before = {key: os.environ.get(key) for key in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA names them."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    if said is not None:
        return [gpu for gpu in said.split(",") if gpu.strip()]
    return [str(gpu) for gpu in range(torch.cuda.device_count())]


def _run_ray(job: Job, workers: int, watch: Callable[[Progress], None] | None) -> Iterator[Ended]:
    tasks = [partial(_work_on_ray, job, number, workers) for number in range(workers)]
    return run_tasks(tasks, watch)


def _work_on_ray(job: Job, number: int, workers: int, events: Any) -> Ended:
    if not torch.cuda.is_available():
        torch.set_num_threads(threads_each(workers))
    return work(job, number, events.put)
