"""A network of torchvision with pretrained weights that are on this machine; nothing is fetched.

Its weights are looked for in torch's own folder of checkpoints alone. All of them are trained
further, with a new head, by the recipe of the network found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import interpolate
from torch.random import fork_rng
from torch.utils.flop_counter import FlopCounterMode

from ..._core.method import Method
from ..._core.network import Network, Shape
from ..._core.text import clipped
from ...errors import SearchError
from .plain import drawn_head

SIDE = 112
"""Pixels of the smaller side to which smaller images are enlarged: half of those it has seen."""
LARGEST = 2**30
"""Bytes of a file of weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainedNetwork:
    """A network of torchvision, by its name there."""

    pretrained: str = "mobilenet_v3_small"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def checkpoint_of(network: PretrainedNetwork) -> Path:
    """Where torch keeps the weights of a network, once somebody has fetched them."""
    from torchvision.models import get_model_weights

    url = str(next(iter(get_model_weights(network.pretrained))).url)
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]


class Pretrained(Method):
    """What builds pretrained networks; it searches nothing.

    Raises (in `build`):
        SearchError: the weights are not here or are damaged, or the images have channels that the
            network cannot take.
    """

    name: ClassVar[str] = "pretrained"

    def build(
        self, network: Network, *, input_shape: Shape, classes: int, generator: Generator
    ) -> nn.Module:
        """The module with the stored weights and a head from the generator."""
        from torchvision.models import get_model

        assert isinstance(network, PretrainedNetwork)
        if input_shape[0] not in (1, 3):
            raise SearchError(f"its images must have 1 or 3 channels, but have {input_shape[0]}.")
        file = checkpoint_of(network)
        weights = _weights(file)
        # Its first weights are drawn by torch's own generator, which is none of ours.
        with fork_rng(devices=[]):
            module = get_model(network.pretrained, weights=None)
        try:
            module.load_state_dict(weights)
        except (RuntimeError, TypeError) as error:
            raise SearchError(
                f"{file} must hold its weights, but does not: {_said(error)}"
            ) from None
        head = module.classifier[-1].in_features
        # Without dropout, which would draw from torch's own generator in each step.
        layers = [each for each in module.classifier if not isinstance(each, nn.Dropout)]
        module.classifier = nn.Sequential(*layers[:-1], drawn_head(head, classes, generator))
        return _Enlarged(module)


class _Enlarged(nn.Module):
    """A network of colour images, for small and for gray ones."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        images = images.expand(-1, 3, -1, -1)
        smaller = min(images.shape[2:])
        if smaller < SIDE:
            size = [round(side * SIDE / smaller) for side in images.shape[2:]]
            images = interpolate(images, size=size, mode="bilinear", align_corners=False)
        logits: Tensor = self.network(images)
        return logits


def sizes_of(module: nn.Module, input_shape: Shape) -> tuple[int, int]:
    """Trainable parameters of a module, and its multiply-accumulates for one image.

    The module is left without values.
    """
    params = sum(each.numel() for each in module.parameters() if each.requires_grad)
    image = torch.empty((1, *input_shape), device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.to("meta").eval()(image)
    # Torch counts the multiplication and the addition.
    return params, counter.get_total_flops() // 2


def _weights(file: Path) -> Mapping[str, Tensor]:
    if not file.is_file():
        raise SearchError(f"its weights must be in {file}, but are not; nothing is downloaded.")
    if file.stat().st_size > LARGEST:
        raise SearchError(f"{file} must have at most {LARGEST:,} bytes, but has more.")
    try:
        weights: Mapping[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    # It may be anything, of which torch says anything.
    except Exception as error:
        raise SearchError(f"{file} must hold its weights, but does not: {_said(error)}") from None
    return weights


def _said(error: Exception) -> str:
    return clipped(" ".join(str(error).split()) or type(error).__name__, 120)


PRETRAINED = Pretrained()
