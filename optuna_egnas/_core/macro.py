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

from dataclasses import dataclass, field
from functools import partial

from ..errors import InvalidSpace
from .architecture import Architecture
from .budget import attempt_epochs
from .cost import widest
from .history import Candidate
from .inheritance import inheriting
from .proposal import (
    Bar,
    Done,
    Found,
    Incumbent,
    Phase,
    Position,
    Proposal,
    Step,
    Verdict,
    reaches,
)
from .space import (
    LARGEST_INTEGER,
    MOST_CHANNELS,
    MOST_EPOCHS,
    MOST_LAYERS,
    Space,
    check_integer,
    check_number,
    check_shared,
    check_smallest_fits,
)

_BOUNDS = (
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
"""Of the whole numbers: the least and the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroSpace(Space):
    """Depths and widths to search, with every threshold of the rules; see the module.

    Args:
        min_depth, max_depth: layers of the shallowest and of the deepest network.
        min_width, max_width: channels of the narrowest and of the widest network.
        width_step: channels taken off per attempt of the width phase.
        base_epochs: epochs of the first candidate.
        epochs_per_layer, epochs_per_width_step: epochs added per attempt of each phase.
        depth_gain, depth_slack: in the objective's unit (0.001 = 0.1 points of accuracy).
        depth_patience, width_patience: fails that are forgiven.
        target_accuracy, target_tolerance: the depth phase ends when their difference is reached.

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
    depth_gain: float = 0.001
    depth_slack: float = 0.0005
    depth_patience: int = 2
    width_patience: int = 2
    target_accuracy: float | None = field(default=1.0)
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
class _Deepening:
    """In the depth phase; `incumbent` is None until one was trained to the end.

    `attempts` is 0 at the first network, whose failure is no fail of the phase.
    """

    space: MacroSpace = field(compare=False)
    proposal: Proposal = field(compare=False)
    incumbent: Incumbent | None = None
    attempts: int = 0
    fails: int = 0

    def after(self, step: Step) -> Position | Done:
        incumbent, fails = self.incumbent, self.fails
        if step.passed:
            incumbent, fails = step.as_incumbent(), 0
        elif step.verdict is Verdict.REFUSED and self.attempts:
            fails += 1
        return _deepen(self.space, incumbent, attempts=self.attempts, fails=fails)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Narrowing:
    """In the width phase, after so many attempts in the depth phase."""

    space: MacroSpace = field(compare=False)
    proposal: Proposal = field(compare=False)
    incumbent: Incumbent
    depth_attempts: int
    attempts: int
    fails: int

    def after(self, step: Step) -> Position | Done:
        accepted = step.verdict is Verdict.ACCEPTED
        return _narrow(
            self.space,
            step.as_incumbent() if accepted else self.incumbent,
            tried=self.proposal.candidate.architecture,
            depth_attempts=self.depth_attempts,
            attempts=self.attempts,
            fails=0 if accepted else self.fails + 1,
        )


def _deepen(
    space: MacroSpace, incumbent: Incumbent | None, *, attempts: int, fails: int
) -> Position | Done:
    """One layer more, or the width phase where the depth phase has ended."""
    depth = space.min_depth + attempts + 1
    deeper = widest_chain(space, depth) if depth <= space.max_depth else None
    if deeper is None or fails > space.depth_patience or is_satisfied(space, incumbent):
        if incumbent is None:
            return Done(found=None)
        start = incumbent.candidate.architecture
        return _narrow(space, incumbent, tried=start, depth_attempts=attempts)
    bar = Bar(incumbent=incumbent, gain=space.depth_gain, slack=space.depth_slack)
    attempts += 1
    proposal = _ask(space, "depth", deeper, bar, depth_attempts=attempts)
    return _Deepening(
        space=space, proposal=proposal, incumbent=incumbent, attempts=attempts, fails=fails
    )


def _narrow(
    space: MacroSpace,
    incumbent: Incumbent,
    *,
    tried: Architecture,
    depth_attempts: int,
    attempts: int = 0,
    fails: int = 0,
) -> Position | Done:
    """A step narrower than what was tried last, or the end."""
    width = tried.width - space.width_step
    if fails > space.width_patience or width < space.min_width:
        architecture, epochs = incumbent.candidate.architecture, incumbent.candidate.epochs
        assert epochs is not None
        return Done(found=Found(architecture=architecture, score=incumbent.score, epochs=epochs))
    attempts += 1
    proposal = _ask(
        space,
        "width",
        Architecture.chain(depth=tried.depth, width=width),
        Bar(incumbent=incumbent),
        depth_attempts=depth_attempts,
        width_attempts=attempts,
    )
    return _Narrowing(
        space=space,
        proposal=proposal,
        incumbent=incumbent,
        depth_attempts=depth_attempts,
        attempts=attempts,
        fails=fails,
    )


def _ask(
    space: MacroSpace,
    phase: Phase,
    architecture: Architecture,
    bar: Bar | None,
    *,
    depth_attempts: int = 0,
    width_attempts: int = 0,
    likely: Verdict = Verdict.ACCEPTED,
) -> Proposal:
    epochs = attempt_epochs(
        base=space.base_epochs,
        depth_attempts=depth_attempts,
        per_depth_attempt=space.epochs_per_layer,
        width_attempts=width_attempts,
        per_width_attempt=space.epochs_per_width_step,
    )
    candidate = Candidate(architecture=architecture, epochs=epochs)
    return Proposal(candidate=candidate, phase=phase, bar=bar, likely=likely)


def widest_chain(space: MacroSpace, depth: int) -> Architecture | None:
    """The widest network of this depth that the limits allow; None if none does."""
    build = partial(_chain, depth)
    return widest(build, space.fits, at_most=space.max_width, at_least=space.min_width)


def _chain(depth: int, width: int) -> Architecture:
    return Architecture.chain(depth=depth, width=width)


def is_satisfied(space: MacroSpace, incumbent: Incumbent | None) -> bool:
    """Whether the depth phase may end early: near the target, or the training data known."""
    if incumbent is None:
        return False
    if incumbent.train_accuracy is not None and incumbent.train_accuracy >= 1.0:
        return True
    if incumbent.score is None or space.target_accuracy is None:
        return False
    target = round(space.target_accuracy - space.target_tolerance, 12)
    return reaches(incumbent.score, target, space.n_valid)
