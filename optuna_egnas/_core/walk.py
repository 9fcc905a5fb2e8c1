"""From a history to the next step: the walk so far, and the proposal that follows.

Everything is computed from the history alone: an automaton is run from its start, and the frontier
of any other method is asked again, one answer after the other.
What lies beyond the last decided step is speculation: see `frontier.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Protocol

from ..errors import SearchError
from .history import Candidate, History
from .odds import Prior
from .proposal import Bar, Done, Position, Proposal, Step, Verdict, Walk, judge
from .text import short


class Automaton(Protocol):
    """What a space must bring whose rules are an automaton."""

    @property
    def n_valid(self) -> int | None:
        """Number of validation images, if known."""

    @property
    def priors(self) -> Mapping[str, Prior]:
        """What is expected of each phase."""

    def chance_of_perfect_fit(self, phase: str) -> float:
        """The chance that a network kept in this phase fits its training data perfectly."""

    def begin(self) -> Position:
        """Its automaton, at the start."""


def propose(space: Automaton, history: History) -> Proposal | Done:
    """The next training that the rules ask for, whether or not it is already in flight."""
    return follow(space, history).next


def follow(space: Automaton, history: History) -> Walk:
    """The walk as far as it is decided."""
    steps, position = decided_steps(space, history)
    end = position if isinstance(position, Done) else position.proposal
    return Walk(steps=steps, next=end)


def decided_steps(space: Automaton, history: History) -> tuple[tuple[Step, ...], Position | Done]:
    """The decided steps, and the position of the automaton after them."""
    steps: list[Step] = []
    position: Position | Done = space.begin()
    while not isinstance(position, Done):
        step = _decide(space, history, position.proposal)
        if step is None:
            break
        steps.append(step)
        position = position.after(step)
    return tuple(steps), position


def step_of(space: Automaton, history: History, candidate: Candidate) -> Step | None:
    """The first step on the likeliest path that trains this candidate; None: it is off it."""
    steps = _likely_steps(space, history)
    return next((step for step in steps if step.proposal.candidate == candidate), None)


def _likely_steps(space: Automaton, history: History) -> Iterator[Step]:
    """All steps to the end; where an answer is missing, the verdict is the likeliest."""
    position: Position | Done = space.begin()
    while not isinstance(position, Done):
        proposal = position.proposal
        step = _decide(space, history, proposal) or Step(
            proposal=proposal,
            outcome=history.outcome(proposal.candidate),
            verdict=proposal.likely,
            guessed=True,
        )
        yield step
        position = position.after(step)


def _decide(space: Automaton, history: History, proposal: Proposal) -> Step | None:
    outcome = history.outcome(proposal.candidate)
    verdict = judge(proposal, outcome, space.n_valid)
    return verdict and Step(proposal=proposal, outcome=outcome, verdict=verdict)


class Proposing(Protocol):
    """What a space must bring whose rules are no automaton."""

    method: ClassVar[str]

    @property
    def n_valid(self) -> int | None:
        """Number of validation images, if known."""

    def frontier(self, history: History, k: int = 1) -> tuple[Proposal, ...] | Done:
        """The next trainings that nobody has; none: wait."""


def answered(space: Proposing, history: History) -> Walk:
    """The proposals of a frontier in their order, each with its answer, up to the first without.

    A proposal that brings no bar is compared with the best before it: strictly better is
    accepted.
    """
    known, steps = History(), list[Step]()
    best: Step | None = None
    while True:
        ahead = space.frontier(known)
        if isinstance(ahead, Done):
            return Walk(steps=tuple(steps), next=ahead)
        # Nothing is in flight, and so there is nothing to wait for.
        if not (isinstance(ahead, (tuple, list)) and ahead and isinstance(ahead[0], Proposal)):
            raise SearchError(
                f"`{type(space).__name__}.frontier` of the method {space.method!r} must return "
                f"proposals, or Done, while nothing is in flight, but returned {short(ahead)}."
            )
        asked = ahead[0]
        if asked.bar is None and best is not None:
            asked = _compared(asked, best)
        outcome = history.outcome(asked.candidate)
        verdict = judge(asked, outcome, space.n_valid)
        if outcome is None or verdict is None:
            return Walk(steps=tuple(steps), next=asked)
        known = known.with_outcome(asked.candidate, outcome)
        step = Step(proposal=asked, outcome=outcome, verdict=verdict)
        best = step if step.passed else best
        steps.append(step)


def _compared(asked: Proposal, best: Step) -> Proposal:
    return Proposal(
        candidate=asked.candidate,
        phase=asked.phase,
        bar=Bar(incumbent=best.as_incumbent(), strict=True),
        likely=Verdict.REFUSED,
    )
