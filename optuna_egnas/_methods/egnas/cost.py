"""Parameters and multiply-accumulates of a network in closed form, so that limits need no torch.

Both equal what torch counts (tests compare random architectures). Multiply-accumulates are those
of convolutions and of the linear layer, for one image; normalisation and pooling are left out, as
is the custom of the field.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ..._core.network import Shape
from .architecture import Architecture
from .operations import operation


@lru_cache(maxsize=65536)
def count_params(architecture: Architecture, input_shape: Shape, classes: int) -> int:
    """Trainable parameters of the network, batch norm and head included."""
    stem = 2 * architecture.width
    layers = architecture.layers()
    total = input_shape[0] * stem * 9 + 2 * stem
    for layer in layers:
        weights = operation(layer.op).weights(layer.inputs, layer.outputs, layer.kernel)
        total += weights + 2 * layer.outputs
    return total + (layers[-1].outputs + 1) * classes


@lru_cache(maxsize=65536)
def count_macs(architecture: Architecture, input_shape: Shape, classes: int) -> int:
    """Multiply-accumulates of one forward pass over one image of `input_shape`."""
    channels, height, width = input_shape
    layers = architecture.layers()
    total = height * width * channels * 2 * architecture.width * 9
    for layer in layers:
        height, width = (height - 1) // layer.stride + 1, (width - 1) // layer.stride + 1
        weights = operation(layer.op).weights(layer.inputs, layer.outputs, layer.kernel)
        total += weights * height * width
    return total + layers[-1].outputs * classes


def count_traffic(architecture: Architecture, input_shape: Shape) -> int:
    """Values that the layers of one forward pass over one image read and write."""
    _, height, width = input_shape
    total = height * width * 2 * architecture.width
    for layer in architecture.layers():
        total += layer.inputs * height * width
        height, width = (height - 1) // layer.stride + 1, (width - 1) // layer.stride + 1
        total += layer.outputs * height * width
    return total


def widest(
    build: Callable[[int], Architecture],
    fits: Callable[[Architecture], bool],
    *,
    at_most: int,
    at_least: int = 1,
) -> Architecture | None:
    """The widest `build(width)` that fits, down from `at_most`; None if none does.

    Parameters and multiply-accumulates grow with the width, so the search halves the range; but
    first it tries the widest, which most often fits.
    """
    if at_most < at_least:
        return None
    if fits(top := build(at_most)):
        return top
    if not fits(build(at_least)):
        return None
    low, high = at_least, at_most - 1
    while low < high:
        middle = (low + high + 1) // 2
        if fits(build(middle)):
            low = middle
        else:
            high = middle - 1
    return build(low)
