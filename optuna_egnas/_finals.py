"""The final trainings of a search: what its micro study stores of them, and their files.

Each is a user attribute of its own, so that two processes never write over each other; what does
not fit there, the weights and the confusion matrix, are two artifacts of the study, which
optuna-dashboard lists too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from ._artifacts import DEFAULT_PLACE, full_place, open_artifacts
from ._claims import study_attributes, write_attribute
from ._core.architecture import Architecture
from ._link import read_places
from ._report import Bin, Report, bins_from_json, calibration_error
from ._upload import upload_file
from .errors import SearchError

if TYPE_CHECKING:
    from ._linked import LinkedStudies
    from .evaluation._trained import TrainedNetwork

FINAL = "egnas:final:"
"""How the attributes of final trainings begin; the digest of the settings and the seed follow."""
BEGUN = "egnas:final-begun:"
"""The same of those that have begun, with any seed; the digest follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalSettings:
    """What makes a final training the one that it is, but for its seed.

    Args:
        architecture: the network.
        epochs: all of them are trained, and the last one's weights count.
        recipe: the fields of a `Recipe`.
        n_train: training images, those that the search has validated on among them.
        ema: by how much an average of the weights keeps of itself at each step; 0: no average.
    """

    architecture: Architecture
    epochs: int
    recipe: Mapping[str, Any]
    n_train: int
    ema: float = 0.0

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> FinalSettings:
        """Read what `to_json` wrote."""
        return cls(**{**record, "architecture": Architecture.from_json(record["architecture"])})

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "architecture": self.architecture.to_json(),
            "epochs": self.epochs,
            "recipe": dict(self.recipe),
            "n_train": self.n_train,
            "ema": self.ema,
        }

    def digest(self) -> str:
        """12 hex digits that tell these settings from others."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalRecord:
    """A final training that has ended, and its test.

    Args:
        seed: which of the trainings with these settings, from 0.
        settings: how it was trained.
        train_accuracy: fraction of right answers in its last epoch, on augmented images.
        test_correct: right answers on the test images, which were read once, after the training.
        n_test: test images.
        class_correct, class_total: the same class by class.
        bins: how sure it was, and how often right.
        seconds: of training.
        device, threads: where it was trained.
        artifact_id, file_name: of the network's file; `load_final` reads it.
        report_id: of the file of its `Report`; `load_report` reads it.
        stored: when, in ISO 8601, UTC.
    """

    seed: int
    settings: FinalSettings
    train_accuracy: float
    test_correct: int
    n_test: int
    class_correct: tuple[int, ...]
    class_total: tuple[int, ...]
    bins: tuple[Bin, ...]
    seconds: float
    device: str
    threads: int
    artifact_id: str
    file_name: str
    report_id: str
    stored: str

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> FinalRecord:
        """Read what `to_json` wrote."""
        values = dict(record)
        for derived in ("epochs", "test_accuracy", "calibration_error"):
            del values[derived]
        values["settings"] = FinalSettings.from_json(values["settings"])
        values["bins"] = bins_from_json(values["bins"])
        for key in ("class_correct", "class_total"):
            values[key] = tuple(values[key])
        return cls(**values)

    @property
    def epochs(self) -> int:
        """Those of its training."""
        return self.settings.epochs

    @property
    def test_accuracy(self) -> float:
        """Fraction of right answers on the test images."""
        return self.test_correct / self.n_test

    @property
    def calibration_error(self) -> float:
        """The expected calibration error on the test images."""
        return calibration_error(self.bins)

    def to_json(self) -> dict[str, Any]:
        """Plain values, also those that follow from others."""
        values = {name: getattr(self, name) for name in FinalRecord.__slots__}
        return {
            **values,
            "settings": self.settings.to_json(),
            "bins": [each.to_json() for each in self.bins],
            "class_correct": list(self.class_correct),
            "class_total": list(self.class_total),
            "epochs": self.epochs,
            "test_accuracy": self.test_accuracy,
            "calibration_error": self.calibration_error,
        }


def store_final(
    studies: LinkedStudies,
    trained: TrainedNetwork,
    report: Report,
    *,
    settings: FinalSettings,
    train_accuracy: float,
    seconds: float,
    device: str,
    threads: int,
) -> FinalRecord:
    """Upload a network and its test to the micro study, then write its record there.

    A crash in between leaves files that no record names, and no harm.

    Raises:
        SearchError: the files cannot be written.
    """
    from .evaluation._trained import packed

    readable = re.sub(r"[^\w.-]+", "-", studies.name)
    name = f"{readable}-seed{trained.seed}"
    record = FinalRecord(
        seed=trained.seed,
        settings=settings,
        train_accuracy=train_accuracy,
        test_correct=report.correct,
        n_test=report.total,
        class_correct=report.class_correct,
        class_total=report.class_total,
        bins=report.bins,
        seconds=round(seconds, 3),
        device=device,
        threads=threads,
        artifact_id=upload(studies, f"{name}.egnas", packed(trained)),
        file_name=f"{name}.egnas",
        report_id=upload(studies, f"{name}.json", json.dumps(report.to_json()).encode()),
        stored=datetime.now(timezone.utc).isoformat(),
    )
    key = f"{FINAL}{settings.digest()}:{trained.seed}"
    write_attribute(studies.micro, key, record.to_json())
    return record


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Final trainings that have begun: their settings, how many seeds at most, and when last."""

    settings: FinalSettings
    seeds: int
    at: str


