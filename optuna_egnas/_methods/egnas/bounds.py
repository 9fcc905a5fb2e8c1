"""The fields of the spaces of EGNAS and what bounds them, on which all of its rules build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from ..._core.automaton import AutomatonSpace
from ..._core.bounds import LARGEST_INTEGER, LARGEST_NUMBER, check_integers
from ..._core.declared import option as declared
from ..._core.network import Network
from ..._core.problem import (
    MOST_EPOCHS,
    Published,
    check_smallest_fits,
    check_task,
    policy_option,
)
from ..._core.proposal import Incumbent, reaches
from ..._core.text import short
from ...errors import InvalidSpace
from .architecture import Architecture, as_chain, check_kernel
from .cost import count_macs, count_params, count_traffic, widest
from .operations import operation

POLICIES = ("paper", "sound")
"""The names of the rows of `policies.POLICIES`."""
START_OP, START_KERNEL = "sep", 3
MOST_LAYERS, MOST_CHANNELS = 1000, 100_000
"""Most layers and channels of a network, more than any search needs and few enough to list."""
OF_PROFILE = "the profile's, {} at full size"
FOUND = "in linked studies what the macro search found"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSpace(AutomatonSpace):
    """What both spaces of EGNAS share: their networks are chains, counted in closed form."""

    method: ClassVar[str] = "egnas"
    policies: ClassVar[tuple[str, ...]] = POLICIES

    policy: str = policy_option(
        *POLICIES, default="sound in a new search, paper in a space of your own"
    )
    level: float = declared(
        0.25,
        help="under `sound`, the chance with which a narrower network that is no better would "
        "pass for better; with 0.5, any gain passes",
        above=0,
        at_most=0.5,
    )

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
        """Operation and kernel size of each layer, where they are not all as at the start."""
        chain = as_chain(network)
        if {*chain.ops} == {START_OP} and {*chain.kernels} == {START_KERNEL}:
            return ()
        layers = zip(chain.ops, chain.kernels, strict=True)
        return tuple(f"{op} {kernel}x{kernel}" for op, kernel in layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroBounds(ChainSpace):
    """Depths and widths, with every threshold of the rules; see `MacroSpace`."""

    min_depth: int = declared(
        10,
        flag="--min-depth",
        help="layers of the shallowest network, the first",
        default=OF_PROFILE.format(10),
        at_least=1,
        at_most=MOST_LAYERS,
    )
    max_depth: int = declared(
        100, help="layers of the deepest network", at_least=1, at_most=MOST_LAYERS
    )
    min_width: int = declared(
        16, help="channels of the narrowest network", at_least=1, at_most=MOST_CHANNELS
    )
    max_width: int = declared(
        64,
        flag="--max-width",
        help="channels of the widest network, the first",
        default=OF_PROFILE.format(64),
        at_least=1,
        at_most=MOST_CHANNELS,
    )
    width_step: int = declared(
        2,
        help="channels taken off per attempt of the width phase",
        at_least=1,
        at_most=LARGEST_INTEGER,
    )
    base_epochs: int = declared(
        10, help="epochs of the first candidate", at_least=1, at_most=MOST_EPOCHS
    )
    epochs_per_layer: int = declared(
        1, help="epochs added per attempt of the depth phase", at_least=0, at_most=MOST_EPOCHS
    )
    epochs_per_width_step: int = declared(
        2, help="epochs added per attempt of the width phase", at_least=0, at_most=MOST_EPOCHS
    )
    depth_gain: float = declared(
        Published(0.001),
        help="least gain for which a deeper network is accepted, in the objective's unit: 0.001 "
        "of accuracies as fractions of 1 is 0.1 points",
        at_least=0,
        at_most=LARGEST_NUMBER,
    )
    depth_slack: float = declared(
        Published(0.0005),
        help="largest loss of a deeper network that is neutral, in the objective's unit",
        at_least=0,
        at_most=LARGEST_NUMBER,
    )
    depth_patience: int = declared(
        2, help="fails that the depth phase forgives", at_least=0, at_most=LARGEST_INTEGER
    )
    width_patience: int = declared(
        2, help="fails in a row that the width phase forgives", at_least=0, at_most=LARGEST_INTEGER
    )
    target_accuracy: float | None = declared(
        Published(1.0),
        help="the depth phase ends when a score is this, less `target_tolerance`, in the "
        "objective's unit; None: there is no target",
        default="1 in a linked search, and none in a study of your own",
        at_least=0,
        at_most=LARGEST_NUMBER,
    )
    target_tolerance: float = declared(
        0.001, help="tolerance of `target_accuracy`", at_least=0, at_most=LARGEST_NUMBER
    )

    def __post_init__(self) -> None:
        check_task(self)
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

    depth: int = declared(
        10,
        help="layers of the network to start from",
        default=FOUND,
        at_least=1,
        at_most=MOST_LAYERS,
    )
    width: int = declared(
        64,
        help="channels of the network to start from",
        default=FOUND,
        at_least=1,
        at_most=MOST_CHANNELS,
    )
    operations: tuple[str, ...] = declared(
        ("sep", "conv"),
        help="names of operations, sep among them, in the order in which they are tried",
        default="sep, conv",
    )
    kernels: tuple[int, ...] = declared(
        (3, 5),
        help="odd kernel sizes, 3 among them, in the order in which they are tried",
        default="3, 5",
    )
    epochs: int = declared(
        2,
        help="epochs of every candidate",
        default="2; in linked studies under `sound`, one more than the macro result had",
        at_least=1,
        at_most=MOST_EPOCHS,
    )
    param_slack: int = declared(
        10_000,
        help="parameters that a phase may add to the network that it starts from",
        at_least=0,
        at_most=LARGEST_INTEGER,
    )
    confirm_epochs: int | None = declared(
        0,
        help="epochs of one last training of the result, 0 for none; None: those of the macro "
        "result, under `sound` none",
        default="0; in linked studies None",
        at_least=0,
        at_most=MOST_EPOCHS,
    )

    finalists: int = declared(
        0,
        flag="--finalists",
        help="so many networks at most are trained anew at the end of a search by `sound`, for "
        "equally long, to find the best of them; 0: none",
        default="0; 6 in a search by `sound`",
        at_least=0,
        at_most=6,
    )
    largest: tuple[int, ...] | None = declared(
        None,
        help="depth and width of the largest chain that fits, one of the finalists",
        default=FOUND,
    )
    earlier_epochs: int = declared(
        0,
        help="epochs that the macro search has trained, by which the finalists are counted",
        default=FOUND,
        at_least=0,
        at_most=LARGEST_INTEGER,
    )

    def __post_init__(self) -> None:
        check_task(self)
        if self.largest is not None:
            check_integers("largest", self.largest, at_least=1)
            if len(self.largest) != 2:
                raise InvalidSpace(
                    f"`largest` must be (depth, width), but got {short(self.largest)}."
                )
        for name in self.operations:
            operation(name)
        for kernel in self.kernels:
            check_kernel(kernel)
        _check_choices("operations", self.operations, START_OP)
        _check_choices("kernels", self.kernels, START_KERNEL)
        check_smallest_fits(self, Architecture.chain(depth=self.depth, width=1))


def largest_chain(space: MacroBounds) -> Architecture:
    """The chain with most parameters that fits; of equals the deepest."""
    depths = range(space.min_depth, space.max_depth + 1)
    chains = [chain for depth in depths if (chain := widest_chain(space, depth)) is not None]
    return max(chains, key=lambda chain: (space.params(chain), chain.depth))


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
