"""What is stored of a final training: its settings, its record, and how far its test is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._core.method import Method
from .._core.network import Network
from .._core.report import Bin, bins_from_json, calibration_error
from .._core.rules import (
    UNREADABLE,
    all_of,
    count,
    few,
    fields,
    file_name,
    list_of,
    moment,
    number,
    optional,
    positive,
    seconds,
    text,
    whole,
)
from .._core.text import short
from ..errors import InvalidSpace, SearchError


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

    architecture: Network
    epochs: int
    recipe: Mapping[str, Any]
    n_train: int
    ema: float = 0.0

    @classmethod
    def from_json(cls, record: Mapping[str, Any], method: Method) -> FinalSettings:
        """Read what `to_json` wrote.

        Raises:
            SearchError: the method does not know the network.
        """
        try:
            network = method.network_from_json(record["architecture"])
            hash(network)
        except (InvalidSpace, *UNREADABLE):
            raise SearchError(
                "A final training must be of a network of this version, but is of "
                f"{short(record['architecture'])}: a newer version, another program or a hand has "
                "written it."
            ) from None
        return cls(**{**record, "architecture": network})

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
        test_reads: how often the test images were read for it: more than once only where a
            training was cut off between its test and its record.
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
    test_reads: int = 1

    @classmethod
    def from_json(cls, record: Mapping[str, Any], method: Method) -> FinalRecord:
        """Read what `to_json` wrote, where `FINAL_RULE` finds it right."""
        values = dict(record)
        for derived in ("epochs", "test_accuracy", "calibration_error"):
            del values[derived]
        values["settings"] = FinalSettings.from_json(values["settings"], method)
        values["bins"] = bins_from_json(values["bins"])
        for key in ("class_correct", "class_total"):
            values[key] = tuple(values[key])
        return cls(**values)

    @property
    def epochs(self) -> int:
        """Epochs of its training."""
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
        # Older versions read the record too, and do not know this field.
        if self.test_reads == 1:
            del values["test_reads"]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunTest:
    """That the test of a final training has begun, and who has begun it.

    It is written before the test images are read. `reads`: how often they were, this time
    counted; `report_id`: of the file with the result, None until there is one.
    """

    at: str
    host: str
    pid: int
    reads: int
    report_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Final trainings that have begun: their settings, how many seeds at most, and when last."""

    settings: FinalSettings
    seeds: int
    at: str


def _sums_up(found: Any) -> str | None:
    """Whether the numbers of a test fit each other."""
    whole_test = sum(each["count"] for each in found["bins"]) == found["n_test"]
    classes = len(found["class_correct"]) == len(found["class_total"])
    good = whole_test and classes and found["test_correct"] <= found["n_test"]
    return None if good else "a test whose parts add up"


SETTINGS_RULE = fields(
    {
        "architecture": fields({}),
        "epochs": positive,
        "recipe": fields({}),
        "n_train": positive,
        "ema": optional(number),
    },
    others=False,
)
FINAL_RULE = all_of(
    fields(
        {
            "seed": count,
            "settings": SETTINGS_RULE,
            "train_accuracy": number,
            "test_correct": count,
            "n_test": positive,
            "class_correct": list_of(count),
            "class_total": list_of(count),
            "bins": list_of(
                fields({"count": count, "correct": count, "confidence": number}, others=False)
            ),
            "seconds": seconds,
            "device": text,
            "threads": positive,
            "artifact_id": file_name,
            "file_name": file_name,
            "report_id": file_name,
            "stored": moment,
            "epochs": positive,
            "test_accuracy": number,
            "calibration_error": number,
            "test_reads": optional(positive),
        },
        others=False,
    ),
    _sums_up,
)
BEGUN_RULE = fields({"settings": SETTINGS_RULE, "seeds": few, "at": moment}, others=False)
TEST_RULE = fields(
    {
        "at": moment,
        "host": text,
        "pid": whole,
        "reads": positive,
        "report_id": optional(file_name),
    },
    others=False,
)
