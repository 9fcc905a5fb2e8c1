"""The fields of the spaces of EGNAS and what bounds them, on which all of its rules build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from ..._core.automaton import AutomatonSpace
from ..._core.network import Network
from ..._core.problem import (
    LARGEST_INTEGER,
    MOST_EPOCHS,
    Published,
    check_integer,
    check_number,
    check_smallest_fits,
    check_task,
)
from ..._core.proposal import Incumbent, reaches
from ...errors import InvalidSpace, short
from .architecture import Architecture, as_chain, check_kernel
from .cost import count_macs, count_params, count_traffic, widest
from .operations import operation

START_OP, START_KERNEL = "sep", 3
MOST_LAYERS, MOST_CHANNELS = 1000, 100_000
"""Of one network: far more than any search needs, and few enough to list."""
_WHOLE = (
    ("min_depth", 1, MOST_LAYERS),
    ("max_depth", 1, MOST_LAYERS),
    ("min_width", 1, MOST_CHANNELS),
    ("max_width", 1, MOST_CHANNELS),
    ("width_step", 1, LARGEST_INTEGER),
    ("base_epochs", 1, MOST_EPOCHS),
    ("epochs_per_layer", 0, MOST_EPOCHS),
    ("epochs_per_width_step", 0, MOST_EPOCHS),
    ("depth_patience", 0, LARGEST_INTEGER),
    ("width_patience", 0, LARGEST_INTEGER),
)
"""Of the whole numbers of a macro space: the least and the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSpace(AutomatonSpace):
    """What both spaces of EGNAS share: their networks are chains, counted in closed form.

    Args:
        level: under `sound`, the chance with which a narrower network that is no better would
            pass for better: above 0, at most 0.5 (then any gain passes).
    """

    method: ClassVar[str] = "egnas"
    policies: ClassVar[tuple[str, ...]] = ("paper", "sound")

    level: float = 0.25

    @classmethod
    def network_from_json(cls, record: Mapping[str, Any]) -> Architecture:
        """Read what `Architecture.to_json` wrote."""
        return Architecture.from_json(record)

    def params(self, network: Network) -> int:
        """Trainable parameters of a network for this task."""
        return count_params(as_chain(network), self.input_shape, self.classes)

    def macs(self, network: Network) -> int:
        """Multiply-accumulates of a network for one image of this task."""
        return count_macs(as_chain(network), self.input_shape, self.classes)

    def traffic(self, network: Network) -> int:
        """Values that the layers read and write for one image."""
        return count_traffic(as_chain(network), self.input_shape)

    def layers(self, network: Network) -> int:
        """Layers between the stem and the head."""
        return as_chain(network).depth

    def contains(self, network: Network, other: Network) -> bool:
        """Whether a network takes at least the memory of the other one, layer by layer."""
        chain, least = as_chain(network), as_chain(other)
        kernels = zip(chain.kernels, least.kernels, strict=False)
        return (
            chain.ops[: least.depth] == least.ops
            and chain.width >= least.width
            and all(kernel >= smallest for kernel, smallest in kernels)
        )

    def channels(self, network: Network) -> int:
        """The width."""
        return as_chain(network).width

    def describe(self, network: Network) -> str:
        """Depth and width."""
        chain = as_chain(network)
        return f"depth {chain.depth}, width {chain.width}"

    def rows(self, network: Network) -> list[tuple[str, str]]:
        """Depth and width, the operations and the kernel sizes of all layers."""
        chain = as_chain(network)
        return [
            ("depth, width", f"{chain.depth}, {chain.width}"),
            ("operations", " ".join(chain.ops)),
            ("kernel sizes", " ".join(map(str, chain.kernels))),
        ]

    def details(self, network: Network) -> tuple[str, ...]:
        """Operation and kernel size of each layer, where they are not all alike."""
        chain = as_chain(network)
        if len(set(chain.ops)) == len(set(chain.kernels)) == 1:
            return ()
        layers = zip(chain.ops, chain.kernels, strict=True)
        return tuple(f"{op} {kernel}x{kernel}" for op, kernel in layers)

    def _check_shared(self) -> None:
        check_task(self)
        check_number("level", self.level)
        if not 0 < self.level <= 0.5:
            raise InvalidSpace(
                f"`level` must be above 0 and at most 0.5, but got level={self.level}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroBounds(ChainSpace):
    """Depths and widths, with every threshold of the rules; see `MacroSpace`."""

    min_depth: int = 10
    max_depth: int = 100
    min_width: int = 16
    max_width: int = 64
    width_step: int = 2
    base_epochs: int = 10
    epochs_per_layer: int = 1
    epochs_per_width_step: int = 2
    depth_gain: float = Published(0.001)
    depth_slack: float = Published(0.0005)
    depth_patience: int = 2
    width_patience: int = 2
    target_accuracy: float | None = Published(1.0)
    target_tolerance: float = 0.001

    def __post_init__(self) -> None:
        self._check_shared()
        for name, at_least, at_most in _WHOLE:
            check_integer(name, getattr(self, name), at_least=at_least, at_most=at_most)
        for name in ("depth_gain", "depth_slack", "target_tolerance"):
            check_number(name, getattr(self, name))
        if self.target_accuracy is not None:
            check_number("target_accuracy", self.target_accuracy)
        for what in ("depth", "width"):
            low, high = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            if low > high:
                raise InvalidSpace(
                    f"`max_{what}` must be at least min_{what}={low}, but got max_{what}={high}."
                )
        check_smallest_fits(self, Architecture.chain(depth=self.min_depth, width=self.min_width))


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroBounds(ChainSpace):
    """Operations and kernel sizes, and where to start from; see `MicroSpace`."""

    depth: int = 10
    width: int = 64
    operations: tuple[str, ...] = ("sep", "conv")
    kernels: tuple[int, ...] = (3, 5)
    epochs: int = 2
    param_slack: int = 10_000
    confirm_epochs: int | None = 0

    def __post_init__(self) -> None:
        self._check_shared()
        check_integer("depth", self.depth, at_least=1, at_most=MOST_LAYERS)
        check_integer("width", self.width, at_least=1, at_most=MOST_CHANNELS)
        check_integer("epochs", self.epochs, at_least=1, at_most=MOST_EPOCHS)
        check_integer("param_slack", self.param_slack, at_least=0)
        if self.confirm_epochs is not None:
            check_integer("confirm_epochs", self.confirm_epochs, at_least=0, at_most=MOST_EPOCHS)
        for name in self.operations:
            operation(name)
        for kernel in self.kernels:
            check_kernel(kernel)
        _check_choices("operations", self.operations, START_OP)
        _check_choices("kernels", self.kernels, START_KERNEL)
        check_smallest_fits(self, Architecture.chain(depth=self.depth, width=1))


def widest_chain(space: MacroBounds, depth: int) -> Architecture | None:
    """The widest network of this depth that the limits allow; None if none does."""
    build = partial(_chain, depth)
    return widest(build, space.fits, at_most=space.max_width, at_least=space.min_width)


def _chain(depth: int, width: int) -> Architecture:
    return Architecture.chain(depth=depth, width=width)


def is_satisfied(space: MacroBounds, incumbent: Incumbent | None) -> bool:
    """Whether the depth phase may end early: near the target, or the training data known."""
    if incumbent is None:
        return False
    if incumbent.train_accuracy is not None and incumbent.train_accuracy >= 1.0:
        return True
    if incumbent.score is None or space.target_accuracy is None:
        return False
    target = round(space.target_accuracy - space.target_tolerance, 12)
    return reaches(incumbent.score, target, space.n_valid)


def _check_choices(name: str, choices: tuple[object, ...], start: object) -> None:
    if start not in choices:
        raise InvalidSpace(
            f"`{name}` must hold {start!r}, with which the search starts, but got "
            f"{short(choices)}."
        )
    if len(set(choices)) != len(choices):
        raise InvalidSpace(f"`{name}` must not repeat a choice, but got {short(choices)}.")
