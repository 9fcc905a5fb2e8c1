"""From a history to the next step: the walk so far, the proposal that follows, and the frontier.

Everything is computed from the history alone, by running the space's automaton from its start.
Where an answer is missing, the automaton goes on under a bet; nothing beyond the first bet is a
decision, so a wrong bet costs work and never changes a walk.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

from .history import Candidate, History
from .proposal import Found, Moves, Proposal, Step, Verdict, judge


class SearchSpace(Protocol):
    """What a search method must bring to be walked."""

    @property
    def n_valid(self) -> int | None:
        """Number of validation images, if known."""

    def moves(self) -> Moves[Found | None]:
        """Its automaton, at the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The walk has ended. `found` is None if nothing could be trained.

    `cut_short` says why, where the walk ended before its rules would end it.
    """

    found: Found | None
    cut_short: str | None = None


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
    steps: list[Step] = []
    replay = _replay(space, history, _as_likely)
    while True:
        try:
            step = next(replay)
        except StopIteration as end:
            return Walk(steps=tuple(steps), next=Done(found=end.value))
        if step.guessed:
            return Walk(steps=tuple(steps), next=step.proposal)
        steps.append(step)


def frontier(space: SearchSpace, history: History, k: int = 1) -> tuple[Proposal, ...] | Done:
    """The next `k` trainings that the walk will most likely ask for and that nobody has.

    Returns fewer, or none (wait: all that is left is in flight), where the likeliest path ends.
    """
    free: list[Proposal] = []
    guessed = False
    replay = _replay(space, history, _as_likely)
    while len(free) < k:
        try:
            step = next(replay)
        except StopIteration as end:
            return tuple(free) if guessed else Done(found=end.value)
        guessed = guessed or step.guessed
        if step.outcome is None:
            free.append(step.proposal)
    return tuple(free)


def least_left(space: SearchSpace, history: History) -> int:
    """Epochs that are left if nothing more is accepted: what is likely left of a search."""
    steps = _replay(space, history, _as_refused)
    return sum(step.proposal.candidate.epochs or 0 for step in steps if step.guessed)


def step_of(space: SearchSpace, history: History, candidate: Candidate) -> Step | None:
    """The first step on the likeliest path that trains this candidate; None: it is off it."""
    steps = _replay(space, history, _as_likely)
    return next((step for step in steps if step.proposal.candidate == candidate), None)


def _replay(
    space: SearchSpace, history: History, bet: Callable[[Proposal], Verdict]
) -> Generator[Step, None, Found | None]:
    moves = space.moves()
    proposal = next(moves)
    while True:
        outcome = history.outcome(proposal.candidate)
        verdict = judge(proposal, outcome, space.n_valid)
        step = Step(
            proposal=proposal,
            outcome=outcome,
            verdict=verdict or bet(proposal),
            guessed=verdict is None,
        )
        yield step
        try:
            proposal = moves.send(step)
        except StopIteration as end:
            found: Found | None = end.value
            return found


def _as_likely(proposal: Proposal) -> Verdict:
    return proposal.likely


def _as_refused(proposal: Proposal) -> Verdict:
    return proposal.likely if proposal.bar is None else Verdict.REFUSED
