"""What the final trainings of a search have given, over all of their seeds."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from ..._core.comparison import Comparison
from ..._core.report import Report, pooled
from ..._storage.final_records import FinalRecord, FinalSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalResult:
    """The final trainings with the same settings, and their tests.

    Args:
        name: the search's name.
        settings: how all of them were trained.
        network: the network in a few words.
        params: parameters of the network.
        macs: its multiply-accumulates per image.
        records: the trainings, by their seeds; at least one.
        reports: the test of each.
        earlier: trainings of this search with other settings, whose tests were read before: who
            has looked at them to choose these settings has selected by the test images.
        earlier_networks: how many of these are trainings of other networks of the search.
        artifacts: where the files are.
        rivals: the network found beside its rivals, by the first seed; None where there are none.

    Examples:
        Goes on from the example of `train`.

        >>> len(result.records), result.spread is None
        (1, True)
        >>> 0 <= result.test_accuracy <= 1
        True
    """

    name: str
    settings: FinalSettings
    network: str
    params: int
    macs: int
    records: tuple[FinalRecord, ...]
    reports: tuple[Report, ...]
    earlier: int
    artifacts: str
    earlier_networks: int = 0
    rivals: Comparison | None = None

    @property
    def test_accuracy(self) -> float:
        """Mean fraction of right answers on the test images, over the seeds."""
        return mean(record.test_accuracy for record in self.records)

    @property
    def spread(self) -> float | None:
        """Standard deviation of that fraction over the seeds (n - 1); None for one seed."""
        if len(self.records) < 2:
            return None
        return stdev(record.test_accuracy for record in self.records)

    @property
    def calibration_error(self) -> float:
        """Mean expected calibration error over the seeds, 0 to 1."""
        return mean(record.calibration_error for record in self.records)

    @property
    def report(self) -> Report:
        """The tests of all seeds together: each image counts once per seed."""
        return pooled(self.reports)

    def to_json(self) -> dict[str, Any]:
        """Plain values; `confusion` and `bins` are those of all seeds together."""
        together = self.report
        pairs = zip(together.class_correct, together.class_total, strict=True)
        trainings = zip(self.records, self.reports, strict=True)
        return {
            "name": self.name,
            "architecture": self.settings.architecture.to_json(),
            "params": self.params,
            "macs": self.macs,
            "epochs": self.settings.epochs,
            "n_train": self.settings.n_train,
            "recipe": dict(self.settings.recipe),
            "ema": self.settings.ema,
            "seeds": [record.seed for record in self.records],
            "n_test": self.records[0].n_test,
            "test_accuracy": self.test_accuracy,
            "test_accuracy_std": self.spread,
            "calibration_error": self.calibration_error,
            "class_names": list(together.class_names),
            "class_accuracy": [right / total if total else None for right, total in pairs],
            "confusion": [list(row) for row in together.confusion],
            "bins": [each.to_json() for each in together.bins],
            "trainings": [
                {**record.to_json(), "confusion": [list(row) for row in report.confusion]}
                for record, report in trainings
            ],
            "earlier_tests": self.earlier,
            "earlier_networks": self.earlier_networks,
            "rivals": self.rivals.to_json() if self.rivals else None,
            "artifacts": self.artifacts,
        }
