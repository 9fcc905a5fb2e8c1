"""The test of a trained network, on images that neither its search nor its training has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..._core.report import Bin, Report
from ..engine.augmentation import ChannelStatistics, memory_format, normalised

if TYPE_CHECKING:
    from ..data.labelled import LabelledImages
    from .network_file import TrainedNetwork


BINS = 15
BATCH = 256


def examine(
    trained: TrainedNetwork, test: LabelledImages, *, device: torch.device | str = "cpu"
) -> Report:
    """What the network, as its file holds it, answers to these images; always in fp32.

    Not in the precision of its training: what is reported is what a user of the file gets.
    """
    device = torch.device(device)
    network = trained.network().to(device)
    answers, confidences = answers_of(network, test.images, trained.statistics, device)
    classes = len(trained.class_names)
    cells = torch.bincount(test.labels * classes + answers, minlength=classes**2)
    return Report(
        class_names=trained.class_names,
        confusion=tuple(tuple(row) for row in cells.reshape(classes, classes).tolist()),
        bins=_bins(confidences, answers == test.labels),
    )


@torch.inference_mode()
def answers_of(
    network: nn.Module, images: Tensor, statistics: ChannelStatistics, device: torch.device
) -> tuple[Tensor, Tensor]:
    """The class of highest probability, int64 [N], and that probability, float64 [N].

    Args:
        network: in evaluation mode, on the device.
        images: uint8 [N, C, H, W], on any device.
        statistics: those of the images that it was trained on.
        device: where to calculate; what is returned is on the CPU.
    """
    network.to(memory_format=memory_format(device))
    there = ChannelStatistics(*(values.to(device) for values in statistics))
    answers, confidences = [], []
    for batch in torch.split(images, BATCH):
        logits = network(normalised(batch.to(device), there)).cpu().double()
        confidence, answer = logits.softmax(1).max(1)
        answers.append(answer)
        confidences.append(confidence)
    return torch.cat(answers), torch.cat(confidences)


def _bins(confidences: Tensor, right: Tensor) -> tuple[Bin, ...]:
    """Equal intervals, each without its lower bound and with its upper one."""
    places = (confidences * BINS).ceil().long().clamp(1, BINS) - 1
    counts = torch.bincount(places, minlength=BINS)
    correct = torch.bincount(places[right], minlength=BINS)
    sums = torch.bincount(places, weights=confidences, minlength=BINS)
    means = (sums / counts.clamp(min=1)).tolist()
    rows = zip(counts.tolist(), correct.tolist(), means, strict=True)
    return tuple(Bin(count=n, correct=k, confidence=mean) for n, k, mean in rows)
