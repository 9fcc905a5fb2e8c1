"""The optimizer of a training, as its recipe says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

if TYPE_CHECKING:
    from ..._core.recipe import Recipe

SECOND_BETA = 0.999


def optimizer_of(network: nn.Module, recipe: Recipe) -> Optimizer:
    """The optimizer of a network's parameters; all of its groups have the same rate."""
    groups = _groups(network, recipe)
    if recipe.optimizer == "adamw":
        return AdamW(
            groups,
            lr=recipe.learning_rate,
            betas=(recipe.momentum, SECOND_BETA),
            weight_decay=recipe.weight_decay,
        )
    return SGD(
        groups,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )


def _groups(network: nn.Module, recipe: Recipe) -> Iterable[Any]:
    parameters = [*network.parameters()]
    if recipe.decay == "all":
        return parameters
    # Biases, and the weights of norms, have one axis.
    return [
        {"params": [each for each in parameters if each.ndim > 1]},
        {"params": [each for each in parameters if each.ndim < 2], "weight_decay": 0.0},
    ]
