"""One training of a final kind, epoch by epoch: of the network found, and of its rivals."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from ..._core.history import Candidate
from ..._storage.interrupts import interruptible
from ...errors import SearchError
from ...evaluation.engine.candidate import Task, candidate_training, lacks_memory
from ..identity import read_recipe

if TYPE_CHECKING:
    from ..._core.method import Method
    from ...evaluation.engine.checkpoint import Checkpoint, Place
    from .setup import FinalSetup


class LacksMemory(SearchError):
    """A device has too little memory for a training, even in the smallest parts."""


def final_seed(search_seed: int) -> int:
    """Return a seed for final trainings that differs from the seeds of all candidates."""
    digest = hashlib.sha256(f"final training of search {search_seed}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def task_of(setup: FinalSetup, method: Method) -> Task:
    """What all trainings of networks of this method have in common."""
    settings, link = setup.settings, setup.studies.link
    return Task(
        training=setup.training,
        validation=None,
        recipe=read_recipe(settings.recipe),
        seed=final_seed(link.seed),
        device=setup.device,
        method=method,
        input_shape=link.space.input_shape,
        classes=link.space.classes,
        ema=settings.ema,
    )


def epochs_of(
    task: Task, candidate: Candidate, start: Checkpoint, place: Place
) -> Iterator[Checkpoint]:
    """The training after each further epoch; Ctrl-C only ever comes in the middle of one.

    Raises:
        LacksMemory: the device has too little memory.
    """
    with closing(candidate_training(task, candidate, start=start, place=place)) as run:
        while True:
            try:
                with interruptible():
                    done = next(run, None)
            except Exception as error:
                if lacks_memory(error):
                    raise LacksMemory(
                        f"The final training needs more memory than {task.device} has, even "
                        "where batches pass in their smallest parts."
                    ) from None
                raise
            if done is None:
                return
            yield done
