"""Training of one network, epoch by epoch: the one loop, which knows no trial.

The data set lies on the device as one uint8 tensor and is augmented there, a batch at a time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn

from ..._core.epoch import EpochRecord
from ..._core.schedule import rate_of
from ...errors import DataError, EgnasError, InvalidSpace
from .augmentation import (
    ChannelStatistics,
    channel_statistics,
    draw_epoch,
    memory_format,
    normalised,
)
from .optimizer import optimizer_of
from .state import TrainingState
from .step import TrainingStep, autocast

if TYPE_CHECKING:
    from ..._core.recipe import Recipe
    from ..data.labelled import LabelledImages

VALIDATION_BATCH = 256


class NonFiniteLoss(EgnasError):
    """The training loss became NaN or infinite: the same seed would only repeat it."""


def train(  # noqa: PLR0913 - public; all but three by name
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

    Begins from `state`, and keeps it up to date: after each record the caller may take
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
    optimizer = optimizer_of(network, recipe)
    n_train = _without_single(len(labels), recipe.batch_size)
    steps = math.ceil(n_train / recipe.batch_size)
    # On the CPU, whatever the device: all devices then see the same images in the same order.
    generator = Generator().manual_seed(seed)
    state = state or TrainingState()
    state.attach(network, optimizer, generator)
    learning = TrainingStep(
        network=network,
        optimizer=optimizer,
        images=images,
        labels=labels,
        statistics=statistics,
        recipe=recipe,
        micro_batch=micro_batch,
    )
    for epoch in range(state.epoch + 1, epochs + 1):
        started = time.perf_counter()
        network.train()
        learning.begin_epoch()
        draws = draw_epoch(images.shape, recipe, generator)[:n_train].to(device)
        first_step = (epoch - 1) * steps
        for step, batch in enumerate(torch.split(draws, recipe.batch_size), start=first_step):
            learning.take(batch, step, rate_of(recipe, step, epochs * steps))
            state.average()
        train_loss = learning.loss_sum.item() / n_train
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
            train_correct=int(learning.correct.item()),
            n_train=n_train,
            valid_correct=valid_correct,
            n_valid=len(held_out[1]) if held_out else 0,
            learning_rate=rate_of(recipe, epoch * steps, epochs * steps),
            seconds=time.perf_counter() - started,
            micro_batch=micro_batch,
        )


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


def _without_single(count: int, batch_size: int) -> int:
    """Images in an epoch: a last batch of one, without variance to normalise by, drops out."""
    return count - (count % batch_size == 1)
