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

from ..errors import InvalidSpace
from . import sound_micro
from .architecture import Architecture, check_kernel, replaced
from .cost import widest
from .history import Candidate
from .inheritance import inheriting
from .operations import operation
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
)
from .space import (
    MOST_CHANNELS,
    MOST_EPOCHS,
    MOST_LAYERS,
    Space,
    check_integer,
    check_shared,
    check_smallest_fits,
)
from .text import short

START_OP, START_KERNEL = "sep", 3


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Best:
    """The network so far; `incumbent` is None until one was trained to the end."""

    architecture: Architecture
    incumbent: Incumbent | None = None

    def after(self, step: Step) -> _Best:
        if not step.passed:
            return self
        incumbent = step.as_incumbent()
        return _Best(architecture=incumbent.candidate.architecture, incumbent=incumbent)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """One pass over the layers: its phase, and the network that it began with."""

    phase: Phase
    start: Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measuring:
    """At the baseline."""

    space: MicroSpace = field(compare=False)
    proposal: Proposal = field(compare=False)

    def after(self, step: Step) -> Position | Done:
        start = self.proposal.candidate.architecture
        return _next_pass(self.space, "ops", _Best(architecture=start).after(step))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Switching:
    """In a pass, trying a choice for a layer; `left` are the layer's choices after that."""

    space: MicroSpace = field(compare=False)
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
    """At the last training, of what was found."""

    space: MicroSpace = field(compare=False)
    proposal: Proposal = field(compare=False)
    found: Found

    def after(self, step: Step) -> Position | Done:
        return Done(found=replace(self.found, confirmed=step.score))


def _next_pass(space: MicroSpace, phase: Phase, best: _Best) -> Position | Done:
    run = _Pass(phase=phase, start=best.architecture)
    choices = _alternatives(space, phase, best.architecture, 0)
    return _switch(space, run, best, layer=0, choices=choices)


def _switch(
    space: MicroSpace, run: _Pass, best: _Best, *, layer: int, choices: tuple[str | int, ...]
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
def _fit(space: MicroSpace, run: _Pass, changed: Architecture) -> Architecture | None:
    """The widest that keeps to the budget; every width starts anew from the pass's network."""
    budget = space.params(run.start) + space.param_slack
    fits = partial(space.fits, max_params=budget)
    return widest(partial(_with_width, changed), fits, at_most=run.start.width)


def _end(space: MicroSpace, best: _Best) -> Position | Done:
    score = best.incumbent.score if best.incumbent else None
    found = Found(architecture=best.architecture, score=score, epochs=space.epochs)
    if not (space.confirm_epochs and best.incumbent):
        return Done(found=found)
    candidate = Candidate(architecture=best.architecture, epochs=space.confirm_epochs)
    proposal = Proposal(candidate=candidate, phase="confirm", bar=None, likely=Verdict.CONFIRMED)
    return _Confirming(space=space, proposal=proposal, found=found)


def _ask(
    space: MicroSpace,
    phase: Phase,
    architecture: Architecture,
    bar: Bar | None,
    *,
    likely: Verdict = Verdict.REFUSED,
) -> Proposal:
    candidate = Candidate(architecture=architecture, epochs=space.epochs)
    return Proposal(candidate=candidate, phase=phase, bar=bar, likely=likely)


def _alternatives(
    space: MicroSpace, phase: Phase, architecture: Architecture, layer: int
) -> tuple[str | int, ...]:
    """All choices but the one that the layer starts with."""
    if phase == "ops":
        return tuple(op for op in space.operations if op != architecture.ops[layer])
    return tuple(size for size in space.kernels if size != architecture.kernels[layer])


def _changed(
    architecture: Architecture, phase: Phase, layer: int, choice: str | int
) -> Architecture:
    if phase == "ops":
        return replace(architecture, ops=replaced(architecture.ops, layer, choice))
    return replace(architecture, kernels=replaced(architecture.kernels, layer, choice))


def _with_width(architecture: Architecture, width: int) -> Architecture:
    return replace(architecture, width=width)


def _check_choices(name: str, choices: tuple[object, ...], start: object) -> None:
    if start not in choices:
        raise InvalidSpace(
            f"`{name}` must hold {start!r}, with which the search starts, but got "
            f"{short(choices)}."
        )
    if len(set(choices)) != len(choices):
        raise InvalidSpace(f"`{name}` must not repeat a choice, but got {short(choices)}.")
