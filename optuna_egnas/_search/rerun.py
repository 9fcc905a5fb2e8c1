"""Trains one trial of a search again, from what the search stores, and compares bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .._core.epoch import EpochRecord
from .._core.method import Method
from .._storage.attributes import of_trial
from .._storage.link import Link
from ..errors import SearchError
from ..evaluation.engine.candidate import Task, train_as
from ..evaluation.engine.conditions import conditions
from ..evaluation.engine.device import choose_device
from .identity import stored_images, stored_recipe
from .named import find_trial
from .setup import moved

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from .._storage.reader import Reader
    from .studies import LinkedStudies


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A value that came out another one: the validation accuracy, say, of an epoch from 1."""

    what: str
    epoch: int | None
    stored: float | int | None
    again: float | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """What a second training of a trial gave. `valid_accuracy` is that of each epoch."""

    trial: str
    epochs: int
    device: str
    threads: int
    valid_accuracy: tuple[float, ...]
    differences: tuple[Difference, ...]

    @property
    def agrees(self) -> bool:
        """Whether all came out the same to the bit."""
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"agrees": self.agrees, **asdict(self)}


def rerun(studies: LinkedStudies, trial: str) -> Rerun:
    """Train a trial again, named as `role/number`, on the device and the threads that it had.

    Writes nothing.

    Raises:
        SearchError: there is no such trial, it has no values, or its data are not stored.
        DataError: the data are not there any more.
    """
    role, stored = find_trial(studies, trial)
    reader = studies.reader(role)
    candidate = reader.candidate(stored) if reader is not None else None
    values = [value for _, value in sorted(stored.intermediate_values.items())]
    if reader is None or candidate is None or candidate.epochs is None or not values:
        raise SearchError(f"Trial {trial} cannot be trained again: it has no values of epochs.")
    if type(studies.method).measure is not Method.measure:
        raise SearchError(
            f"Trial {trial} must be of a method that trains each candidate by itself, but "
            f"{studies.method.name} measures in a way of its own."
        )
    link = studies.link
    task = _task(studies, link, reader, stored)
    threads = of_trial(stored, "threads") or 1
    divided = of_trial(stored, "micro_batch") or [None] * len(values)
    deterministic = bool(link.dataset.get("deterministic", False))
    with conditions(threads=threads, deterministic=deterministic):
        records = [*train_as(task, candidate, divided[: len(values)])]
    return Rerun(
        trial=trial,
        epochs=len(records),
        device=str(task.device),
        threads=threads,
        valid_accuracy=tuple(record.valid_accuracy for record in records),
        differences=tuple(_differences(stored, values, records)),
    )


def _task(studies: LinkedStudies, link: Link, reader: Reader, stored: FrozenTrial) -> Task:
    training, validation = stored_images(studies)
    device = choose_device(of_trial(stored, "device") or "cpu")
    return Task(
        training=moved(training, device),
        validation=moved(validation, device),
        recipe=stored_recipe(link),
        seed=link.seed,
        device=device,
        method=studies.method,
        input_shape=reader.space.input_shape,
        classes=reader.space.classes,
    )


def _differences(
    stored: FrozenTrial, values: list[float], records: list[EpochRecord]
) -> list[Difference]:
    again = [record.train_correct for record in records]
    correct: list[int] = of_trial(stored, "train_correct") or again
    compared: list[tuple[str, Sequence[float], Sequence[float]]] = [
        ("valid_accuracy", values, [record.valid_accuracy for record in records]),
        ("train_correct", correct, again),
    ]
    found = [
        Difference(what=what, epoch=epoch, stored=before, again=after)
        for what, first, second in compared
        for epoch, (before, after) in enumerate(zip(first, second, strict=False), start=1)
        if before != after
    ]
    best = max(record.valid_accuracy for record in records)
    if stored.state.name == "COMPLETE" and stored.value != best:
        found.append(Difference(what="value", epoch=None, stored=stored.value, again=best))
    return found
