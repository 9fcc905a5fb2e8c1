"""Runs tasks on a Ray cluster, and passes on their events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from logging.handlers import QueueHandler
from typing import Any, TypeVar

from ..errors import SearchError

LOGGER = "optuna_egnas"
POLL = 0.5
"""Seconds between two looks at the events of the tasks."""

Result = TypeVar("Result")


def run_tasks(
    tasks: Sequence[Callable[[Any], Result]], watch: Callable[[Any], None] | None
) -> Iterator[Result]:
    """Run tasks, each with a queue of events for `watch`; yields the results as they come.

    Each has a GPU where the cluster has any.

    Raises:
        SearchError: Ray is missing.
    """
    try:
        import ray
        from ray.util.queue import Queue
    except ImportError:
        raise SearchError("The engine ray is missing: pip install 'optuna-egnas[ray]'.") from None
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, include_dashboard=False)
    gpus = 1 if ray.cluster_resources().get("GPU", 0) else 0
    events = Queue()
    remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_run)
    running = [remote.remote(task, events) for task in tasks]
    try:
        while running:
            ready, running = ray.wait(running, timeout=POLL)
            _pass_on(events, watch)
            for done in ready:
                # A task whose machine is lost says nothing; the others go on.
                with suppress(ray.exceptions.RayError):
                    yield ray.get(done)
    finally:
        for left in running:
            ray.cancel(left)
        if started:
            ray.shutdown()


def _run(task: Callable[[Any], Result], events: Any) -> Result:
    logging.getLogger(LOGGER).addHandler(QueueHandler(events))
    return task(events)


def _pass_on(events: Any, watch: Callable[[Any], None] | None) -> None:
    for event in events.get_nowait_batch(events.qsize()):
        if isinstance(event, logging.LogRecord):
            logging.getLogger(LOGGER).handle(event)
        elif watch is not None:
            watch(event)
