"""Where a training stands between two epochs: all that its next epochs depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer


@dataclass(slots=True, kw_only=True, eq=False)
class TrainingState:
    """The state of one training, for `train` to begin with and to keep up to date.

    The rate and the batch norms' averaging follow from the epoch, so they are not part of it.

    Args:
        start: a snapshot to go on from; None: from the beginning.
    """

    start: Mapping[str, Any] | None = None
    epoch: int = 0
    _network: nn.Module | None = field(default=None, init=False)
    _optimizer: Optimizer | None = field(default=None, init=False)
    _generator: Generator | None = field(default=None, init=False)

    def attach(self, network: nn.Module, optimizer: Optimizer, generator: Generator) -> None:
        """Take hold of a training's parts, and set them to `start` where there is one."""
        self._network, self._optimizer, self._generator = network, optimizer, generator
        if self.start is None:
            return
        network.load_state_dict(self.start["weights"])
        optimizer.load_state_dict(dict(self.start["optimizer"]))
        generator.set_state(self.start["generator"])
        self.epoch = int(self.start["epoch"])

    def snapshot(self) -> dict[str, Any]:
        """A copy on the CPU, of plain values and tensors; to be taken between two epochs."""
        assert self._network is not None
        assert self._optimizer is not None and self._generator is not None
        return {
            "epoch": self.epoch,
            "weights": _copied(dict(self._network.state_dict())),
            "optimizer": _copied(self._optimizer.state_dict()),
            "generator": self._generator.get_state(),
        }


def _copied(value: Any) -> Any:
    """Plain values with their tensors copied to the CPU."""
    if isinstance(value, Tensor):
        # Not a view of the training's own memory, which the next epoch writes to.
        return value.detach().to("cpu", copy=True, memory_format=torch.preserve_format)
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copied(item) for item in value]
    return value
