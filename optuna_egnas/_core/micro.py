"""The micro search: each layer's operation, then its kernel size (arXiv 2502.03553, `paper`).

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

from dataclasses import dataclass, replace
from functools import partial

from ..errors import InvalidSpace
from .architecture import Architecture, check_kernel, replaced
from .cost import widest
from .history import Candidate
from .operations import operation
from .proposal import Bar, Found, Incumbent, Moves, Phase, Proposal, Step, Verdict
from .space import Space, check_integer, check_shared, check_smallest_fits

START_OP, START_KERNEL = "sep", 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroSpace(Space):
    """Operations and kernel sizes to search, and where to start from; see the module.

    Args:
        depth, width: the network to start from, in linked studies what the macro search found.
        operations: names of operations, `sep` among them, in the order in which they are tried.
        kernels: odd kernel sizes, 3 among them, in the order in which they are tried.
        epochs: epochs of every candidate.
        param_slack: parameters that a phase may add to the network that it starts from.
        confirm_epochs: epochs of one last training of the result; 0 for none; None, in linked
            studies, for those of the macro result.

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
        for name in ("depth", "width", "epochs"):
            check_integer(name, getattr(self, name), at_least=1)
        check_integer("param_slack", self.param_slack, at_least=0)
        if self.confirm_epochs is not None:
            check_integer("confirm_epochs", self.confirm_epochs, at_least=0)
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

    def moves(self) -> Moves[Found]:
        """The automaton; see the module for its rules."""
        chain = partial(_with_width, Architecture.chain(depth=self.depth, width=self.width))
        start = widest(chain, self.fits, at_most=self.width)
        assert start is not None, "a space in which nothing fits is refused at birth"
        step = yield _ask(self, "ops", start, None, likely=Verdict.BASELINE)
        best = _Best(architecture=start).after(step)
        best = yield from _search_layers(self, "ops", best)
        best = yield from _search_layers(self, "kernels", best)
        score = best.incumbent.score if best.incumbent else None
        found = Found(architecture=best.architecture, score=score, epochs=self.epochs)
        if self.confirm_epochs and best.incumbent:
            step = yield _confirm(best.architecture, self.confirm_epochs)
            found = replace(found, confirmed=step.score)
        return found


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


def _search_layers(space: MicroSpace, phase: Phase, best: _Best) -> Moves[_Best]:
    """One pass over the layers; every width starts anew from the pass's first network."""
    at_most = best.architecture.width
    budget = space.params(best.architecture) + space.param_slack
    for layer in range(space.depth):
        for choice in _alternatives(space, phase, best.architecture, layer):
            fitting = widest(
                partial(_with_width, _changed(best.architecture, phase, layer, choice)),
                partial(space.fits, max_params=budget),
                at_most=at_most,
            )
            if fitting is None:
                continue
            bar = Bar(incumbent=best.incumbent, strict=True)
            step = yield _ask(space, phase, fitting, bar)
            best = best.after(step)
    return best


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


def _confirm(architecture: Architecture, epochs: int) -> Proposal:
    candidate = Candidate(architecture=architecture, epochs=epochs)
    return Proposal(candidate=candidate, phase="confirm", bar=None, likely=Verdict.CONFIRMED)


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
            f"`{name}` must hold {start!r}, with which the search starts, but got {choices}."
        )
    if len(set(choices)) != len(choices):
        raise InvalidSpace(f"`{name}` must not repeat a choice, but got {choices}.")
