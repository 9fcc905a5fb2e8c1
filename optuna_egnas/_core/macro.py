"""The macro search: depth first, then width (arXiv 2502.03553, policy `paper`).

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
from .proposal import Bar, Found, Incumbent, Moves, Phase, Proposal, Verdict, reaches
from .space import Space, check_integer, check_number, check_shared, check_smallest_fits


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
        for name in ("min_depth", "max_depth", "min_width", "max_width", "width_step"):
            check_integer(name, getattr(self, name), at_least=1)
        check_integer("base_epochs", self.base_epochs, at_least=1)
        for name in (
            "epochs_per_layer",
            "epochs_per_width_step",
            "depth_patience",
            "width_patience",
        ):
            check_integer(name, getattr(self, name), at_least=0)
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
        return attempt_epochs(
            base=self.base_epochs,
            depth_attempts=self.max_depth - self.min_depth,
            per_depth_attempt=self.epochs_per_layer,
            width_attempts=(self.max_width - self.min_width) // self.width_step,
            per_width_attempt=self.epochs_per_width_step,
        )

    def moves(self) -> Moves[Found | None]:
        """The automaton; see the module for its rules."""
        incumbent, attempts = yield from _search_depth(self)
        if incumbent is None:
            return None
        incumbent = yield from _search_width(self, incumbent, attempts)
        epochs = incumbent.candidate.epochs
        assert epochs is not None
        return Found(
            architecture=incumbent.candidate.architecture, score=incumbent.score, epochs=epochs
        )


def _search_depth(
    space: MacroSpace,
) -> Moves[tuple[Incumbent | None, int]]:
    """Returns the incumbent (None if nothing could be trained) and the attempts made."""
    first = _widest(space, space.min_depth)
    assert first is not None, "a space in which nothing fits is refused at birth"
    step = yield _ask(space, "depth", first, None, likely=Verdict.BASELINE)
    incumbent = step.as_incumbent() if step.passed else None
    attempts = fails = 0
    for depth in range(space.min_depth + 1, space.max_depth + 1):
        deeper = _widest(space, depth)
        if deeper is None or _is_satisfied(space, incumbent):
            break
        attempts += 1
        bar = Bar(incumbent=incumbent, gain=space.depth_gain, slack=space.depth_slack)
        step = yield _ask(space, "depth", deeper, bar, depth_attempts=attempts)
        if step.verdict is Verdict.ACCEPTED:
            incumbent, fails = step.as_incumbent(), 0
        elif step.verdict is Verdict.REFUSED:
            fails += 1
            if fails > space.depth_patience:
                break
    return incumbent, attempts


def _search_width(
    space: MacroSpace, incumbent: Incumbent, depth_attempts: int
) -> Moves[Incumbent]:
    start = incumbent.candidate.architecture
    fails = 0
    narrower = range(start.width - space.width_step, space.min_width - 1, -space.width_step)
    for attempt, width in enumerate(narrower, start=1):
        step = yield _ask(
            space,
            "width",
            Architecture.chain(depth=start.depth, width=width),
            Bar(incumbent=incumbent),
            depth_attempts=depth_attempts,
            width_attempts=attempt,
        )
        if step.verdict is Verdict.ACCEPTED:
            incumbent, fails = step.as_incumbent(), 0
            continue
        fails += 1
        if fails > space.width_patience:
            break
    return incumbent


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


def _widest(space: MacroSpace, depth: int) -> Architecture | None:
    build = partial(_chain, depth)
    return widest(build, space.fits, at_most=space.max_width, at_least=space.min_width)


def _chain(depth: int, width: int) -> Architecture:
    return Architecture.chain(depth=depth, width=width)


def _is_satisfied(space: MacroSpace, incumbent: Incumbent | None) -> bool:
    """Whether the depth phase may end early: near the target, or the training data known."""
    if incumbent is None:
        return False
    if incumbent.train_accuracy is not None and incumbent.train_accuracy >= 1.0:
        return True
    if incumbent.score is None or space.target_accuracy is None:
        return False
    target = round(space.target_accuracy - space.target_tolerance, 12)
    return reaches(incumbent.score, target, space.n_valid)
