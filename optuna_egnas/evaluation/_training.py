"""Training of one network: a recipe, its augmentation, and the one loop, which knows no trial.

The data set lies on the device as one uint8 tensor and is augmented there, a batch at a time.
The recipe is that of arXiv 2502.03553, except that the rate falls to zero at the end of the last
epoch instead of before it: every epoch learns.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from .._core.cost import Shape
from .._core.text import short
from ..errors import DataError, EgnasError, InvalidSpace
from ._augmentation import (
    ChannelStatistics,
    augmented,
    channel_statistics,
    draw_epoch,
    memory_format,
    normalised,
)
from ._state import TrainingState

if TYPE_CHECKING:
    from ._data import LabelledImages

Precision = Literal["fp32", "bf16"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
FP32: Precision = "fp32"
NORM_MOMENTUM = 0.1
SMALLEST_CROPPED_SIDE = 16
VALIDATION_BATCH = 256


_BOUNDS: tuple[tuple[tuple[str, ...], str, Callable[[Any], bool]], ...] = (
    (("learning_rate", "gradient_clip"), "above 0, at most 1e30", lambda it: 0 < it <= 1e30),
    (("weight_decay",), "at least 0, at most 1e30", lambda it: 0 <= it <= 1e30),
    (("crop_padding", "cutout"), "at least 0, at most 65536", lambda it: 0 <= it <= 2**16),
    (("momentum", "warmup", "label_smoothing"), "at least 0 and below 1", lambda it: 0 <= it < 1),
    (("batch_size",), "at least 2, at most 1048576", lambda it: 2 <= it <= 2**20),
    (("precision",), "one of fp32, bf16", lambda it: it in PRECISIONS),
)
"""Of the fields of a recipe."""


class NonFiniteLoss(EgnasError):
    """The training loss became NaN or infinite: the same seed would only repeat it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is trained: SGD with a cosine schedule per step, and the augmentation.

    `for_images` gives the published augmentation; by default there is none.

    Args:
        learning_rate: the highest rate, above 0: that of the first step, but for `warmup`.
        warmup: in this share of the steps, the first ones, the rate rises in a straight line;
            at least 0, below 1.
        momentum: at least 0, below 1.
        weight_decay: at least 0, for all parameters alike.
        batch_size: at least 2. A last batch of one image is left out.
        gradient_clip: largest norm of all gradients together, above 0.
        crop_padding: pixels of zeros around an image before a random crop of its own size.
        cutout: side in pixels of a random square that is set to the mean; 0 for none. Its
            centre is in the image, its border may be cut off.
        flip: mirror half of the images left to right.
        label_smoothing: this share of each label is spread evenly over all classes; at least 0,
            below 1.
        precision: fp32, or bf16 for bfloat16 autocast in training and in validation.

    Raises:
        InvalidSpace: a value is out of its bounds.
    """

    learning_rate: float = 0.025
    warmup: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 3e-4
    batch_size: int = 64
    gradient_clip: float = 5.0
    crop_padding: int = 0
    cutout: int = 0
    flip: bool = False
    label_smoothing: float = 0.0
    precision: Precision = FP32

    def __post_init__(self) -> None:
        for names, bound, holds in _BOUNDS:
            for name in names:
                if not holds(getattr(self, name)):
                    value = getattr(self, name)
                    raise InvalidSpace(f"`{name}` must be {bound}, but got {name}={short(value)}.")

    @classmethod
    def for_images(cls, input_shape: Shape, *, flip: bool) -> Recipe:
        """The published recipe (padding 4, cutout 16 at 32 x 32), in proportion to the side.

        Images of a side below 16 pixels are neither cropped nor cut out.
        """
        side = min(input_shape[1:])
        # Digits, 8 x 8, at depth 12: a padding of 1 costs 27 points after 4 epochs, 2 after 12.
        if side < SMALLEST_CROPPED_SIDE:
            return cls(flip=flip)
        return cls(crop_padding=round(side / 8), cutout=round(side / 2), flip=flip)

    def for_few_epochs(self, n_train: int) -> Recipe:
        """The same for a short training: the rate rises high and falls, and no pixel is hidden.

        That is the one-cycle schedule of Smith and Topin (2017). Batches are of 32 images where
        an epoch has less than 100 steps of 64: too few, however the rate goes.
        """
        few = n_train < 100 * 64
        batch_size = min(self.batch_size, 32) if few else self.batch_size
        return replace(
            self,
            learning_rate=0.1,
            warmup=0.3,
            batch_size=batch_size,
            crop_padding=0,
            cutout=0,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, one per field; `warmup` and `label_smoothing` only where there are any."""
        fields = asdict(self)
        # As before there were any: they make no other search, and no other checkpoint.
        for name in ("warmup", "label_smoothing"):
            if not fields[name]:
                del fields[name]
        return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRecord:
    """What one epoch gave.

    `epoch` counts from 1. `train_loss` (mean, of smoothed labels where the recipe smooths them)
    and `train_correct` are those of the training passes themselves, over `n_train` augmented
    images. `n_valid` is 0 where nothing was validated. `learning_rate` is that at the epoch's
    end: 0 after the last one. `seconds` covers the epoch's training and validation.
    `micro_batch` is the most images in one pass where a batch had to be divided; else None.
    """

    epoch: int
    train_loss: float
    train_correct: int
    n_train: int
    valid_correct: int
    n_valid: int
    learning_rate: float
    seconds: float
    micro_batch: int | None = None

    @property
    def train_accuracy(self) -> float:
        """Fraction of right answers during training."""
        return self.train_correct / self.n_train

    @property
    def valid_accuracy(self) -> float:
        """Fraction of right answers on the validation images."""
        return self.valid_correct / self.n_valid


