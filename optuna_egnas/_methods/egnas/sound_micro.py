"""The micro search of policy `sound`: whole blocks of layers, from the ends where they cost least.

Start from the macro result, all `sep` with 3x3 kernels: the baseline.

Budgets. Every candidate is trained for `epochs`, in linked studies for one more than the macro
result (`epochs_after`). So the baseline is measured afresh: the score for which it was chosen out
of several is too high by luck, and no change would look like a gain beside it.

Operations, each other one in the space's order: put it into the first two thirds of the layers, a
change that is large enough to differ from the noise; where that is refused, into the first third
only, where the network is narrowest and a full convolution is cheap. Each network has the widest
width (down from that of the pass's start) that keeps to its parameters plus `param_slack`.

Kernels, each other one: put it into the last third of the layers, where maps are smallest; where
that passes, into two thirds. Smaller blocks are not tried in either.

A change passes with any gain, a tie is none. It keeps to the parameters that it starts from, so
that little is lost where luck has decided, and a bar above the noise would refuse nearly every
real gain as well.

Final: where `finalists` is set and weights are not inherited, the networks that may be best are
trained anew, all for equally long: the network found, the largest that fits, the macro result, and
networks on the way that lie within one standard error of the best and have fewer parameters. At
most `finalists` of them, at most three trainings each, and together at most a quarter of all
epochs of the search, these included; none where not even two are allowed. The best mean wins, of
equals the smaller network. Round by round the trainings are one epoch longer, so that none is a
repetition.

Confirm: where `confirm_epochs` is set, the network found is trained once more for so long, unless
it just was, from scratch. This decides nothing. In linked studies None means none: all scores
compare; where weights are inherited, they do not, and None means `epochs`.
A baseline that has stayed is its own confirmation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate
from statistics import fmean
from typing import NamedTuple

from ..._core.history import Candidate
from ..._core.noise import standard_error
from ..._core.proposal import FINAL, Bar, Done, Found, Incumbent, Position, Proposal, Step, Verdict
from .architecture import Architecture, chain_of
from .bounds import MicroBounds
from .cost import widest

REPLICATES = 3
"""Most trainings of a finalist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """One choice that is put into some of the layers of the network `start`."""

    phase: str
    choice: str | int
    start: Architecture


