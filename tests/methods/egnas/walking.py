"""Walks automata with invented answers, for tests."""

from __future__ import annotations

from collections.abc import Callable

from optuna_egnas import MacroSpace, MicroSpace
from optuna_egnas.methods import (
    Candidate,
    Failed,
    History,
    Proposal,
    Running,
    Stopped,
    Trained,
    Walk,
    method,
)

Outcome = Trained | Stopped | Failed | Running
EGNAS = method("egnas")
TASK = {"input_shape": (1, 8, 8), "classes": 10, "n_valid": 1000}


def macro(**values: object) -> MacroSpace:
    """A small macro space whose scores are counts of 1,000."""
    small = {"min_depth": 3, "max_depth": 8, "min_width": 4, "max_width": 8, "base_epochs": 2}
    return MacroSpace(**{**TASK, **small, **values})  # type: ignore[arg-type]


def micro(**values: object) -> MicroSpace:
    """A small micro space whose scores are counts of 1,000."""
    return MicroSpace(**{**TASK, "depth": 3, "width": 8, **values})  # type: ignore[arg-type]


def walk_with(space: MacroSpace | MicroSpace, answer: Callable[[Proposal], Outcome | int]) -> Walk:
    """Walk to the end; an answer that is a number is a count of right answers."""
    outcomes: dict[Candidate, Outcome] = {}
    while True:
        proposal = space.follow(History(outcomes)).next
        if not isinstance(proposal, Proposal):
            return space.follow(History(outcomes))
        assert proposal.candidate not in outcomes, "no candidate is asked for twice"
        given = answer(proposal)
        outcome = Trained(score=given / 1000) if isinstance(given, int) else given
        outcomes[proposal.candidate] = outcome


def in_turn(*answers: Outcome | int) -> Callable[[Proposal], Outcome | int]:
    """Answers in the order in which they are asked for; then none is right."""
    left = list(answers)
    return lambda proposal: left.pop(0) if left else 0