def train(
    network: nn.Module,
    training: LabelledImages,
    validation: LabelledImages | None,
    *,
    epochs: int,
    recipe: Recipe,
    seed: int,
    device: torch.device | str,
    state: TrainingState | None = None,
    micro_batch: int | None = None,
) -> Iterator[EpochRecord]:
    """Train a network, one record after each epoch; it then holds that epoch's weights.

    Without validation images the records say nothing of any.

    Begins where `state` stands, and keeps it up to date: after each record the caller may take
    its snapshot, from which another call goes on to the bit. With `micro_batch`, at least 3, a
    batch passes in parts of at most so many images and their gradients add up to the batch's;
    only batch norms see the difference, since they then normalise each part by itself.

    The network is moved to the device, the data sets are copied there unless they are there, and
    neither they nor the validation change anything. At each record the network is in evaluation
    mode. For one seed, machine, thread count and network the records (without seconds) and weights
    are equal to the bit, on CUDA where `torch.backends.cudnn.deterministic` is set; global
    generators are neither read nor moved.

    Raises (with the first record asked for, or at the end of an epoch):
        InvalidSpace: less than one epoch.
        DataError: less than two images to train on.
        NonFiniteLoss: the mean loss of an epoch is NaN or infinite.
    """
    if epochs < 1:
        raise InvalidSpace(f"`epochs` must be at least 1, but got epochs={epochs}.")
    if len(training.labels) < 2:
        raise DataError(f"Training needs at least 2 images, but got {len(training.labels)}.")
    device = torch.device(device)
    network.to(device).to(memory_format=memory_format(device))
    images, labels = training.images.to(device), training.labels.to(device)
    held_out = validation and (validation.images.to(device), validation.labels.to(device))
    statistics = channel_statistics(images)
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
    )
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    n_train = _without_single(len(labels), recipe.batch_size)
    steps = math.ceil(n_train / recipe.batch_size)
    # On the CPU, whatever the device: all devices then see the same images in the same order.
    generator = Generator().manual_seed(seed)
    state = state or TrainingState()
    state.attach(network, optimizer, generator)
    parts = math.ceil(recipe.batch_size / (micro_batch or recipe.batch_size))
    for epoch in range(state.epoch + 1, epochs + 1):
        started = time.perf_counter()
        network.train()
        draws = draw_epoch(images.shape, recipe, generator)[:n_train].to(device)
        loss_sum = torch.zeros((), device=device)
        correct = torch.zeros((), dtype=torch.int64, device=device)
        first_step = (epoch - 1) * steps
        for step, batch in enumerate(torch.split(draws, recipe.batch_size), start=first_step):
            rate = rate_of(recipe, step, epochs * steps)
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            for index, part in enumerate(_parts(batch, micro_batch)):
                _average_from_first_step(norms, step * parts + index, parts)
                targets = labels[part[:, 0]]
                inputs = augmented(images, part, recipe, statistics)
                with autocast(device, recipe.precision):
                    logits = network(inputs).float()
                loss = cross_entropy(logits, targets, label_smoothing=recipe.label_smoothing)
                loss *= len(part) / len(batch)
                loss.backward()  # type: ignore[no-untyped-call]
                # Read once an epoch: a read in each step would stall an accelerator.
                loss_sum += loss.detach() * len(batch)
                correct += (logits.argmax(1) == targets).sum()
            clip_grad_norm_(network.parameters(), recipe.gradient_clip)
            optimizer.step()
            state.average()
        train_loss = loss_sum.item() / n_train
        if not math.isfinite(train_loss):
            raise NonFiniteLoss(
                f"The loss must stay finite, but got {train_loss} in epoch {epoch}."
            )
        network.eval()
        with autocast(device, recipe.precision):
            valid_correct = count_correct(network, *held_out, statistics) if held_out else 0
        state.epoch = epoch
        yield EpochRecord(
            epoch=epoch,
            train_loss=train_loss,
            train_correct=int(correct.item()),
            n_train=n_train,
            valid_correct=valid_correct,
            n_valid=len(held_out[1]) if held_out else 0,
            learning_rate=rate_of(recipe, epoch * steps, epochs * steps),
            seconds=time.perf_counter() - started,
            micro_batch=micro_batch,
        )


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """The context in which a network calculates; fp32 leaves everything as it is."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def rate_of(recipe: Recipe, step: int, steps: int) -> float:
    """The rate of a step, counted from 0: up to the highest, then down half a cosine to 0."""
    rising = int(recipe.warmup * steps)
    if step < rising:
        return recipe.learning_rate * (step + 1) / (rising + 1)
    half_circle = math.pi * (step - rising) / (steps - rising)
    return recipe.learning_rate * (1 + math.cos(half_circle)) / 2


@torch.inference_mode()
def count_correct(
    network: nn.Module, images: Tensor, labels: Tensor, statistics: ChannelStatistics
) -> int:
    """Right answers of a network, left in evaluation mode, on uint8 images [N, C, H, W].

    All are on one device; the statistics are those of the images that it was trained on.
    """
    network.eval()
    correct = torch.zeros((), dtype=torch.int64, device=images.device)
    for first in range(0, len(labels), VALIDATION_BATCH):
        batch, targets = (part[first : first + VALIDATION_BATCH] for part in (images, labels))
        correct += (network(normalised(batch, statistics)).argmax(1) == targets).sum()
    return int(correct.item())


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


def _without_single(count: int, batch_size: int) -> int:
    """Images in an epoch: a last batch of one, without variance to normalise by, drops out."""
    return count - (count % batch_size == 1)
