"""One step of a training: the only place where a network learns.

It works on buffers that stay where they are: the images and labels, the draws of a batch, the sums
of what is counted. All whole batches have one shape, and nothing is read back from the device. A
last batch that is smaller has a shape of its own.

For a device to record the step of a whole batch once and repeat it, two numbers of Python are left
that change from step to step, and that a record would keep as they were:
- the rate: torch's SGD reads a rate that is a tensor back from the device;
- the momentum of batch norms, which torch takes as a number only. It is constant after ten
  steps, see `_average_from_first_step`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from ..._core.recipe import Precision, Recipe
from .augmentation import ChannelStatistics, augmented, drawn_for

NORM_MOMENTUM = 0.1


@dataclass(slots=True, kw_only=True, eq=False)
class TrainingStep:
    """What the steps of one training work on, all of it on one device.

    Args:
        network: in training mode.
        optimizer: of its parameters; its rate is set before each step.
        images: uint8 [N, C, H, W], to be augmented batch by batch.
        labels: int64 [N].
        statistics: by what images are normalised.
        recipe: how to train.
        micro_batch: most images in one pass; None: a whole batch.
    """

    network: nn.Module
    optimizer: Optimizer
    images: Tensor
    labels: Tensor
    statistics: ChannelStatistics
    recipe: Recipe
    micro_batch: int | None = None
    loss_sum: Tensor = field(init=False)
    correct: Tensor = field(init=False)
    _draws: Tensor = field(init=False)
    _norms: list[nn.BatchNorm2d] = field(init=False)

    def __post_init__(self) -> None:
        self.loss_sum = torch.zeros((), device=self.images.device)
        self.correct = torch.zeros((), dtype=torch.int64, device=self.images.device)
        shape = (min(self.recipe.batch_size, len(self.labels)), drawn_for(self.recipe))
        self._draws = torch.zeros(shape, dtype=torch.int64, device=self.images.device)
        modules = self.network.modules()
        self._norms = [module for module in modules if isinstance(module, nn.BatchNorm2d)]

    def begin_epoch(self) -> None:
        """Reset the sums of losses and of right answers to 0."""
        self.loss_sum.zero_()
        self.correct.zero_()

    def take(self, draws: Tensor, step: int, rate: float) -> None:
        """Step number `step` (from 0), at this rate, on rows of `draw_epoch`."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batch = self._draws[: len(draws)].copy_(draws)
        parts = _parts(batch, self.micro_batch)
        most = math.ceil(self.recipe.batch_size / (self.micro_batch or self.recipe.batch_size))
        self.optimizer.zero_grad()
        for index, part in enumerate(parts):
            _average_from_first_step(self._norms, step * most + index, most)
            self._accumulate(part, len(draws))
        clip_grad_norm_(self.network.parameters(), self.recipe.gradient_clip)
        self.optimizer.step()

    def _accumulate(self, draws: Tensor, batch: int) -> None:
        """Add the gradients of a part of a batch of so many images, and what is counted."""
        targets = self.labels[draws[:, 0]]
        inputs = augmented(self.images, draws, self.recipe, self.statistics)
        with autocast(self.images.device, self.recipe.precision):
            logits = self.network(inputs).float()
        loss = cross_entropy(logits, targets, label_smoothing=self.recipe.label_smoothing)
        loss *= len(draws) / batch
        loss.backward()  # type: ignore[no-untyped-call]
        # Read once an epoch: a read in each step would stall an accelerator.
        self.loss_sum += loss.detach() * batch
        self.correct += (logits.argmax(1) == targets).sum()


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """The context in which a network calculates; fp32 leaves everything as it is."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def _parts(batch: Tensor, micro_batch: int | None) -> tuple[Tensor, ...]:
    """A batch in parts of like size, none of a single image where `micro_batch` is at least 3."""
    if micro_batch is None:
        return (batch,)
    return torch.tensor_split(batch, math.ceil(len(batch) / micro_batch))


def _average_from_first_step(norms: list[nn.BatchNorm2d], update: int, parts: int) -> None:
    """Set the weight of update `update` (from 0) in the running statistics of batch norms.

    They are the mean over all updates at first, and torch's moving average later. There are
    `parts` updates in a step.
    """
    # A running variance starts at 1, 30 times that of a layer on digits, and the moving average
    # alone leaves that a weight of 0.9 ** steps; over layers the error multiplies. After two
    # epochs (36 steps), 12 layers that got 80 % right in training were validated at 10 %.
    # In long trainings it makes no difference.
    for norm in norms:
        norm.momentum = max(NORM_MOMENTUM / parts, 1 / (update + 1))
