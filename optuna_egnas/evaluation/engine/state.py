"""The state of a training between two epochs: all that its next epochs depend on."""

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
        ema: an average of the weights, and of the batch norms' statistics, keeps so much of
            itself at each step; less in the first steps, of which it is the plain mean. At least
            0, below 1; 0: there is none. The training itself does not depend on it.
    """

    start: Mapping[str, Any] | None = None
    ema: float = 0.0
    epoch: int = 0
    _steps: int = field(default=0, init=False)
    _averages: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict, init=False)
    _network: nn.Module | None = field(default=None, init=False)
    _optimizer: Optimizer | None = field(default=None, init=False)
    _generator: Generator | None = field(default=None, init=False)

    def attach(self, network: nn.Module, optimizer: Optimizer, generator: Generator) -> None:
        """Take hold of a training's parts, and set them to `start` where there is one."""
        self._network, self._optimizer, self._generator = network, optimizer, generator
        if self.start is not None:
            network.load_state_dict(self.start["weights"])
            optimizer.load_state_dict(dict(self.start["optimizer"]))
            generator.set_state(self.start["generator"])
            self.epoch = int(self.start["epoch"])
        if self.ema:
            begin = self.start or {"average": network.state_dict(), "steps": 0}
            self._steps = int(begin["steps"])
            self._averages = {
                name: (value, begin["average"][name].to(value, copy=True))
                for name, value in network.state_dict().items()
                if value.is_floating_point()
            }

    @torch.no_grad()
    def average(self) -> None:
        """Take the weights after a step into their average, if there is to be one."""
        self._steps += 1
        share = max(1 - self.ema, 1 / self._steps)
        for value, average in self._averages.values():
            average.lerp_(value, share)

    def snapshot(self) -> dict[str, Any]:
        """A copy on the CPU, of plain values and tensors; to be taken between two epochs."""
        assert self._network is not None
        assert self._optimizer is not None and self._generator is not None
        snapshot = {
            "epoch": self.epoch,
            "weights": copied(dict(self._network.state_dict())),
            "optimizer": copied(self._optimizer.state_dict()),
            "generator": self._generator.get_state(),
        }
        if self.ema:
            averages = {name: average for name, (_, average) in self._averages.items()}
            snapshot["average"] = {**snapshot["weights"], **copied(averages)}
            snapshot["steps"] = self._steps
        return snapshot


def copied(value: Any) -> Any:
    """Plain values with their tensors copied to the CPU."""
    if isinstance(value, Tensor):
        # Not a view of the training's own memory, which the next epoch writes to.
        return value.detach().to("cpu", copy=True, memory_format=torch.preserve_format)
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [copied(item) for item in value]
    return value
