"""What a method is given to measure one candidate of a search with; see `Measurement`."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ..._core.epoch import EpochRecord
from ..._core.history import Candidate, Trained
from ..._core.network import Network, Shape
from ..._core.recipe import Recipe
from ..._core.text import short
from ...errors import InvalidSpace
from ..data.labelled import LabelledImages
from .augmentation import channel_statistics
from .candidate import Task, Weights, train_candidate
from .checkpoint import Checkpoint, Place
from .loop import count_correct
from .seed import seed_of
from .state import copied


@dataclass(slots=True, kw_only=True, eq=False)
class CandidateMeasurement:
    """One candidate of a search.

    Args:
        task: what all trainings of the search have in common.
        candidate: what is measured.
        start: the checkpoint from which it goes on, if there is one.
        place: where its checkpoints are kept.
        inherited: the weights of its parent, where it has one and there is no `start`.
    """

    task: Task
    candidate: Candidate
    start: Checkpoint | None
    place: Place
    inherited: Weights | None
    _noted: tuple[EpochRecord, ...] = field(init=False)

    def __post_init__(self) -> None:
        self._noted = self.records

    @property
    def seed(self) -> int:
        return seed_of(self.task.seed, self.candidate)

    @property
    def recipe(self) -> Recipe:
        return self.task.recipe

    @property
    def device(self) -> torch.device:
        return self.task.device

    @property
    def input_shape(self) -> Shape:
        return self.task.input_shape

    @property
    def classes(self) -> int:
        return self.task.classes

    @property
    def training(self) -> LabelledImages:
        return self.task.training

    @property
    def validation(self) -> LabelledImages:
        assert self.task.validation is not None, "candidates of a search are validated"
        return self.task.validation

    @property
    def records(self) -> tuple[EpochRecord, ...]:
        return self.start.records if self.start else ()

    @property
    def state(self) -> Mapping[str, Any] | None:
        return self.start.state if self.start else None

    def build(self, network: Network) -> nn.Module:
        module: nn.Module = self.task.method.build(
            network,
            input_shape=self.input_shape,
            classes=self.classes,
            generator=torch.Generator().manual_seed(self.seed),
        )
        return module.to(self.device)

    def train(self) -> Iterator[EpochRecord]:
        return train_candidate(
            self.task,
            self.candidate,
            start=self.start,
            place=self.place,
            inherited=self.inherited,
        )

    def correct(self, module: Any) -> int:
        images, labels = self.validation.images, self.validation.labels
        return count_correct(module, images, labels, channel_statistics(self.training.images))

    def note(self, record: EpochRecord, state: Mapping[str, Any]) -> EpochRecord:
        self._noted = (*self._noted, record)
        kept = {**copied(state), "epoch": len(self._noted)}
        self.place.note(Checkpoint(records=self._noted, state=kept))
        self.place.write_if_due()
        return record


def measured(
    measurement: CandidateMeasurement,
) -> Generator[EpochRecord | Trained, None, None]:
    """What the method says of a candidate: its epochs, and an outcome if it gives one.

    Raises:
        InvalidSpace: it is neither a validated epoch nor an outcome with a finite score.
    """
    method = measurement.task.method
    for said in method.measure(measurement):
        if not _is_right(said):
            raise InvalidSpace(
                f"`measure` of {method.name} must yield an EpochRecord with `n_valid` above 0 or "
                f"a Trained with a finite score, but yields {short(said)}."
            )
        yield said


def _is_right(said: object) -> bool:
    if isinstance(said, EpochRecord):
        return said.n_valid > 0
    return isinstance(said, Trained) and math.isfinite(said.score)
