"""Plausible continuations of a walk: where an answer is missing, a verdict is drawn by its odds.

How long a walk is depends on its answers. Many drawn continuations show how long it may well
become; they decide nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

from .history import Candidate, History, Running, Trained
from .odds import Experience
from .proposal import Continuation, Done, Position, Proposal, Step, Verdict, judge
from .walk import Automaton, decided_steps


def continuations(space: Automaton, history: History, generator: Random) -> Iterator[Continuation]:
    """Yield possible continuations without end, each drawn anew from the walk's present
    position."""
    steps, position = decided_steps(space, history)
    experience = Experience.of(steps, space.priors)
    while True:
        yield _continuation(space, history, position, experience, generator)


def _continuation(
    space: Automaton,
    history: History,
    position: Position | Done,
    experience: Experience,
    generator: Random,
) -> Continuation:
    attempts: Counter[str] = Counter(experience.attempts)
    left: dict[Candidate, None] = {}
    while not isinstance(position, Done):
        proposal = position.proposal
        outcome = history.outcome(proposal.candidate)
        if outcome is None or isinstance(outcome, Running):
            left[proposal.candidate] = None
        attempts[proposal.phase] += proposal.bar is not None
        verdict = judge(proposal, outcome, space.n_valid)
        if verdict is not None:
            step = Step(proposal=proposal, outcome=outcome, verdict=verdict)
        else:
            step = _guess(space, proposal, experience, attempts[proposal.phase], generator)
        position = position.after(step)
    return Continuation(left=tuple(left), found=position.found)


def _guess(
    space: Automaton,
    proposal: Proposal,
    experience: Experience,
    attempt: int,
    generator: Random,
) -> Step:
    verdict = _draw(proposal, experience, attempt, generator)
    chance = space.chance_of_perfect_fit(proposal.phase)
    chance_of_perfect_fit = chance > 0 and generator.random() < chance
    # Its score is not known, and not looked at: the step is a guess.
    outcome = Trained(score=0.0, train_accuracy=1.0) if chance_of_perfect_fit else None
    return Step(proposal=proposal, outcome=outcome, verdict=verdict, guessed=True)


def _draw(proposal: Proposal, experience: Experience, attempt: int, generator: Random) -> Verdict:
    if proposal.bar is None:
        return proposal.likely
    if proposal.bar.incumbent is None:
        return Verdict.ACCEPTED
    odds = experience.odds(proposal.phase, attempt)
    return generator.choices([*odds], weights=[*odds.values()])[0]
