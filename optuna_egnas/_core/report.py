"""What a test says of a trained network: its answers class by class, and how sure it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The test images whose confidence lies in one of the equal intervals of 0 to 1.

    The confidence is the probability that the network gives to its own answer.

    Args:
        count: so many images.
        correct: so many of them were answered right.
        confidence: the mean over them; 0 where there are none.
    """

    count: int
    correct: int
    confidence: float

    @property
    def gap(self) -> float:
        """Mean confidence minus accuracy; 0 for an empty bin."""
        return self.confidence - self.correct / self.count if self.count else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"count": self.count, "correct": self.correct, "confidence": self.confidence}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of one test of one network.

    Args:
        class_names: of all classes.
        confusion: images by class (row) and by the network's answer (column).
        bins: from the lowest confidence to the highest.
    """

    class_names: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    bins: tuple[Bin, ...]

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Report:
        """Read what `to_json` wrote."""
        return cls(
            class_names=tuple(record["class_names"]),
            confusion=tuple(tuple(row) for row in record["confusion"]),
            bins=bins_from_json(record["bins"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, those that follow from the others too."""
        return {
            "accuracy": self.accuracy,
            "correct": self.correct,
            "total": self.total,
            "calibration_error": self.calibration_error,
            "class_names": list(self.class_names),
            "class_correct": list(self.class_correct),
            "class_total": list(self.class_total),
            "confusion": [list(row) for row in self.confusion],
            "bins": [each.to_json() for each in self.bins],
        }

    @property
    def class_total(self) -> tuple[int, ...]:
        """Images of each class."""
        return tuple(sum(row) for row in self.confusion)

    @property
    def class_correct(self) -> tuple[int, ...]:
        """Right answers of each class."""
        return tuple(row[index] for index, row in enumerate(self.confusion))

    @property
    def total(self) -> int:
        """All images."""
        return sum(self.class_total)

    @property
    def correct(self) -> int:
        """All right answers."""
        return sum(self.class_correct)

    @property
    def accuracy(self) -> float:
        """Fraction of right answers."""
        return self.correct / self.total

    @property
    def calibration_error(self) -> float:
        """The expected calibration error; see `calibration_error`."""
        return calibration_error(self.bins)


def pooled(reports: Sequence[Report]) -> Report:
    """The tests of several networks together; each image counts once per network."""
    cells = zip(*(report.confusion for report in reports), strict=True)
    return Report(
        class_names=reports[0].class_names,
        confusion=tuple(tuple(map(sum, zip(*rows, strict=True))) for rows in cells),
        bins=tuple(map(_joined, zip(*(report.bins for report in reports), strict=True))),
    )


def _joined(bins: tuple[Bin, ...]) -> Bin:
    count = sum(each.count for each in bins)
    confidence = sum(each.count * each.confidence for each in bins) / count if count else 0.0
    return Bin(count=count, correct=sum(each.correct for each in bins), confidence=confidence)


def bins_from_json(records: list[dict[str, Any]]) -> tuple[Bin, ...]:
    """Read what `Bin.to_json` wrote of each."""
    return tuple(Bin(**record) for record in records)


def calibration_error(bins: tuple[Bin, ...]) -> float:
    """The mean distance of confidence and accuracy over all images, bin by bin, 0 to 1.

    The expected calibration error of arXiv 1706.04599.
    """
    total = sum(each.count for each in bins)
    return sum(each.count * abs(each.gap) for each in bins) / total
