"""The macro search: depth first, then width (arXiv 2502.03553, policy `paper`).

Policy `sound` has rules of its own, on the same space: see `sound_macro.py`.

Every candidate is a uniform chain of 3x3 separable convolutions, trained from scratch.

Depth phase. Start at `min_depth`, at the widest network that fits. Add one layer per attempt; the
epochs grow with every attempt. A gain of `depth_gain` is accepted; a loss within `depth_slack` is
neutral; anything else is a fail. The phase ends with the fail after `depth_patience` fails since
the last accepted attempt, at `max_depth`, where not even `min_width` fits, or when the incumbent
reaches `target_accuracy - target_tolerance` or learns its training data by heart.

Width phase, at the depth found. Take `width_step` off per attempt, down to `min_width`, with
more epochs each time. A score that is at least the incumbent's is accepted; the phase ends with
the fail after `width_patience` fails in a row, while the width goes on shrinking.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ..._core.budget import attempt_epochs
from ..._core.inheriting import inheriting
from ..._core.problem import (
    MOST_CHANNELS,
    MOST_EPOCHS,
    MOST_LAYERS,
    Published,
    Space,
    check_integer,
    check_number,
    check_shared,
    check_smallest_fits,
)
from ..._core.proposal import Position, Verdict
from ...errors import InvalidSpace
from . import sound_micro
from .architecture import Architecture, check_kernel
from .bounds import START_KERNEL, START_OP, _check_choices, widest_chain
from .cost import widest
from .operations import operation
from .paper_macro import _BOUNDS, _ask, _Deepening
from .paper_micro import _ask, _Measuring, _with_width


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroSpace(Space):
    """Depths and widths to search, with every threshold of the rules; see the module.

    Args:
        min_depth, max_depth: layers of the shallowest and of the deepest network.
        min_width, max_width: channels of the narrowest and of the widest network.
        width_step: channels taken off per attempt of the width phase.
        base_epochs: epochs of the first candidate.
        epochs_per_layer, epochs_per_width_step: epochs added per attempt of each phase.
        depth_gain, depth_slack: in the objective's unit. The defaults are those of accuracies as
            fractions of 1: 0.001 is 0.1 points. Of per cents, the same would be 0.1 and 0.05.
        depth_patience, width_patience: fails that are forgiven.
        target_accuracy, target_tolerance: the depth phase ends when their difference is reached,
            in the objective's unit; None: there is no target. Where no target is given, that of
            a linked search is 1, and a study of one's own has none. It is left out where the
            study minimises.

    Raises:
        InvalidSpace: a value is out of its bounds, or no network fits the limits.
    """

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
        check_shared(self)
        for name, at_least, at_most in _BOUNDS:
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

    @property
    def max_epochs(self) -> int:
        """Epochs of the longest training that the rules can ask for."""
        if self.policy == "sound":
            from . import sound_macro  # it builds on this module

            return sound_macro.max_epochs(self)
        return attempt_epochs(
            base=self.base_epochs,
            depth_attempts=self.max_depth - self.min_depth,
            per_depth_attempt=self.epochs_per_layer,
            width_attempts=(self.max_width - self.min_width) // self.width_step,
            per_width_attempt=self.epochs_per_width_step,
        )

    def begin(self) -> Position:
        """The automaton at its start; see the module for its rules."""
        return inheriting(self._rules(), self.inherit)

    def _rules(self) -> Position:
        if self.policy == "sound":
            from . import sound_macro  # it builds on this module

            return sound_macro.begin(self)
        first = widest_chain(self, self.min_depth)
        assert first is not None, "a space in which nothing fits is refused at birth"
        proposal = _ask(self, "depth", first, None, likely=Verdict.BASELINE)
        return _Deepening(space=self, proposal=proposal)


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroSpace(Space):
    """Operations and kernel sizes to search, and where to start from; see the module.

    Args:
        depth, width: the network to start from, in linked studies what the macro search found.
        operations: names of operations, `sep` among them, in the order in which they are tried.
        kernels: odd kernel sizes, 3 among them, in the order in which they are tried.
        epochs: epochs of every candidate; under `sound`, in linked studies, one more than the
            macro result had.
        param_slack: parameters that a phase may add to the network that it starts from.
        confirm_epochs: epochs of one last training of the result; 0 for none; None, in linked
            studies, for those of the macro result, under `sound` for none.

    Raises:
        InvalidSpace: a value is out of its bounds, or no network fits the limits.
    """

    depth: int = 10
    width: int = 64
    operations: tuple[str, ...] = ("sep", "conv")
    kernels: tuple[int, ...] = (3, 5)
    epochs: int = 2
    param_slack: int = 10_000
    confirm_epochs: int | None = 0

    def __post_init__(self) -> None:
        check_shared(self)
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

    @property
    def max_epochs(self) -> int:
        """Epochs of the longest training that the rules can ask for."""
        return max(self.epochs, self.confirm_epochs or 0)

    def begin(self) -> Position:
        """The automaton at its start; see the module for its rules."""
        return inheriting(self._rules(), self.inherit)

    def _rules(self) -> Position:
        if self.policy == "sound":
            return sound_micro.begin(self)
        chain = partial(_with_width, Architecture.chain(depth=self.depth, width=self.width))
        start = widest(chain, self.fits, at_most=self.width)
        assert start is not None, "a space in which nothing fits is refused at birth"
        proposal = _ask(self, "ops", start, None, likely=Verdict.BASELINE)
        return _Measuring(space=self, proposal=proposal)
