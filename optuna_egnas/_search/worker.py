"""Several workers for one search: processes on this machine, or tasks of a Ray cluster.

No worker leads. Each opens the same two studies, asks for what nobody has, and finds out by
itself when the macro walk hands over to the micro walk and when all is done. The one that started
them only passes on what they tell, and asks them to end.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import psutil
import torch

from .._storage.interrupts import ending_on_sigterm
from .._storage.opening import open_storage
from .._storage.urls import full_url
from ..errors import EgnasError
from ..evaluation.account import Progress
from .identity import stored_images, stored_recipe
from .plan import choose_device
from .run import run as run_alone
from .setup import Setup, assemble, prepare
from .studies import load_linked_studies

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from ..options import SearchOptions


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
    """What a worker tells last; `error` is why it gave up, if it did."""

    worker: int
    error: str | None = None


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


def work_here(job: Job, number: int, workers: int, told: Any) -> None:
    """A worker process. Its starter alone hears Ctrl-C, and passes it on as SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads_each(workers))
    with suppress(KeyboardInterrupt), ending_on_sigterm():
        told.put(work(job, number, lambda event: told.put(event)))


def work(job: Job, number: int, tell: Callable[[Progress], None]) -> Ended:
    """Join the search and work until it has ended."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        setup = prepare(
            job.data,
            storage=job.storage,
            name=job.name,
            device=job.device,
            options=job.options,
            watch=lambda event: tell(replace(event, worker=number)),
        )
        run_alone(setup)
    except EgnasError as error:
        return Ended(worker=number, error=str(error))
    except Exception as error:
        return Ended(worker=number, error=f"{type(error).__name__}: {error}.")
    return Ended(worker=number)
