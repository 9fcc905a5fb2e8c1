"""The training of one candidate: from its last checkpoint on, in the memory there is.

Where memory runs out, the epoch is trained again from its start with half as many images in one
pass; their gradients add up to those of the whole batch. Batch norms then normalise each part by
itself, so the outcome differs from that of whole batches: each record says its `micro_batch`.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

import torch

from ..._core.epoch import EpochRecord
from ..._core.history import Candidate
from ..._core.method import Method
from ..._core.network import Shape
from ..._core.recipe import Recipe
from ..data.labelled import LabelledImages
from .checkpoint import Checkpoint, Place
from .loop import train
from .seed import seed_of
from .state import TrainingState

Weights = Mapping[str, torch.Tensor]

SMALLEST_MICRO_BATCH = 4
"""Batch norms need several images; a candidate that needs less memory than this takes fails."""
NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc")
"""What the messages of torch's backends say when they get no memory."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """What all trainings of a search have in common. The images are on the device.

    `method` builds the networks.
    `ema` is that of `TrainingState`; a final training has no validation images.
    """

    training: LabelledImages
    validation: LabelledImages | None
    recipe: Recipe
    seed: int
    device: torch.device
    method: Method
    input_shape: Shape
    classes: int
    ema: float = 0.0


def train_candidate(
    task: Task,
    candidate: Candidate,
    *,
    start: Checkpoint | None,
    place: Place,
    inherited: Weights | None = None,
) -> Generator[EpochRecord, None, None]:
    """All records of a candidate's training, those of the checkpoint `start` first."""
    yield from start.records if start else ()
    with closing(
        candidate_training(task, candidate, start=start, place=place, inherited=inherited)
    ) as run:
        for done in run:
            yield done.records[-1]


def candidate_training(
    task: Task,
    candidate: Candidate,
    *,
    start: Checkpoint | None,
    place: Place,
    inherited: Weights | None = None,
) -> Generator[Checkpoint, None, None]:
    """A candidate's training after each of its epochs that follow the checkpoint `start`.

    `inherited` are the final weights of its parent, where it has one and there is no `start`.
    After each whole epoch the place gets the checkpoint; it writes when it is due, once the next
    epoch is asked for.
    """
    done = start or Checkpoint(records=(), state={})
    micro_batch = done.records[-1].micro_batch if done.records else None
    assert candidate.epochs is not None
    while done.epoch < candidate.epochs:
        try:
            for after in _epochs(task, candidate, done, micro_batch, inherited):
                done = after
                place.note(done)
                yield done
                place.write_if_due()
        except Exception as error:
            smaller = math.ceil((micro_batch or task.recipe.batch_size) / 2)
            if not lacks_memory(error) or smaller < SMALLEST_MICRO_BATCH:
                raise
            micro_batch = smaller
        # After the except clause: until then the error holds on to the tensors of its frames.
        if done.epoch < candidate.epochs:
            give_memory_back(task.device)


def train_as(
    task: Task, candidate: Candidate, micro_batches: Sequence[int | None]
) -> Iterator[EpochRecord]:
    """The records of a training that divides its batches as another did, epoch by epoch.

    Ancestors are trained again as well, with whole batches.
    """
    done = Checkpoint(records=(), state={})
    inherited = _trained_again(task, candidate.parent) if candidate.parent else None
    for micro_batch, epochs in groupby(micro_batches):
        run = _epochs(task, candidate, done, micro_batch, inherited)
        for done in islice(run, len([*epochs])):
            yield done.records[-1]


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that there was not enough memory, on whatever device."""
    if isinstance(error, MemoryError):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and any(reason in words for reason in NO_MEMORY)


def give_memory_back(device: torch.device) -> None:
    """Let go of what a failed pass has left in memory."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def _trained_again(task: Task, candidate: Candidate) -> Weights:
    """The final weights of a candidate, from nothing but what it is."""
    inherited = _trained_again(task, candidate.parent) if candidate.parent else None
    begin = Checkpoint(records=(), state={})
    *_, done = _epochs(task, candidate, begin, None, inherited)
    weights: Weights = done.state["weights"]
    return weights


def _epochs(
    task: Task,
    candidate: Candidate,
    latest: Checkpoint,
    micro_batch: int | None,
    inherited: Weights | None,
) -> Iterator[Checkpoint]:
    """The training after each further epoch."""
    assert candidate.epochs is not None
    seed = seed_of(task.seed, candidate)
    network = task.method.build(
        candidate.architecture,
        input_shape=task.input_shape,
        classes=task.classes,
        generator=torch.Generator().manual_seed(seed),
    )
    begin: Mapping[str, Any] | None = latest.state or None
    if candidate.parent is not None and begin is None:
        assert inherited is not None, "a parent's weights are there before its child begins"
        parent = candidate.parent.architecture
        task.method.inherit(network, candidate.architecture, parent=parent, weights=inherited)
    state = TrainingState(start=begin, ema=task.ema)
    for record in train(
        network,
        task.training,
        task.validation,
        epochs=candidate.epochs,
        recipe=task.recipe,
        seed=seed,
        device=task.device,
        state=state,
        micro_batch=micro_batch,
    ):
        latest = Checkpoint(records=(*latest.records, record), state=state.snapshot())
        yield latest
