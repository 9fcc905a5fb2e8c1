"""Plausible courses of a walk: where an answer is missing, a verdict is drawn by its odds.

How long a walk is depends on its answers. Many drawn courses show how long it may well become;
they decide nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from .history import Candidate, History, Running, Trained
from .odds import Experience
from .proposal import Done, Found, Phase, Position, Proposal, Step, Verdict, judge
from .walk import SearchSpace, stand

BY_HEART, OF_FEW, FEW = 0.01, 0.15, 1000
"""The chance that a network which the depth phase keeps knows its training data by heart, which
ends that phase; and that chance where fewer than so many images validate, since few images are
soon known. Set by hand, from a few searches on the digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One course of a walk to its end.

    `left` are the trainings that it still needs, in order; `found` is None where it ends without
    a network.
    """

    left: tuple[Candidate, ...]
    found: Found | None


def courses(space: SearchSpace, history: History, generator: Random) -> Iterator[Course]:
    """Courses without end, each drawn anew from where the walk stands."""
    steps, position = stand(space, history)
    experience = Experience.of(steps, space.policy)
    while True:
        yield _course(space, history, position, experience, generator)


def _course(
    space: SearchSpace,
    history: History,
    position: Position | Done,
    experience: Experience,
    generator: Random,
) -> Course:
    attempts: Counter[Phase] = Counter(experience.attempts)
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
    return Course(left=tuple(left), found=position.found)


def _guess(
    space: SearchSpace,
    proposal: Proposal,
    experience: Experience,
    attempt: int,
    generator: Random,
) -> Step:
    verdict = _draw(proposal, experience, attempt, generator)
    chance = OF_FEW if space.n_valid is not None and space.n_valid < FEW else BY_HEART
    by_heart = proposal.phase == "depth" and generator.random() < chance
    # Its score is not known, and not looked at: the step is a guess.
    outcome = Trained(score=0.0, train_accuracy=1.0) if by_heart else None
    return Step(proposal=proposal, outcome=outcome, verdict=verdict, guessed=True)


def _draw(proposal: Proposal, experience: Experience, attempt: int, generator: Random) -> Verdict:
    if proposal.bar is None:
        return proposal.likely
    if proposal.bar.incumbent is None:
        return Verdict.ACCEPTED
    odds = experience.odds(proposal.phase, attempt)
    return generator.choices([*odds], weights=[*odds.values()])[0]
