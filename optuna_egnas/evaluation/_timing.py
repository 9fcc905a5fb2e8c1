"""Times a few networks of a space on this device, by a few batches of each."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from itertools import islice

import torch

from .._core.architecture import Architecture
from .._core.macro import MacroSpace, widest_chain
from .._core.pace import Pace, fitted
from ._data import LabelledImages
from ._network import build
from ._training import Recipe, train

BATCHES = 2
ROUNDS, ENOUGH = 9, 0.1
"""So many rounds of a few batches are timed, after one to warm up; fewer after so many seconds."""
LONG = 0.5
"""Seconds of a round beside which its warming up is nothing: it is the only one then."""


def timed_pace(
    space: MacroSpace,
    training: LabelledImages,
    validation: LabelledImages,
    *,
    recipe: Recipe,
    device: torch.device,
) -> Pace:
    """Train networks of several sizes on a few batches each, and draw a line through their times.

    Nothing is kept of them. The images are on the device. Takes seconds, in proportion to the
    size of the networks that the search begins with.
    """
    timed = [
        (network, _epoch_seconds(space, network, training, validation, recipe, device))
        for network in sample(space)
    ]
    return fitted(space, timed)


def sample(space: MacroSpace) -> list[Architecture]:
    """Networks to be timed: shallow and deeper, narrow and wide, with each kind of layer."""
    first = widest_chain(space, space.min_depth)
    assert first is not None, "a space in which nothing fits is refused at birth"
    shallow, deeper = first.depth, min(space.max_depth, 2 * first.depth)
    middle = (first.width + space.min_width) // 2
    networks = (
        first,
        Architecture.chain(depth=deeper, width=middle),
        Architecture.chain(depth=shallow, width=space.min_width),
        Architecture.chain(depth=deeper, width=space.min_width),
        Architecture.chain(depth=shallow, width=space.min_width, op="conv"),
        Architecture.chain(depth=shallow, width=middle, kernel=5),
    )
    return list(dict.fromkeys(networks))


def _epoch_seconds(
    space: MacroSpace,
    network: Architecture,
    training: LabelledImages,
    validation: LabelledImages,
    recipe: Recipe,
    device: torch.device,
) -> float:
    """Seconds of a whole epoch, from a part of it: training and validation in proportion."""
    images = min(BATCHES * recipe.batch_size, len(training.labels))
    share = images / len(training.labels)
    records = train(
        build(
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
