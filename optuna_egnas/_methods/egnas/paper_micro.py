"""The micro search: each layer's operation, then its kernel size (arXiv 2502.03553, `paper`).

Policy `sound` has rules of its own, on the same space: see `sound_micro.py`.

Start from the macro result, all `sep` with 3x3 kernels, and measure it afresh: the baseline.

Operations, front to back: put each other operation into the layer, in the space's order, at the
widest width (down from the macro's) that keeps to the budget, the macro result's parameters plus
`param_slack`. Strictly better than the incumbent: the layer keeps it. Else it changes back.

Kernels, front to back, the same from the width that the operations ended with, under a budget of
that network's parameters plus `param_slack`. The incumbent's score carries over.

Confirm: where `confirm_epochs` is set, the network found is trained once more for so long. This
decides nothing; it gives a score that compares with the macro search's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

from ..._core.history import Candidate
from ..._core.proposal import Bar, Done, Found, Incumbent, Position, Proposal, Step, Verdict
from .architecture import Architecture, chain_of, replaced
from .bounds import MicroBounds
from .cost import widest


def begin(space: MicroBounds) -> Position:
    """The automaton at its start; see the module for its rules."""
    chain = partial(_with_width, Architecture.chain(depth=space.depth, width=space.width))
    start = widest(chain, space.fits, at_most=space.width)
    assert start is not None, "a space in which nothing fits is refused at birth"
    proposal = _ask(space, "ops", start, None, likely=Verdict.BASELINE)
    return _Measuring(space=space, proposal=proposal)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Best:
    """The network so far; `incumbent` is None until one was trained to the end."""

    architecture: Architecture
    incumbent: Incumbent | None = None

    def after(self, step: Step) -> _Best:
        if not step.passed:
            return self
        incumbent = step.as_incumbent()
        return _Best(architecture=chain_of(incumbent.candidate), incumbent=incumbent)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """One pass over the layers: its phase, and the network that it began with."""

    phase: str
    start: Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measuring:
    """The state while the baseline is trained."""

    space: MicroBounds = field(compare=False)
    proposal: Proposal = field(compare=False)

    def after(self, step: Step) -> Position | Done:
        start = chain_of(self.proposal.candidate)
        return _next_pass(self.space, "ops", _Best(architecture=start).after(step))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Switching:
    """The state in a pass, trying a choice for a layer; `left` are the layer's next choices."""

    space: MicroBounds = field(compare=False)
    proposal: Proposal = field(compare=False)
    run: _Pass
    best: _Best
    layer: int
    left: tuple[str | int, ...]

    def after(self, step: Step) -> Position | Done:
        best = self.best.after(step)
        return _switch(self.space, self.run, best, layer=self.layer, choices=self.left)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Confirming:
    """The state in the last training, that of the network found."""

    space: MicroBounds = field(compare=False)
    proposal: Proposal = field(compare=False)
    found: Found

    def after(self, step: Step) -> Position | Done:
        return Done(found=replace(self.found, confirmed=step.score))


def _next_pass(space: MicroBounds, phase: str, best: _Best) -> Position | Done:
    run = _Pass(phase=phase, start=best.architecture)
    choices = _alternatives(space, phase, best.architecture, 0)
    return _switch(space, run, best, layer=0, choices=choices)


def _switch(
    space: MicroBounds, run: _Pass, best: _Best, *, layer: int, choices: tuple[str | int, ...]
) -> Position | Done:
    """The next change that fits: of this layer, of a later one, or in the next pass."""
    while True:
        for index, choice in enumerate(choices, start=1):
            fitting = _fit(space, run, _changed(best.architecture, run.phase, layer, choice))
            if fitting is not None:
                bar = Bar(incumbent=best.incumbent, strict=True)
                return _Switching(
                    space=space,
                    proposal=_ask(space, run.phase, fitting, bar),
                    run=run,
                    best=best,
                    layer=layer,
                    left=choices[index:],
                )
        layer += 1
        if layer == space.depth:
            break
        choices = _alternatives(space, run.phase, best.architecture, layer)
    return _next_pass(space, "kernels", best) if run.phase == "ops" else _end(space, best)


@lru_cache(maxsize=4096)  # A look ahead asks for the same ones again at every answer.
def _fit(space: MicroBounds, run: _Pass, changed: Architecture) -> Architecture | None:
    """The widest that keeps to the budget; every width starts anew from the pass's network."""
    budget = space.params(run.start) + space.param_slack
    fits = partial(space.fits, max_params=budget)
    return widest(partial(_with_width, changed), fits, at_most=run.start.width)


def _end(space: MicroBounds, best: _Best) -> Position | Done:
    score = best.incumbent.score if best.incumbent else None
    found = Found(architecture=best.architecture, score=score, epochs=space.epochs)
    if not (space.confirm_epochs and best.incumbent):
        return Done(found=found)
    candidate = Candidate(architecture=best.architecture, epochs=space.confirm_epochs)
    proposal = Proposal(candidate=candidate, phase="confirm", bar=None, likely=Verdict.CONFIRMED)
    return _Confirming(space=space, proposal=proposal, found=found)


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


def _alternatives(
    space: MicroBounds, phase: str, architecture: Architecture, layer: int
) -> tuple[str | int, ...]:
    """All choices but the one that the layer starts with."""
    if phase == "ops":
        return tuple(op for op in space.operations if op != architecture.ops[layer])
    return tuple(size for size in space.kernels if size != architecture.kernels[layer])


def _changed(
    architecture: Architecture, phase: str, layer: int, choice: str | int
) -> Architecture:
    if phase == "ops":
        return replace(architecture, ops=replaced(architecture.ops, layer, choice))
    return replace(architecture, kernels=replaced(architecture.kernels, layer, choice))


def _with_width(architecture: Architecture, width: int) -> Architecture:
    return replace(architecture, width=width)
