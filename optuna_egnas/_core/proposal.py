"""What an automaton asks for, the bar that the answer must pass, and the verdict on it.

Scores are compared as exact counts of right answers where the number of validation images is
known and the scores are fractions: two recorded decisions of the published search are exact ties
with a threshold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Literal, Protocol

from .architecture import Architecture
from .history import Candidate, Outcome, Running, Stopped, Trained

TOLERANCE = 1e-9
Phase = Literal["depth", "width", "ops", "kernels", "confirm"]


class Verdict(Enum):
    """What an answer means for the walk."""

    BASELINE = "baseline"
    ACCEPTED = "accepted"
    NEUTRAL = "neutral"
    REFUSED = "refused"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incumbent:
    """The best so far. `score` is None while it is only guessed that this one will be accepted.

    `at_least` is then what its score must be for that; None if not even this is known.
    """

    candidate: Candidate
    score: float | None
    train_accuracy: float | None = None
    at_least: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What a score must reach against the incumbent.

    Accepted at incumbent + gain (strictly above it where `strict`), neutral down to
    incumbent - slack where there is a slack, refused below. Without an incumbent (all before
    were refused) any score is accepted. Units: those of the objective.
    """

    incumbent: Incumbent | None
    gain: float = 0.0
    slack: float | None = None
    strict: bool = False

    @property
    def at_least(self) -> float | None:
        """What a score must reach, as far as it is known: more than this, where it is a guess."""
        floor = self.incumbent.at_least if self.incumbent else None
        return None if floor is None else floor + self.gain


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The next training that a walk asks for. Without a bar it is measured, not compared.

    `likely` is the verdict to bet on while the answer is not there.
    """

    candidate: Candidate
    phase: Phase
    bar: Bar | None
    likely: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A proposal with its answer. `guessed`: the verdict is a bet, not a decision."""

    proposal: Proposal
    outcome: Outcome | None
    verdict: Verdict
    guessed: bool = False

    @property
    def score(self) -> float | None:
        """The score that was reached; None if there is none, or none that counts yet."""
        return self.outcome.score if isinstance(self.outcome, Trained) else None

    @property
    def passed(self) -> bool:
        """Whether this one becomes the incumbent."""
        return self.verdict in (Verdict.BASELINE, Verdict.ACCEPTED)

    def as_incumbent(self) -> Incumbent:
        """What later answers are compared with."""
        trained = self.outcome if isinstance(self.outcome, Trained) else None
        score = trained.score if trained and not self.guessed else None
        bar = self.proposal.bar
        return Incumbent(
            candidate=self.proposal.candidate,
            score=score,
            train_accuracy=trained.train_accuracy if trained else None,
            at_least=bar.at_least if score is None and bar else score,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result of a walk: the network, its score, and the epochs that it was trained for.

    `confirmed` is its score in one last training of another length, where one was asked for.
    """

    architecture: Architecture
    score: float | None
    epochs: int
    confirmed: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The walk has ended. `found` is None if nothing could be trained.

    `cut_short` says why, where the walk ended before its rules would end it.
    """

    found: Found | None
    cut_short: str | None = None


class Position(Protocol):
    """Where an automaton stands: what it asks for now, and where each answer leads.

    Frozen, so that a look ahead can go on from it under several answers. Equal positions of one
    space have the same future.
    """

    @property
    def proposal(self) -> Proposal:
        """What is asked for."""

    def after(self, step: Step) -> Position | Done:
        """Where the walk goes on, given the answer to `proposal`."""


def judge(proposal: Proposal, outcome: Outcome | None, n_valid: int | None) -> Verdict | None:
    """The verdict on an answer; None while it cannot be given (no answer, or no known bar)."""
    if outcome is None or isinstance(outcome, Running):
        return None
    bar = proposal.bar
    if isinstance(outcome, Stopped) and outcome.neutral and bar and bar.slack is not None:
        return Verdict.NEUTRAL
    if not isinstance(outcome, Trained) or not math.isfinite(outcome.score):
        return Verdict.REFUSED
    if bar is None:
        return Verdict.CONFIRMED if proposal.phase == "confirm" else Verdict.BASELINE
    if bar.incumbent is None:
        return Verdict.ACCEPTED
    if bar.incumbent.score is None:
        return None
    return _compare(outcome.score, bar, bar.incumbent.score, n_valid)


def _compare(score: float, bar: Bar, incumbent: float, n_valid: int | None) -> Verdict:
    if _reaches(score, incumbent, bar.gain, n_valid, strict=bar.strict):
        return Verdict.ACCEPTED
    if bar.slack is not None and _reaches(score, incumbent, -bar.slack, n_valid):
        return Verdict.NEUTRAL
    return Verdict.REFUSED


def reaches(score: float, target: float, n_valid: int | None) -> bool:
    """Whether a score is at least `target`, exactly where `n_valid` is known."""
    return _reaches(score, 0.0, target, n_valid)


def _reaches(
    score: float, base: float, gain: float, n_valid: int | None, *, strict: bool = False
) -> bool:
    # What is no fraction of the images is no count of right answers either.
    if n_valid is None or max(abs(score), abs(base)) > 1:
        margin = score - base - gain
        return margin > TOLERANCE if strict else margin >= -TOLERANCE
    answers = round(score * n_valid) - round(base * n_valid)
    needed = Fraction(str(gain)) * n_valid
    return answers > needed if strict else answers >= needed
