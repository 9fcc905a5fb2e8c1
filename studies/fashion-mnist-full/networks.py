"""What the found network is compared with: networks of equal parameters, and the largest."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Generator, Tensor, manual_seed, nn
from torch.random import fork_rng

from optuna_egnas import Architecture, MacroSpace
from optuna_egnas._methods.egnas.cost import widest
from optuna_egnas.networks import build

DRAWS = 5
CLOSE = 0.03
"""Parameters are equal within this fraction."""
OPS, KERNELS = ("sep", "conv"), (3, 5)


class HandMade(nn.Module):
    """What a person writes first: two 3x3 convolutions a stage, three stages, max pooling.

    Each convolution is followed by a batch norm and a ReLU; the width doubles from stage to
    stage; the head is global average pooling and a linear layer.
    """

    def __init__(self, *, channels: int, width: int, classes: int) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        for outputs in (width, 2 * width, 4 * width):
            for inputs in (channels, outputs):
                stages += [
                    nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                    nn.BatchNorm2d(outputs),
                    nn.ReLU(),
                ]
            stages.append(nn.MaxPool2d(2))
            channels = outputs
        self.layers = nn.Sequential(*stages[:-1])
        self.head = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(images)
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits


def parameters(network: nn.Module) -> int:
    return sum(values.numel() for values in network.parameters())


def hand_made(space: MacroSpace, params: int) -> HandMade:
    """The hand-made network whose parameters are nearest to `params`."""
    channels = space.input_shape[0]
    sizes = {
        width: parameters(HandMade(channels=channels, width=width, classes=space.classes))
        for width in range(1, 129)
    }
    width = min(sizes, key=lambda width: abs(sizes[width] - params))
    return HandMade(channels=channels, width=width, classes=space.classes)


def random_network(space: MacroSpace, params: int, seed: int) -> Architecture:
    """A network of the whole space, drawn at random among those of so many parameters.

    Depth, every operation and every kernel size are uniform; the width is the one that comes
    nearest, and what does not come near enough is drawn again.
    """
    draw = random.Random(seed)
    while True:
        depth = draw.randint(space.min_depth, space.max_depth)
        ops = tuple(draw.choice(OPS) for _ in range(depth))
        kernels = tuple(draw.choice(KERNELS) for _ in range(depth))
        make = partial(_of_width, ops, kernels)
        most = widest(
            make, lambda network: space.params(network) <= params * (1 + CLOSE), at_most=128
        )
        if most is not None and space.params(most) >= params * (1 - CLOSE):
            return most


def largest(space: MacroSpace) -> Architecture:
    """The chain with the most parameters that the macro search may propose."""
    chains = (
        Architecture.chain(depth=depth, width=width)
        for depth in range(space.min_depth, space.max_depth + 1)
        for width in range(space.min_width, space.max_width + 1)
    )
    return max(filter(space.fits, chains), key=lambda chain: (space.params(chain), chain.depth))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A network to compare with: `make` gives it its weights, from a seed."""

    name: str
    make: Callable[[int], nn.Module]
    params: int
    macs: int
    architecture: Architecture | None = None


def rivals(space: MacroSpace, params: int) -> tuple[Rival, ...]:
    """All of them, for a found network of so many parameters."""
    drawn = [
        (f"random {draw}", random_network(space, params, draw)) for draw in range(1, DRAWS + 1)
    ]
    chains = [*drawn, ("largest that fits", largest(space))]
    return (
        _hand_made(space, params),
        *(_chain(space, name, architecture) for name, architecture in chains),
    )


def _chain(space: MacroSpace, name: str, architecture: Architecture) -> Rival:
    def make(seed: int) -> nn.Module:
        return build(
            architecture,
            input_shape=space.input_shape,
            classes=space.classes,
            generator=Generator().manual_seed(seed),
        )

    return Rival(
        name=name,
        make=make,
        params=space.params(architecture),
        macs=space.macs(architecture),
        architecture=architecture,
    )


def _hand_made(space: MacroSpace, params: int) -> Rival:
    def make(seed: int) -> HandMade:
        with fork_rng(devices=[]):
            manual_seed(seed)
            return hand_made(space, params)

    network = make(0)
    return Rival(
        name="hand-made",
        make=make,
        params=parameters(network),
        macs=_macs(network, space.input_shape),
    )


def _macs(network: HandMade, shape: tuple[int, int, int]) -> int:
    """Multiply-accumulates of one image, counted as for all other networks."""
    side, total = shape[1] * shape[2], 0
    for module in network.layers:
        if isinstance(module, nn.Conv2d):
            total += module.weight.numel() * side
        elif isinstance(module, nn.MaxPool2d):
            side //= 4
    return total + network.head.weight.numel()


def _of_width(ops: tuple[str, ...], kernels: tuple[int, ...], width: int) -> Architecture:
    return Architecture(width=width, ops=ops, kernels=kernels)