def write_begun(studies: LinkedStudies, settings: FinalSettings, seeds: int) -> None:
    """Write that trainings begin, or go on: only so are their checkpoints ever found again."""
    before = [each.seeds for each in all_begun(studies) if each.settings == settings]
    record = {
        "settings": settings.to_json(),
        "seeds": max([seeds, *before]),
        "at": datetime.now(timezone.utc).isoformat(),
    }
    write_attribute(studies.micro, f"{BEGUN}{settings.digest()}", record)


def all_begun(studies: LinkedStudies) -> tuple[Begun, ...]:
    """All final trainings of a search that have ever begun, the latest last."""
    found = [
        Begun(**{**value, "settings": FinalSettings.from_json(value["settings"])})
        for key, value in study_attributes(studies.micro).items()
        if key.startswith(BEGUN)
    ]
    return tuple(sorted(found, key=lambda begun: begun.at))


def all_finals(studies: LinkedStudies) -> tuple[FinalRecord, ...]:
    """All final trainings of a search that have ended, the oldest first."""
    attributes = study_attributes(studies.micro)
    found = [
        FinalRecord.from_json(value) for key, value in attributes.items() if key.startswith(FINAL)
    ]
    return tuple(sorted(found, key=lambda record: record.stored))


def finals(
    studies: LinkedStudies, settings: FinalSettings | None = None
) -> tuple[FinalRecord, ...]:
    """The final trainings that have ended with these settings, by their seeds.

    `settings`: default: those of the one that has ended last.
    """
    found = all_finals(studies)
    if settings is None and found:
        settings = found[-1].settings
    chosen = [record for record in found if record.settings == settings]
    return tuple(sorted(chosen, key=lambda record: record.seed))


def load_final(studies: LinkedStudies, seed: int | None = None) -> TrainedNetwork:
    """The network of a final training, from where the search keeps its artifacts.

    `seed`: default: the lowest one that there is, not the best on the test images: to choose by
    them would be a selection, whose figures are no longer those of a test.

    Raises:
        SearchError: there is no such training yet, its file is not there, or it is damaged.
    """
    from .evaluation._trained import unpacked

    record = _chosen(studies, seed)
    content = _content(studies, record.artifact_id, record.file_name)
    return unpacked(content, record.file_name)


def load_report(studies: LinkedStudies, seed: int | None = None) -> Report:
    """The test of a final training, with its confusion matrix; see `load_final`."""
    return read_report(studies, _chosen(studies, seed))


def read_report(studies: LinkedStudies, record: FinalRecord) -> Report:
    """The test that a record stands for, with its confusion matrix."""
    content = _content(studies, record.report_id, "The report of a final training")
    return Report.from_json(json.loads(content))


def accuracy_words(records: Sequence[FinalRecord]) -> str:
    """The test accuracy of final trainings: its mean, and its spread over several seeds."""
    accuracies = [100 * record.test_accuracy for record in records]
    if len(accuracies) == 1:
        return f"{accuracies[0]:.2f} %"
    return f"{mean(accuracies):.2f} +- {stdev(accuracies):.2f} % ({len(accuracies)} seeds)"


def place_of_artifacts(studies: LinkedStudies) -> str:
    """Where a search keeps its artifacts."""
    return full_place(read_places(studies.macro).get("artifacts", DEFAULT_PLACE))


def _chosen(studies: LinkedStudies, seed: int | None) -> FinalRecord:
    found = finals(studies)
    if not found:
        raise SearchError(
            f"The search {studies.name!r} has no trained network yet: run "
            f"`egnas train {studies.name}` first."
        )
    if seed is None:
        return found[0]
    chosen = next((record for record in found if record.seed == seed), None)
    if chosen is None:
        there = ", ".join(str(record.seed) for record in found)
        raise SearchError(
            f"`seed` must be that of a final training of {studies.name!r} (there are: {there}), "
            f"but got seed={seed}. `egnas train {studies.name} --seeds {seed + 1}` trains it."
        )
    return chosen


def upload(studies: LinkedStudies, file_name: str, content: bytes) -> str:
    """Upload a file to the micro study; returns the artifact's id.

    Raises:
        SearchError: it cannot be written where the search keeps its artifacts.
    """
    return upload_file(studies.micro, place_of_artifacts(studies), file_name, content)


def _content(studies: LinkedStudies, artifact_id: str, file_name: str) -> bytes:
    place = place_of_artifacts(studies)
    try:
        with open_artifacts(place).open_reader(artifact_id) as file:
            return file.read()
    except SearchError:
        raise
    # As above.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SearchError(
            f"{file_name} must be in {place}, where the search keeps its artifacts, "
            f"but cannot be read there ({artifact_id}): {reason}"
        ) from None
