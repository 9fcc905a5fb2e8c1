"""The plain CNN that a person writes first, as large as another network."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn

from ..._core.method import Method
from ..._core.network import Network, Shape

SIDE = 3
"""Side of each convolution in pixels."""
POOLED = (2, 4)
"""The convolutions before which the image is halved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainNetwork:
    """Two 3x3 convolutions a stage, three stages, max pooling between them, and a linear head.

    A batch norm and a ReLU follow each convolution. `channels` are those of the last stage; each
    stage before has half of them.
    """

    channels: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def convolutions(self, inputs: int) -> list[tuple[int, int]]:
        """Channels in and out of all convolutions, two for each stage."""
        listed = []
        for parts in (4, 2, 1):
            outputs = max(1, round(self.channels / parts))
            listed += [(inputs, outputs), (outputs, outputs)]
            inputs = outputs
        return listed

    def params(self, input_shape: Shape, classes: int) -> int:
        """Trainable parameters, batch norms and head included."""
        listed = self.convolutions(input_shape[0])
        convolutions = sum(SIDE**2 * inputs * outputs + 2 * outputs for inputs, outputs in listed)
        return convolutions + (listed[-1][1] + 1) * classes

    def macs(self, input_shape: Shape, classes: int) -> int:
        """Multiply-accumulates of convolutions and head, for one image."""
        channels, height, width = input_shape
        listed, total = self.convolutions(channels), 0
        for index, (inputs, outputs) in enumerate(listed):
            if index in POOLED:
                height, width = -(-height // 2), -(-width // 2)
            total += SIDE**2 * inputs * outputs * height * width
        return total + listed[-1][1] * classes


def plain_network(params: int, input_shape: Shape, classes: int) -> PlainNetwork:
    """The plain CNN whose parameters are nearest to so many."""
    channels = 1
    while PlainNetwork(channels=channels).params(input_shape, classes) < params:
        channels += 1
    near = [PlainNetwork(channels=each) for each in (max(1, channels - 1), channels)]
    return min(near, key=lambda each: abs(each.params(input_shape, classes) - params))


class Plain(Method):
    """What builds plain CNNs; it searches nothing."""

    name: ClassVar[str] = "plain"

    def build(
        self, network: Network, *, input_shape: Shape, classes: int, generator: Generator
    ) -> nn.Module:
        """The module, its weights drawn as He et al. (2015) do."""
        assert isinstance(network, PlainNetwork)
        layers: list[nn.Module] = []
        listed = network.convolutions(input_shape[0])
        for index, (inputs, outputs) in enumerate(listed):
            if index in POOLED:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            shape: dict[str, Any] = {"padding": SIDE // 2, "bias": False, "device": "meta"}
            convolution = nn.Conv2d(inputs, outputs, SIDE, **shape).to_empty(device="cpu")
            nn.init.kaiming_normal_(convolution.weight, generator=generator)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
        return _Pooled(layers, drawn_head(listed[-1][1], classes, generator))


class _Pooled(nn.Module):
    """Layers, the mean over the image, and a head."""

    def __init__(self, layers: list[nn.Module], head: nn.Linear) -> None:
        super().__init__()
        self.layers, self.head = nn.Sequential(*layers), head

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(images)
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits


def drawn_head(inputs: int, classes: int, generator: Generator) -> nn.Linear:
    """A linear layer with weights from the generator, and biases of 0."""
    # Not drawn by torch's own generator, which is none of ours.
    head = nn.Linear(inputs, classes, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        head.weight.normal_(0.0, inputs**-0.5, generator=generator)
        head.bias.zero_()
    return head


PLAIN = Plain()
