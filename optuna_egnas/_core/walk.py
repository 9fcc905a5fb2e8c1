"""From a history to the next step: the walk so far, and the proposal that follows.

Everything is computed from the history alone, by running the space's automaton from its start.
What lies beyond the last decided step is speculation: see `frontier.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from .history import Candidate, History
from .proposal import Done, Position, Proposal, Step, judge


class SearchSpace(Protocol):
    """What a search method must bring to be walked."""

    @property
    def n_valid(self) -> int | None:
        """Number of validation images, if known."""

    @property
    def policy(self) -> str:
        """The name of its rules: what is likely depends on it."""

    def begin(self) -> Position:
        """Its automaton, at the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """The decided steps in order, and what comes next."""

    steps: tuple[Step, ...]
    next: Proposal | Done


def propose(space: SearchSpace, history: History) -> Proposal | Done:
    """The next training that the rules ask for, whether or not it is already in flight."""
    return follow(space, history).next


def follow(space: SearchSpace, history: History) -> Walk:
    """The walk as far as it is decided."""
    steps, position = stand(space, history)
    end = position if isinstance(position, Done) else position.proposal
    return Walk(steps=steps, next=end)


def stand(space: SearchSpace, history: History) -> tuple[tuple[Step, ...], Position | Done]:
    """The decided steps, and where the automaton stands after them."""
    steps: list[Step] = []
    position: Position | Done = space.begin()
    while not isinstance(position, Done):
        step = _decide(space, history, position.proposal)
        if step is None:
            break
        steps.append(step)
        position = position.after(step)
    return tuple(steps), position


def step_of(space: SearchSpace, history: History, candidate: Candidate) -> Step | None:
    """The first step on the likeliest path that trains this candidate; None: it is off it."""
    steps = _bet(space, history)
    return next((step for step in steps if step.proposal.candidate == candidate), None)


def _bet(space: SearchSpace, history: History) -> Iterator[Step]:
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


def _decide(space: SearchSpace, history: History, proposal: Proposal) -> Step | None:
    outcome = history.outcome(proposal.candidate)
    verdict = judge(proposal, outcome, space.n_valid)
    return verdict and Step(proposal=proposal, outcome=outcome, verdict=verdict)