class _Seen(NamedTuple):
    """A network that was trained, and its score; None where it has no finite one."""

    network: Architecture
    score: float | None

    @classmethod
    def of(cls, step: Step) -> _Seen:
        score = None if step.guessed else step.score
        finite = score is not None and math.isfinite(score)
        return cls(chain_of(step.proposal.candidate), score if finite else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """What was trained so far, in its order, and the best of it."""

    best: Incumbent | None
    seen: tuple[_Seen, ...]

    def after(self, step: Step) -> _Way:
        best = step.as_incumbent() if step.passed else self.best
        return _Way(best=best, seen=(*self.seen, _Seen.of(step)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measuring:
    """The state while the baseline is trained."""

    space: MicroBounds = field(compare=False)
    proposal: Proposal = field(compare=False)

    def after(self, step: Step) -> Position | Done:
        best = step.as_incumbent() if step.passed else None
        way = _Way(best=best, seen=(_Seen.of(step),))
        return _next_pass(self.space, chain_of(self.proposal.candidate), way, done=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Switching:
    """The state in pass `number`; `left` holds the numbers of layers that are still to be
    tried."""

    space: MicroBounds = field(compare=False)
    proposal: Proposal = field(compare=False)
    run: _Pass
    number: int
    left: tuple[int, ...]
    way: _Way

    def after(self, step: Step) -> Position | Done:
        goes_on = step.passed == (self.run.phase == "kernels")
        counts = self.left if goes_on else ()
        way = self.way.after(step)
        return _switch(self.space, self.run, way, counts=counts, number=self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparing:
    """At the finalists; `left` are those still to be trained after this one."""

    space: MicroBounds = field(compare=False)
    proposal: Proposal = field(compare=False)
    left: tuple[Candidate, ...]
    found: Found
    seen: tuple[_Seen, ...]

    def after(self, step: Step) -> Position | Done:
        seen = (*self.seen, _Seen.of(step))
        return _compare(self.space, self.left, self.found, seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Confirming:
    """The state in the last training, that of the network found."""

    space: MicroBounds = field(compare=False)
    proposal: Proposal = field(compare=False)
    found: Found

    def after(self, step: Step) -> Position | Done:
        return Done(found=replace(self.found, confirmed=step.score))


def begin(space: MicroBounds) -> Position:
    """The automaton at its start; see the module for its rules."""
    proposal = _ask(space, "ops", baseline(space), None, likely=Verdict.BASELINE)
    return _Measuring(space=space, proposal=proposal)


def epochs_after(macro: int) -> int:
    """The epochs of all candidates after a macro result that was trained for so many."""
    return macro + 1


def baseline(space: MicroBounds) -> Architecture:
    """The macro result, narrowed where it does not fit."""
    chain = partial(_with_width, Architecture.chain(depth=space.depth, width=space.width))
    start = widest(chain, space.fits, at_most=space.width)
    assert start is not None, "a space in which nothing fits is refused at birth"
    return start


def _next_pass(
    space: MicroBounds, start: Architecture, way: _Way, *, done: int
) -> Position | Done:
    """The pass after so many, or the end; `start` is the network so far."""
    choices = _choices(space)
    if done == len(choices):
        return _end(space, start, way)
    phase, choice = choices[done]
    run = _Pass(phase=phase, choice=choice, start=start)
    return _switch(space, run, way, counts=_counts(space, phase), number=done)


def _switch(
    space: MicroBounds, run: _Pass, way: _Way, *, counts: tuple[int, ...], number: int
) -> Position | Done:
    """The choice in the first of these numbers of layers that fits, or the next pass."""
    for index, count in enumerate(counts, start=1):
        fitting = _fit(space, run, count)
        if fitting is not None:
            bar = Bar(incumbent=way.best, strict=True)
            return _Switching(
                space=space,
                proposal=_ask(space, run.phase, fitting, bar),
                run=run,
                number=number,
                left=counts[index:],
                way=way,
            )
    start = chain_of(way.best.candidate) if way.best else run.start
    return _next_pass(space, start, way, done=number + 1)


def _counts(space: MicroBounds, phase: str) -> tuple[int, ...]:
    """Numbers of layers in which a choice is tried; one or two layers keep their last one."""
    third = max(1, space.depth // 3)
    both = (third, 2 * third) if 2 * third < space.depth else (third,)
    return both if phase == "kernels" else both[::-1]


def _fit(space: MicroBounds, run: _Pass, count: int) -> Architecture | None:
    """The widest with the choice in so many layers that keeps to the pass's budget."""
    changed = _changed(run, count)
    fits = partial(space.fits, max_params=space.params(run.start) + space.param_slack)
    return widest(partial(_with_width, changed), fits, at_most=run.start.width)


def _changed(run: _Pass, count: int) -> Architecture:
    ops, kernels, depth = run.start.ops, run.start.kernels, run.start.depth
    if run.phase == "ops":
        return replace(run.start, ops=(str(run.choice),) * count + ops[count:])
    return replace(run.start, kernels=kernels[: depth - count] + (int(run.choice),) * count)


def _end(space: MicroBounds, network: Architecture, way: _Way) -> Position | Done:
    score = way.best.score if way.best else None
    found = Found(architecture=network, score=score, epochs=space.epochs)
    if way.best is None:
        return Done(found=found)
    return _compare(space, final_trainings(space, network, way.seen), found, ())


def _compare(
    space: MicroBounds, left: tuple[Candidate, ...], found: Found, seen: tuple[_Seen, ...]
) -> Position | Done:
    """The next training of a finalist, or the choice among them."""
    if not left:
        return _confirm(space, _winner(space, found, seen))
    proposal = Proposal(candidate=left[0], phase=FINAL, bar=None, likely=Verdict.MEASURED)
    return _Comparing(space=space, proposal=proposal, left=left[1:], found=found, seen=seen)


def final_trainings(
    space: MicroBounds, network: Architecture, seen: Sequence[_Seen]
) -> tuple[Candidate, ...]:
    """The trainings of the finalists, in their order, the network found first."""
    if not space.finalists or space.inherit is not None:
        return ()
    listed = _finalists(space, network, seen)
    # A quarter of all epochs, these included.
    most = (space.earlier_epochs + space.epochs * len(seen)) // 3
    trainings = [
        Candidate(architecture=each, epochs=space.epochs + replicate)
        for replicate in range(1, REPLICATES + 1)
        for each in listed
    ]
    spent = accumulate(training.epochs or 0 for training in trainings)
    allowed = [
        training for training, epochs in zip(trainings, spent, strict=True) if epochs <= most
    ]
    return tuple(allowed) if len({each.architecture for each in allowed}) > 1 else ()


def _finalists(
    space: MicroBounds, network: Architecture, seen: Sequence[_Seen]
) -> list[Architecture]:
    """The network found, the largest that fits, the start, and the smaller ones that are near."""
    listed = [network]
    if space.largest is not None:
        listed.append(Architecture.chain(depth=space.largest[0], width=space.largest[1]))
    listed.append(baseline(space))
    known = [each for each in seen if each.score is not None]
    if known:
        best = max(each.score or 0.0 for each in known)
        least = best - standard_error(best, space.n_valid)
        near = [each for each in known if (each.score or 0.0) >= least]
        near.sort(key=lambda each: -(each.score or 0.0))
        most = space.params(network)
        listed += [each.network for each in near if space.params(each.network) < most]
    return list(dict.fromkeys(listed))[: space.finalists]


def _winner(space: MicroBounds, found: Found, seen: Sequence[_Seen]) -> Found:
    """The finalist with the best mean score; of equals the one with fewest parameters."""
    scores: dict[Architecture, list[float]] = {}
    for each in seen:
        if each.score is not None:
            scores.setdefault(each.network, []).append(each.score)
    if not scores:
        return found
    means = {network: round(fmean(values), 12) for network, values in scores.items()}
    best = min(means, key=lambda network: (-means[network], space.params(network)))
    return replace(found, architecture=best, score=means[best])


def _confirm(space: MicroBounds, found: Found) -> Position | Done:
    same = space.confirm_epochs == space.epochs and space.inherit is None
    if not space.confirm_epochs or same:
        return Done(found=found)
    candidate = Candidate(architecture=found.architecture, epochs=space.confirm_epochs)
    proposal = Proposal(candidate=candidate, phase="confirm", bar=None, likely=Verdict.CONFIRMED)
    return _Confirming(space=space, proposal=proposal, found=found)


def _choices(space: MicroBounds) -> tuple[tuple[str, str | int], ...]:
    """All passes in their order: each operation, then each kernel size, but those of the start."""
    start = Architecture.chain(depth=1, width=1)
    ops: list[tuple[str, str | int]] = [
        ("ops", op) for op in space.operations if op not in start.ops
    ]
    kernels: list[tuple[str, str | int]] = [
        ("kernels", size) for size in space.kernels if size not in start.kernels
    ]
    return (*ops, *kernels)


def _ask(
    space: MicroBounds,
    phase: str,
    architecture: Architecture,
    bar: Bar | None,
    *,
    likely: Verdict = Verdict.REFUSED,
) -> Proposal:
    candidate = Candidate(architecture=architecture, epochs=space.epochs)
    return Proposal(candidate=candidate, phase=phase, bar=bar, likely=likely)


def _with_width(architecture: Architecture, width: int) -> Architecture:
    return replace(architecture, width=width)
