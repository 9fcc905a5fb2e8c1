"""The macro search of policy `sound`: coarse steps, equal budgets for equal networks, fair bars.

Every candidate is a uniform chain of 3x3 separable convolutions, trained from scratch.

Budgets. A network's epochs depend on nothing but its depth: those that `cost_epochs` gives to the
widest network of that depth that fits, with `base_epochs` for one of twice `min_depth` layers at
`max_width`. So equal networks are trained equally long, and a narrower one not longer than the
wider one that it is compared with, whose score a longer training would beat by itself.

Depth phase. Start at `min_depth`, at the widest network that fits; double the depth while each
doubling passes. From the first refusal on, halve the step and try between: from the deepest that
passed, upwards. No step is less than a quarter of the depth that it starts from: the gain of less
drowns in the noise. The phase also ends at the deepest that fits, up to `max_depth`, and where the
incumbent reaches `target_accuracy - target_tolerance` or fits its training data perfectly. While
not one network was trained to its end, the depth doubles on; `depth_patience` fails are forgiven.

Width phase, at the depth found. Take a quarter of the width off, rounded down, as much again while
that passes. From the first refusal on, halve the step. No step is less than a quarter, rounded
down, of the width that it starts from, less than `width_step`, or leads below `min_width`.

Bars. A deeper network passes with any gain, a tie is none: so short a training shows less of what
depth brings than the final one does, and the steps are few and large. A narrower one passes with
a gain that an equal one would show with the chance `level` only (`least_gain`); where `n_valid` is
not known, or the scores are no fractions, with any gain as well. In doubt the wider one stays: to
find a small network, set `max_params` or `max_macs`.

Not used: `epochs_per_layer`, `epochs_per_width_step`, `depth_gain`, `depth_slack`,
`width_patience`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..._core.budget import Size, cost_epochs
from ..._core.history import Candidate
from ..._core.noise import least_gain
from ..._core.proposal import Bar, Done, Found, Incumbent, Position, Proposal, Step, Verdict
from .architecture import Architecture, chain_of
from .bounds import MacroBounds, is_satisfied, widest_chain
from .ladder import Ladder

SHARE = 4
"""The least step is this fraction of where it starts from."""


def begin(space: MacroBounds) -> Position:
    """The automaton at its start; see the module for its rules."""
    ladder = Ladder(at=0, step=space.min_depth)
    first = _try_depth(space, ladder, None, fails=0, likely=Verdict.BASELINE)
    assert first is not None, "a space in which nothing fits is refused at birth"
    return first


def epochs_of(space: MacroBounds, depth: int) -> int:
    """The budget of all networks of a depth."""
    reference = Architecture.chain(depth=2 * space.min_depth, width=space.max_width)
    widest = widest_chain(space, depth)
    assert widest is not None, "depths that do not fit are not asked for"
    size = _size(space, widest)
    return cost_epochs(
        depth=size.depth,
        params=size.params,
        macs=size.macs,
        base=space.base_epochs,
        reference=_size(space, reference),
    )


def max_epochs(space: MacroBounds) -> int:
    """Epochs of the longest training that the rules can ask for."""
    return max(epochs_of(space, depth) for depth in range(space.min_depth, _deepest(space) + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deepening:
    """The state in the depth phase; `incumbent` is None until one was trained to the end."""

    space: MacroBounds = field(compare=False)
    proposal: Proposal = field(compare=False)
    ladder: Ladder
    incumbent: Incumbent | None
    fails: int

    def after(self, step: Step) -> Position | Done:
        incumbent = step.as_incumbent() if step.passed else self.incumbent
        # A network that nothing is known of is passed by, as if it had been accepted.
        ladder = self.ladder.after(passed=step.passed or incumbent is None, growth=self._growth)
        fails = self.fails + (incumbent is None)
        if fails > self.space.depth_patience:
            return Done(found=None)
        if not is_satisfied(self.space, incumbent):
            deeper = _try_depth(self.space, ladder, incumbent, fails=fails)
            if deeper is not None:
                return deeper
        if incumbent is None:
            return Done(found=None)
        width = chain_of(incumbent.candidate).width
        narrowing = Ladder(at=0, step=width // 4)
        return _try_width(self.space, narrowing, incumbent, widest=width)

    @property
    def _growth(self) -> int:
        """The first step led to the least depth; as far again doubles it."""
        return 1 if self.ladder.at == 0 else 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Narrowing:
    """The state in the width phase; the ladder counts the channels taken off the `widest`."""

    space: MacroBounds = field(compare=False)
    proposal: Proposal = field(compare=False)
    ladder: Ladder
    incumbent: Incumbent
    widest: int

    def after(self, step: Step) -> Position | Done:
        incumbent = step.as_incumbent() if step.passed else self.incumbent
        ladder = self.ladder.after(passed=step.passed)
        return _try_width(self.space, ladder, incumbent, widest=self.widest)


def _try_depth(
    space: MacroBounds,
    ladder: Ladder,
    incumbent: Incumbent | None,
    *,
    fails: int,
    likely: Verdict | None = None,
) -> _Deepening | None:
    """The next depth, or None where the ladder ends."""
    ladder = ladder.below(_deepest(space))
    if ladder.step * SHARE < max(ladder.at, 1):
        return None
    architecture = widest_chain(space, ladder.next)
    assert architecture is not None, "the deepest that fits bounds the ladder"
    bar = None if likely else Bar(incumbent=incumbent, strict=True)
    assumed = Verdict.REFUSED if ladder.refining else Verdict.ACCEPTED
    proposal = _ask(space, "depth", architecture, bar, likely or assumed)
    return _Deepening(
        space=space, proposal=proposal, ladder=ladder, incumbent=incumbent, fails=fails
    )


def _try_width(
    space: MacroBounds, ladder: Ladder, incumbent: Incumbent, *, widest: int
) -> Position | Done:
    """The next width, or the end."""
    ladder = ladder.below(widest - space.min_width)
    least = max(space.width_step, (widest - ladder.at) // SHARE)
    if ladder.step < least:
        best = incumbent.candidate
        assert best.epochs is not None
        found = Found(architecture=best.architecture, score=incumbent.score, epochs=best.epochs)
        return Done(found=found)
    depth = chain_of(incumbent.candidate).depth
    architecture = Architecture.chain(depth=depth, width=widest - ladder.next)
    bar = Bar(incumbent=incumbent, gain=_gain(space, incumbent), strict=True)
    proposal = _ask(space, "width", architecture, bar, Verdict.REFUSED)
    return _Narrowing(
        space=space, proposal=proposal, ladder=ladder, incumbent=incumbent, widest=widest
    )


def _gain(space: MacroBounds, incumbent: Incumbent) -> float:
    """What a narrower network must gain; 0 where that cannot be known, or not yet."""
    if incumbent.score is None or space.n_valid is None or abs(incumbent.score) > 1:
        return 0.0
    return least_gain(incumbent.score, space.n_valid, space.level)


def _ask(
    space: MacroBounds, phase: str, architecture: Architecture, bar: Bar | None, likely: Verdict
) -> Proposal:
    candidate = Candidate(architecture=architecture, epochs=epochs_of(space, architecture.depth))
    return Proposal(candidate=candidate, phase=phase, bar=bar, likely=likely)


def _deepest(space: MacroBounds) -> int:
    """The deepest that fits at the least width; a layer more never makes a network smaller."""
    low, high = space.min_depth, space.max_depth
    while low < high:
        middle = (low + high + 1) // 2
        if space.fits(Architecture.chain(depth=middle, width=space.min_width)):
            low = middle
        else:
            high = middle - 1
    return low


def _size(space: MacroBounds, architecture: Architecture) -> Size:
    return Size(
        depth=architecture.depth,
        params=space.params(architecture),
        macs=space.macs(architecture),
    )
