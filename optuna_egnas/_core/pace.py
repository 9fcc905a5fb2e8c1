"""How long a training takes, by the size of its network: a line through a few timed ones.

Seconds of one epoch = a + b * layers + c * traffic + d * multiply-accumulates, with none of them
negative: each layer costs something whatever its size (small networks), then what it reads and
writes (depthwise convolutions), then its arithmetic (full convolutions, many channels).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .history import Candidate
from .network import Network
from .problem import Space

BESIDE = 0.1
"""Seconds of a training that are spent on neither epochs nor writing: making its network, asking
for it, looking at what others do."""
WRITES = 18
"""What a trial writes beside its parameters and its epochs: claims, attributes, its state."""
SHORTEST = 1e-9
"""Seconds; no epoch is shorter."""
A_WRITE = 0.01
"""Seconds of a write where nothing is known of the storage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds of trainings on one device.

    Args:
        per_epoch, per_layer, per_value, per_mac: the line; see the module.
        per_write: of writing once to the storage.
        misfit: how far the timed networks are from the line, as a share (root mean square).
    """

    per_epoch: float
    per_layer: float = 0.0
    per_value: float = 0.0
    per_mac: float = 0.0
    per_write: float = A_WRITE
    misfit: float = 0.0

    def epoch(self, space: Space, network: Network) -> float:
        """Seconds of one epoch of a network."""
        weights = (self.per_epoch, self.per_layer, self.per_value, self.per_mac)
        sizes = _sizes(space, network)
        return sum(weight * size for weight, size in zip(weights, sizes, strict=True))

    def training(self, space: Space, candidate: Candidate, *, parameters: int) -> float:
        """Seconds of a candidate from its start to its end, with so many trial parameters."""
        epochs = candidate.epochs or 0
        writes = (WRITES + parameters + epochs) * self.per_write
        return epochs * self.epoch(space, candidate.architecture) + writes + BESIDE

    def to_json(self) -> dict[str, float]:
        """Plain values under the field names."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Pace:
        """Read what `to_json` wrote."""
        return cls(**record)


def fitted(space: Space, timed: Sequence[tuple[Network, float]]) -> Pace:
    """The pace from networks with the seconds of one epoch of each; relative errors count."""
    # A coarse clock may say that a short epoch took no time.
    seconds = np.maximum([taken for _, taken in timed], SHORTEST)
    sizes = np.array([_sizes(space, network) for network, _ in timed], dtype=float)
    relative = sizes / seconds[:, None]
    scale = relative.max(axis=0)
    # A method may not know a size: it is 0 for all of its networks.
    kept = [column for column in range(relative.shape[1]) if scale[column] > 0]
    while True:
        found = np.linalg.lstsq(relative[:, kept] / scale[kept], np.ones(len(timed)), rcond=None)
        weights = found[0] / scale[kept]
        if weights.min() >= 0 or len(kept) == 1:
            break
        # The most negative one explains nothing: a line without it.
        kept.pop(int(np.argmin(found[0])))
    line = np.zeros(relative.shape[1])
    line[kept] = np.abs(weights)
    misfit = float(np.sqrt(np.mean((relative @ line - 1) ** 2)))
    names = ("per_epoch", "per_layer", "per_value", "per_mac")
    return Pace(**dict(zip(names, line.tolist(), strict=True)), misfit=misfit)


def _sizes(space: Space, network: Network) -> tuple[int, int, int, int]:
    return 1, space.layers(network), space.traffic(network), space.macs(network)
