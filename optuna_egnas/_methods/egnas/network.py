"""The chain network of an architecture (arXiv 2502.03553) as a torch module.

Stem: 3x3 convolution to twice the width, batch norm. Each layer: ReLU, operation, batch norm.
Head: global average pooling, linear. There is no ReLU after the last norm.
"""

from __future__ import annotations

import math
import pkgutil

import torch
from torch import Generator, Tensor, nn

from ..._core.network import Shape
from ...errors import InvalidSpace
from ...evaluation.engine.conditions import plain_modes
from ..depthwise import DepthwiseConv2d
from .architecture import Architecture, Layer
from .operations import operation


def convolution(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Module:
    """A kernel x kernel convolution with padding kernel // 2, without bias."""
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


def separable(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Module:
    """A depthwise convolution with the kernel and the stride, then a pointwise one; no biases."""
    return nn.Sequential(
        DepthwiseConv2d(inputs, kernel, stride),
        nn.Conv2d(inputs, outputs, 1, bias=False),
    )


@plain_modes()
def build(
    architecture: Architecture,
    *,
    input_shape: Shape,
    classes: int,
    generator: Generator | None = None,
) -> nn.Module:
    """Make the torch module of a network, on the generator's device.

    It maps float images [N, C, H, W] to logits [N, classes].

    Args:
        architecture: the network.
        input_shape: channels, height and width of an image.
        classes: number of classes.
        generator: draws the weights, by torch's default distributions; None: one of seed 0. The
            global generators are neither read nor moved.

    Raises:
        InvalidSpace: an operation holds parameters in other modules than Conv2d, Linear and
            BatchNorm2d.

    Examples:
        >>> import torch
        >>> from optuna_egnas import Architecture
        >>> from optuna_egnas.networks import build
        >>> chain = Architecture.chain(depth=1, width=8)
        >>> network = build(chain, input_shape=(1, 8, 8), classes=10)
        >>> network(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """
    generator = generator or Generator().manual_seed(0)
    # On the meta device the constructors of torch draw their weights from no generator.
    with torch.device("meta"):
        network = ChainNetwork(architecture, input_shape=input_shape, classes=classes)
    network.to_empty(device=generator.device)
    for module in network.modules():
        _initialise(module, generator)
    return network


def expected_weights(
    architecture: Architecture, *, input_shape: Shape, classes: int
) -> dict[str, Tensor]:
    """A state dict of this network, without values."""
    with torch.device("meta"):
        return ChainNetwork(architecture, input_shape=input_shape, classes=classes).state_dict()


def layer_module(layer: Layer) -> nn.Module:
    """A layer: ReLU, its operation, batch norm."""
    factory = pkgutil.resolve_name(operation(layer.op).module)
    return nn.Sequential(
        nn.ReLU(),
        factory(layer.inputs, layer.outputs, layer.kernel, layer.stride),
        nn.BatchNorm2d(layer.outputs),
    )


def _initialise(module: nn.Module, generator: Generator) -> None:
    """Fill a module's own tensors, those of its children left out."""
    if isinstance(module, nn.BatchNorm2d):
        module.reset_parameters()
        return
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5), generator=generator)
        if module.bias is not None:
            bound = 1 / math.sqrt(module.weight[0].numel())
            nn.init.uniform_(module.bias, -bound, bound, generator=generator)
        return
    # Left alone, they would keep whatever their memory held before.
    if [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
        raise InvalidSpace(
            "An operation's parameters must be in Conv2d, Linear or BatchNorm2d modules, "
            f"but got some in {type(module).__name__}."
        )


class ChainNetwork(nn.Module):
    """The layers of an architecture between a stem and a head; `build` gives it its weights.

    Maps float images [N, C, H, W] of any size to logits [N, classes].
    """

    def __init__(self, architecture: Architecture, *, input_shape: Shape, classes: int) -> None:
        super().__init__()
        layers = architecture.layers()
        width = layers[0].inputs
        self.stem = nn.Sequential(convolution(input_shape[0], width, 3, 1), nn.BatchNorm2d(width))
        self.layers = nn.Sequential(*(layer_module(layer) for layer in layers))
        self.head = nn.Linear(layers[-1].outputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, classes] of float images [N, C, H, W]."""
        features: Tensor = self.layers(self.stem(images))
        # The backward of torch's adaptive pooling is not deterministic on CUDA; a mean's is.
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits
