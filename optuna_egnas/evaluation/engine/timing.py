"""Times a few networks of a space on this device, by a few batches of each."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from itertools import islice

import torch

from ..._core.method import method
from ..._core.network import Network
from ..._core.pace import Pace, fitted
from ..._core.problem import Space
from ..._core.recipe import Recipe
from ..data.labelled import LabelledImages
from .loop import train

BATCHES = 2
ROUNDS, ENOUGH = 9, 0.1
"""Most timed rounds, after one to warm up, and the seconds after which no round begins."""
LONG = 0.5
"""Seconds of a round beside which its warming up is nothing: it is the only one then."""


def timed_pace(
    space: Space,
    networks: Sequence[Network],
    training: LabelledImages,
    validation: LabelledImages,
    *,
    recipe: Recipe,
    device: torch.device,
) -> Pace:
    """Train these networks on a few batches each, and draw a line through their times.

    Nothing is kept of them. The images are on the device. Takes seconds, in proportion to the
    size of the networks that the search begins with.
    """
    timed = [
        (network, _epoch_seconds(space, network, training, validation, recipe, device))
        for network in networks
    ]
    return fitted(space, timed)


def _epoch_seconds(
    space: Space,
    network: Network,
    training: LabelledImages,
    validation: LabelledImages,
    recipe: Recipe,
    device: torch.device,
) -> float:
    """Seconds of a whole epoch, from a part of it: training and validation in proportion."""
    images = min(BATCHES * recipe.batch_size, len(training.labels))
    share = images / len(training.labels)
    records = train(
        method(space.method).build(
            network,
            input_shape=space.input_shape,
            classes=space.classes,
            generator=torch.Generator().manual_seed(0),
        ),
        _first(training, images),
        _first(validation, max(1, round(share * len(validation.labels)))),
        epochs=ROUNDS + 1,
        recipe=recipe,
        seed=0,
        device=device,
    )
    first = next(records).seconds
    if first >= LONG:
        return first / share
    return statistics.median(_enough(record.seconds for record in records)) / share


def _enough(times: Iterator[float]) -> Iterator[float]:
    spent = 0.0
    for seconds in islice(times, ROUNDS):
        yield seconds
        spent += seconds
        if spent >= ENOUGH:
            return


def _first(images: LabelledImages, count: int) -> LabelledImages:
    return LabelledImages(images=images.images[:count], labels=images.labels[:count])
