"""The odds of each verdict: what is foreseen, counted, and bounded by what is known."""

from __future__ import annotations

import pytest
from walking import in_turn, macro, walk_with

from optuna_egnas._core.odds import Experience, bounded
from optuna_egnas._methods.egnas.priors import PRIORS
from optuna_egnas.methods import (
    Bar,
    Candidate,
    Incumbent,
    Proposal,
    Running,
    Step,
    Trained,
    Verdict,
)


@pytest.mark.parametrize("phase", sorted(PRIORS))
def test_odds_are_whole_and_move_along_their_line(phase: str) -> None:
    nothing = Experience.of((), PRIORS)
    prior = PRIORS[phase]

    for attempt in (1, 2, prior.by, prior.by + 50):
        assert sum(nothing.odds(phase, attempt).values()) == pytest.approx(1)
    assert nothing.odds(phase, 1)[Verdict.REFUSED] == pytest.approx(prior.first)
    assert nothing.odds(phase, prior.by + 50)[Verdict.REFUSED] == pytest.approx(prior.last)


def test_experience_counts_compared_steps_only() -> None:
    walk = walk_with(macro(), in_turn(500, 600, 600, 300))
    experience = Experience.of(walk.steps, PRIORS)

    assert experience.attempts["depth"] == sum(
        step.proposal.phase == "depth" for step in walk.steps[1:]
    )
    assert experience.seen["depth", Verdict.ACCEPTED] == 1
    assert experience.seen["depth", Verdict.NEUTRAL] == 1


HALF = {Verdict.ACCEPTED: 0.5, Verdict.NEUTRAL: 0.25, Verdict.REFUSED: 0.25}


@pytest.mark.parametrize(
    ("score", "passes", "refused"),
    [
        (None, 0.5, 0.25),
        (0.52, 0.5, 0.25),  # above the least that the bar can be: as likely as not
        (0.505, 0.0, 0.5),
        (0.49, 0.0, 1.0),
    ],
)
def test_what_is_known_of_an_answer_bounds_its_odds(
    score: float | None, passes: float, refused: float
) -> None:
    candidate = Candidate(architecture=macro().begin().proposal.candidate.architecture, epochs=2)
    incumbent = Incumbent(candidate=candidate, score=None, at_least=0.5)
    bar = Bar(incumbent=incumbent, gain=0.01, slack=0.005)

    odds = bounded(HALF, bar, Running() if score is None else Trained(score=score))

    assert odds.get(Verdict.ACCEPTED, 0.0) == pytest.approx(passes)
    assert odds[Verdict.REFUSED] == pytest.approx(refused)
    assert bounded(HALF, Bar(incumbent=None), None)[Verdict.ACCEPTED] > 0.9


def test_a_guessed_incumbent_has_at_least_what_made_it_one() -> None:
    space = macro()
    asked = space.begin().proposal
    outcome = Trained(score=0.5)
    known = Step(proposal=asked, outcome=outcome, verdict=Verdict.BASELINE).as_incumbent()
    bar = Bar(incumbent=known, gain=0.25)
    guess = Step(
        proposal=Proposal(
            candidate=asked.candidate, phase="depth", bar=bar, likely=Verdict.ACCEPTED
        ),
        outcome=None,
        verdict=Verdict.ACCEPTED,
        guessed=True,
    ).as_incumbent()

    assert (known.score, known.at_least) == (0.5, 0.5)
    assert (guess.score, guess.at_least) == (None, 0.75)
