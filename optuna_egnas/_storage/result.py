"""What a search has found, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._core.comparison import Comparison
from .._core.network import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a search has found, or its best so far.

    Args:
        name: the search's name.
        method: its method.
        finished: whether all of its studies have ended.
        architecture: the network; None while nothing has been trained.
        params: its parameters.
        macs: its multiply-accumulates per image.
        valid_accuracy: fraction; of the last training where there is one, else of the walk.
        candidates: trainings on the path of all walks, the last one of all not counted.
        epochs: their epochs.
        seconds: training time over all runs and workers.
        studies: the names of its studies by role.
        rivals: the network after its last final training beside its rivals; None where there are
            none.
    """

    name: str
    method: str
    finished: bool
    architecture: Network | None
    params: int | None
    macs: int | None
    valid_accuracy: float | None
    candidates: int
    epochs: int
    seconds: float
    studies: Mapping[str, str]
    rivals: Comparison | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values under the same names."""
        return {
            "name": self.name,
            "method": self.method,
            "finished": self.finished,
            "architecture": self.architecture.to_json() if self.architecture else None,
            "params": self.params,
            "macs": self.macs,
            "valid_accuracy": self.valid_accuracy,
            "candidates": self.candidates,
            "epochs": self.epochs,
            "seconds": round(self.seconds, 3),
            "studies": dict(self.studies),
            "rivals": self.rivals.to_json() if self.rivals else None,
        }
