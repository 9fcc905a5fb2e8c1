"""The macro search: depth first, then width (arXiv 2502.03553, policy `paper`).

Policy `sound` has rules of its own, on the same space: see `sound_macro.py`.

Every candidate is a uniform chain of 3x3 separable convolutions, trained from scratch.

Depth phase. Start at `min_depth`, at the widest network that fits. Add one layer per attempt; the
epochs grow with every attempt. A gain of `depth_gain` is accepted; a loss within `depth_slack` is
neutral; anything else is a fail. The phase ends with the fail after `depth_patience` fails since
the last accepted attempt, at `max_depth`, where not even `min_width` fits, or when the incumbent
reaches `target_accuracy - target_tolerance` or fits its training data perfectly.

Width phase, at the depth found. Take `width_step` off per attempt, down to `min_width`, with
more epochs each time. A score that is at least the incumbent's is accepted; the phase ends with
the fail after `width_patience` fails in a row, while the width goes on shrinking.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..._core.history import Candidate
from ..._core.proposal import Bar, Done, Found, Incumbent, Position, Proposal, Step, Verdict
from .architecture import Architecture, chain_of
from .bounds import MacroBounds, is_satisfied, widest_chain


def begin(space: MacroBounds) -> Position:
    """The automaton at its start; see the module for its rules."""
    first = widest_chain(space, space.min_depth)
    assert first is not None, "a space in which nothing fits is refused at birth"
    proposal = _ask(space, "depth", first, None, likely=Verdict.BASELINE)
    return _Deepening(space=space, proposal=proposal)


def max_epochs(space: MacroBounds) -> int:
    """Epochs of the longest training that the rules can ask for."""
    return attempt_epochs(
        base=space.base_epochs,
        depth_attempts=space.max_depth - space.min_depth,
        per_depth_attempt=space.epochs_per_layer,
        width_attempts=(space.max_width - space.min_width) // space.width_step,
        per_width_attempt=space.epochs_per_width_step,
    )


def attempt_epochs(
    *,
    base: int,
    depth_attempts: int,
    per_depth_attempt: int,
    width_attempts: int = 0,
    per_width_attempt: int = 0,
) -> int:
    """The epochs of a candidate after a number of attempts in each phase, itself included."""
    return base + depth_attempts * per_depth_attempt + width_attempts * per_width_attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deepening:
    """The state in the depth phase; `incumbent` is None until one was trained to the end.

    `attempts` is 0 at the first network, whose failure is no fail of the phase.
    """

    space: MacroBounds = field(compare=False)
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
    """The state in the width phase, after `depth_attempts` in the depth phase."""

    space: MacroBounds = field(compare=False)
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
            tried=chain_of(self.proposal.candidate),
            depth_attempts=self.depth_attempts,
            attempts=self.attempts,
            fails=0 if accepted else self.fails + 1,
        )


def _deepen(
    space: MacroBounds, incumbent: Incumbent | None, *, attempts: int, fails: int
) -> Position | Done:
    """Ask for one layer more, or begin the width phase where the depth phase has ended."""
    depth = space.min_depth + attempts + 1
    deeper = widest_chain(space, depth) if depth <= space.max_depth else None
    if deeper is None or fails > space.depth_patience or is_satisfied(space, incumbent):
        if incumbent is None:
            return Done(found=None)
        start = chain_of(incumbent.candidate)
        return _narrow(space, incumbent, tried=start, depth_attempts=attempts)
    bar = Bar(incumbent=incumbent, gain=space.depth_gain, slack=space.depth_slack)
    attempts += 1
    proposal = _ask(space, "depth", deeper, bar, depth_attempts=attempts)
    return _Deepening(
        space=space, proposal=proposal, incumbent=incumbent, attempts=attempts, fails=fails
    )


def _narrow(
    space: MacroBounds,
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
        architecture, epochs = chain_of(incumbent.candidate), incumbent.candidate.epochs
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


def _ask(  # noqa: PLR0913 - one per variable of the rules
    space: MacroBounds,
    phase: str,
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
