"""Holds weights from a file against the network that they are said to be of.

Nothing is built before the file is known to have a value for each parameter and a tensor for each
part: a few bytes can name a network of any size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .._core.architecture import Architecture
from .._core.cost import Shape, count_params
from .._core.text import short
from ._network import ChainNetwork

TENSORS_OF_NORM = 5
"""Weight, bias, mean, variance and a count: each layer has a norm, and so has the stem."""


def check_weights(weights: Any, architecture: Architecture, shape: Shape, classes: int) -> None:
    """Refuse weights that are not those of this network, name by name, or not finite.

    Raises:
        ValueError: they are not; it says which.
    """
    _check_count(weights, architecture, shape, classes)
    expected = _expected(architecture, shape, classes)
    for name in [*expected, *weights]:
        if name not in weights or name not in expected:
            verb = "must" if name in expected else "must not"
            raise ValueError(f"`weights` {verb} have {short(name)}.")
        right, found = (_kind(each[name]) for each in (expected, weights))
        if right != found:
            raise ValueError(f"{short(name)} must be {right}, but is {found}.")
        if not weights[name].isfinite().all():
            raise ValueError(f"{short(name)} must hold finite numbers, but does not.")


def _check_count(weights: Any, architecture: Architecture, shape: Shape, classes: int) -> None:
    if not isinstance(weights, dict):
        raise ValueError(f"`weights` must be a state dict, but are {short(weights)}.")
    for name, found in weights.items():
        if not isinstance(found, Tensor):
            raise ValueError(f"{short(name)} must be a tensor, but is {short(found)}.")
    there, tensors = sum(each.numel() for each in weights.values()), len(weights)
    params = count_params(architecture, shape, classes)
    needed = TENSORS_OF_NORM * (architecture.depth + 1)
    if params > there or needed > tensors:
        raise ValueError(
            f"`weights` must be {short(params)} parameters and at least {needed:,} tensors for "
            f"this network, but are {there:,} values in {tensors:,} tensors."
        )


def _expected(architecture: Architecture, shape: Shape, classes: int) -> dict[str, Tensor]:
    """A state dict of this network, without values."""
    try:
        with torch.device("meta"):
            return ChainNetwork(architecture, input_shape=shape, classes=classes).state_dict()
    # An operation from outside may raise anything.
    except Exception as error:
        raise ValueError(f"its network cannot be built: {short(str(error))}.") from None


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {short([*tensor.shape])}"
