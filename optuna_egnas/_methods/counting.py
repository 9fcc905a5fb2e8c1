"""Parameters and multiply-accumulates of any network, counted on its torch module.

For methods that have no closed form. The module is built once and passes one image without data
(torch's meta device), so that this costs neither memory nor arithmetic.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from .._core.method import method
from .._core.network import Network, Shape
from .._core.problem import Space


def params(space: Space, network: Network) -> int:
    """Trainable parameters of a network for the task of a space."""
    return _counted(space.method, network, space.input_shape, space.classes)[0]


def macs(space: Space, network: Network) -> int:
    """Multiply-accumulates of matrix products and convolutions, for one image."""
    return _counted(space.method, network, space.input_shape, space.classes)[1]


@lru_cache(maxsize=65536)
def _counted(name: str, network: Network, input_shape: Shape, classes: int) -> tuple[int, int]:
    module: nn.Module = method(name).build(
        network, input_shape=input_shape, classes=classes, generator=torch.Generator()
    )
    trainable = sum(each.numel() for each in module.parameters() if each.requires_grad)
    image = torch.empty((1, *input_shape), device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.to("meta").eval()(image)
    # Torch counts a multiply-accumulate as two operations.
    return trainable, counter.get_total_flops() // 2
