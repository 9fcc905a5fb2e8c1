"""Several workers for one search: processes on this machine, or tasks of a Ray cluster.

No worker leads. Each opens the same two studies, asks for what nobody has, and finds out by
itself when the macro walk hands over to the micro walk and when all is done. The one that started
them only passes on what they tell, and asks them to end.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from logging.handlers import QueueHandler
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any

import psutil
import torch
from optuna.storages import InMemoryStorage

from ._core.text import short
from ._limits import limit_reached
from ._linked import load_linked_studies
from ._outage import logger, waiting
from ._plan import choose_device
from ._ray import run_tasks
from ._search import Setup, assemble, bound, finish, prepare
from ._search import run as run_alone
from ._stop import ask_to_end, ending_on_sigterm
from ._storage import full_url, open_storage, parse_url
from ._stored import stored_images, stored_recipe
from .errors import EgnasError, InvalidSpace, SearchError
from .evaluation._account import Progress
from .evaluation._conditions import plain_modes

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from .options import SearchOptions

ENGINES = ("processes", "ray")
GRACE = 60.0
"""Seconds that workers have to write their checkpoints when they are asked to end."""
POLL = 0.5
SAID_ONCE = 60.0
"""Seconds in which what several workers say alike is passed on once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What each worker is given: the same as `search`, by value."""

    data: Any
    storage: str | BaseStorage | None
    name: str
    device: str
    options: SearchOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a worker tells last; `error` is why it gave up, if it did."""

    worker: int
    error: str | None = None


@plain_modes()
def join(
    *,
    storage: str,
    name: str,
    device: str,
    options: SearchOptions,
    watch: Callable[[Progress], None] | None = None,
) -> Setup:
    """Join a search that was started elsewhere, from what its storage holds; changes nothing.

    Of the options only `data.root`, `artifacts`, `checkpoint_seconds` and `stale_after` count.

    Raises:
        SearchError: there is no such search, or its data cannot be found again.
        DataError: the data are not there.
    """
    where = choose_device(device)
    opened = open_storage(storage, create=False, heartbeat=True)
    studies = load_linked_studies(storage=opened, name=name)
    images = stored_images(studies, options.data.root)
    recipe = stored_recipe(studies.link)
    return assemble(
        studies,
        images,
        recipe=recipe,
        device=where,
        options=options,
        watch=watch,
        storage=full_url(storage),
    )


def run(
    setup: Setup,
    job: Job,
    *,
    workers: int,
    engine: str = "processes",
    watch: Callable[[Progress], None] | None = None,
) -> None:
    """Run a prepared search with so many workers until both walks have ended.

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
    elif limit_reached(setup.studies.macro) is None:
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
    if workers < 1:
        raise InvalidSpace(f"`workers` must be at least 1, but got workers={short(workers)}.")
    if engine not in ENGINES:
        raise InvalidSpace(
            f"`engine` must be one of {', '.join(ENGINES)}, but got {short(engine)}."
        )
    in_memory = storage is None or isinstance(storage, InMemoryStorage)
    if isinstance(storage, str):
        url = parse_url(storage)
        in_memory = url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")
    if in_memory and (workers > 1 or engine != "processes"):
        raise SearchError(
            f"{workers} workers need a storage that all of them can open, such as "
            "sqlite:///egnas.db, but got one in memory."
        )


def threads_each(workers: int) -> int:
    """Threads of one worker: the machine's cores, shared out."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return max(1, cores // workers)


def _run_processes(
    job: Job, workers: int, watch: Callable[[Progress], None] | None
) -> Iterator[Ended]:
    context = multiprocessing.get_context("spawn")
    told: Any = context.Queue()
    processes: list[SpawnProcess] = []
    for number in range(workers):
        process = context.Process(target=_work_here, args=(job, number, workers, told))
        with _environment(number, workers), _without_ctrl_c():
            process.start()
        processes.append(process)
    try:
        yield from _listen(told, processes, watch)
    finally:
        _end(processes)
        told.close()


def _listen(
    told: Any, processes: list[SpawnProcess], watch: Callable[[Progress], None] | None
) -> Iterator[Ended]:
    """Pass on what the workers tell, until none of them lives."""
    said: dict[str, float] = {}
    while True:
        alive = any(process.is_alive() for process in processes)
        try:
            event = told.get(timeout=POLL if alive else 0.01)
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


def _work_here(job: Job, number: int, workers: int, told: Any) -> None:
    """A worker process. Its starter alone hears Ctrl-C, and passes it on as SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logger.addHandler(QueueHandler(told))
    logger.propagate = False
    with suppress(KeyboardInterrupt), ending_on_sigterm():
        threading.Thread(target=_end_with_starter, args=(told,), daemon=True).start()
        torch.set_num_threads(threads_each(workers))
        told.put(_work(job, number, lambda event: told.put(event)))


def _end_with_starter(told: Any) -> None:
    """End this worker in order when the process that started it dies, be it by SIGKILL."""
    starter = multiprocessing.parent_process()
    assert starter is not None, "a worker is started by another process"
    starter.join()
    # Nobody reads the queue any more: what is left in it would hold up the end for ever.
    told.cancel_join_thread()
    ask_to_end()
    time.sleep(GRACE)
    os._exit(1)


def _work(job: Job, number: int, tell: Callable[[Progress], None]) -> Ended:
    """Join the search and work until it has ended."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with waiting(opening=True):
            setup = prepare(
                job.data,
                storage=job.storage,
                name=job.name,
                device=job.device,
                options=job.options,
                watch=lambda event: tell(replace(event, worker=number)),
                create=False,
            )
            run_alone(setup)
    except EgnasError as error:
        return Ended(worker=number, error=str(error))
    except Exception as error:
        return Ended(worker=number, error=f"{type(error).__name__}: {error}.")
    return Ended(worker=number)


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Start a process that never hears Ctrl-C, not even before it can say that it ignores it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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


def _work_on_ray(job: Job, number: int, workers: int, told: Any) -> Ended:
    if not torch.cuda.is_available():
        torch.set_num_threads(threads_each(workers))
    return _work(job, number, told.put)
