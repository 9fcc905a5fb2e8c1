"""Several workers for one search: processes on this machine, or tasks of a Ray cluster.

No worker leads. Each opens the same studies, asks for what nobody has, and finds out by itself
when one study hands over to the next and when all is done. The process that started the workers
only passes on what they report, and asks them to end.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from logging.handlers import QueueHandler
from typing import TYPE_CHECKING, Any

import psutil
import torch

from .._storage.interrupts import ask_to_end, ending_on_sigterm
from .._storage.opening import open_storage
from .._storage.outage import logger, waiting
from .._storage.urls import full_url
from ..errors import EgnasError
from ..evaluation.account import Progress
from ..evaluation.engine.conditions import plain_modes
from ..evaluation.engine.device import choose_device
from .identity import stored_images, stored_recipe
from .run import run as run_alone
from .setup import Setup, assemble, prepare
from .studies import load_linked_studies

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from ..options import SearchOptions

SAID_ONCE = 60.0
"""Seconds in which what several workers say alike is passed on once."""


GRACE = 60.0
"""Seconds that workers have to write their checkpoints when they are asked to end."""
POLL = 0.5
"""Seconds between two looks at the workers."""


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
    """The last event of a worker; `error` says why it gave up, if it did."""

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


def threads_each(workers: int) -> int:
    """Threads of one worker: the machine's cores, shared out."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return max(1, cores // workers)


def work_here(job: Job, number: int, workers: int, events: Any) -> None:
    """A worker process. Its starter alone hears Ctrl-C, and passes it on as SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logger.addHandler(QueueHandler(events))
    logger.propagate = False
    with suppress(KeyboardInterrupt), ending_on_sigterm():
        threading.Thread(target=_end_with_starter, args=(events,), daemon=True).start()
        torch.set_num_threads(threads_each(workers))
        events.put(work(job, number, lambda event: events.put(event)))


def _end_with_starter(events: Any) -> None:
    """End this worker in order when the process that started it dies, be it by SIGKILL."""
    starter = multiprocessing.parent_process()
    assert starter is not None, "a worker is started by another process"
    starter.join()
    # Nobody reads the queue any more: events left in it would block the end for ever.
    events.cancel_join_thread()
    ask_to_end()
    time.sleep(GRACE)
    os._exit(1)


def work(job: Job, number: int, tell: Callable[[Progress], None]) -> Ended:
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
def without_ctrl_c() -> Iterator[None]:
    """Start a process that never hears Ctrl-C, not even before it can say that it ignores it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
