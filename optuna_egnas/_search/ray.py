"""Several workers for one search: processes on this machine, or tasks of a Ray cluster.

No worker leads. Each opens the same two studies, asks for what nobody has, and finds out by
itself when the macro walk hands over to the micro walk and when all is done. The one that started
them only passes on what they tell, and asks them to end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch

from ..errors import SearchError
from ..evaluation.account import Progress
from .worker import POLL, threads_each, work

if TYPE_CHECKING:
    from .worker import Ended, Job


def run_ray(job: Job, workers: int, watch: Callable[[Progress], None] | None) -> Iterator[Ended]:
    try:
        import ray
        from ray.util.queue import Queue
    except ImportError:
        raise SearchError("The engine ray is missing: pip install 'optuna-egnas[ray]'.") from None
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, include_dashboard=False)
    gpus = 1 if ray.cluster_resources().get("GPU", 0) else 0
    told = Queue()
    task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_work_on_ray)
    running = [task.remote(job, number, workers, told) for number in range(workers)]
    try:
        while running:
            ready, running = ray.wait(running, timeout=POLL)
            _pass_on(told, watch)
            for done in ready:
                # A task whose machine is lost says nothing; the others go on.
                with suppress(ray.exceptions.RayError):
                    yield ray.get(done)
    finally:
        for left in running:
            ray.cancel(left)
        if started:
            ray.shutdown()


def _pass_on(told: Any, watch: Callable[[Progress], None] | None) -> None:
    for event in told.get_nowait_batch(told.qsize()):
        if watch is not None:
            watch(event)


def _work_on_ray(job: Job, number: int, workers: int, told: Any) -> Ended:
    if not torch.cuda.is_available():
        torch.set_num_threads(threads_each(workers))
    return work(job, number, told.put)
