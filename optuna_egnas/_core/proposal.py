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
from typing import Protocol

from .history import Candidate, Outcome, Running, Stopped, Trained
from .network import Network

TOLERANCE = 1e-9
CONFIRM = "confirm"
FINAL = "final"
"""The phase of a last training of what was found, which decides nothing."""


class Verdict(Enum):
    """What an answer means for the walk.

    Examples:
        >>> from optuna_egnas import MacroSpace
        >>> from optuna_egnas.methods import History, Trained
        >>> space = MacroSpace(min_depth=1, max_depth=4, min_width=8, max_width=16)
        >>> first = space.follow(History()).next.candidate
        >>> space.follow(History({first: Trained(score=0.9)})).steps[0].verdict
        <Verdict.BASELINE: 'baseline'>
    """

    BASELINE = "baseline"
    ACCEPTED = "accepted"
    NEUTRAL = "neutral"
    REFUSED = "refused"
    CONFIRMED = "confirmed"
    MEASURED = "measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incumbent:
    """The best so far. `score` is None while it is only guessed that this one will be accepted.

    `at_least` is then what its score must be for that; None if not even this is known.

    Examples:
        >>> from optuna_egnas import Architecture
        >>> from optuna_egnas.methods import Candidate, Incumbent
        >>> network = Architecture.chain(depth=2, width=8)
        >>> Incumbent(candidate=Candidate(architecture=network, epochs=3), score=0.9).score
        0.9
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

    Examples:
        >>> from optuna_egnas import Architecture
        >>> from optuna_egnas.methods import Bar, Candidate, Incumbent
        >>> network = Architecture.chain(depth=2, width=8)
        >>> incumbent = Incumbent(candidate=Candidate(architecture=network, epochs=3), score=0.9)
        >>> Bar(incumbent=incumbent, gain=0.001, slack=0.0005).strict  # 0.901 is accepted
        False
    """

    incumbent: Incumbent | None
    gain: float = 0.0
    slack: float | None = None
    strict: bool = False

    @property
    def at_least(self) -> float | None:
        """What a score must reach, as far as it is known: more than this, where it is a guess."""
        least = self.incumbent.at_least if self.incumbent else None
        return None if least is None else least + self.gain


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The next training that a walk asks for. Without a bar it is measured, not compared.

    `likely` is the verdict that is assumed while the answer is missing.

    Examples:
        >>> from optuna_egnas import Architecture
        >>> from optuna_egnas.methods import Candidate, Proposal, Verdict
        >>> network = Architecture.chain(depth=2, width=8)
        >>> candidate = Candidate(architecture=network, epochs=3)
        >>> Proposal(candidate=candidate, phase="first", bar=None, likely=Verdict.BASELINE).phase
        'first'
    """

    candidate: Candidate
    phase: str
    bar: Bar | None
    likely: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A proposal with its answer. `guessed`: the verdict is assumed, not decided.

    Examples:
        >>> from optuna_egnas import MacroSpace
        >>> from optuna_egnas.methods import History, Trained
        >>> space = MacroSpace(min_depth=1, max_depth=4, min_width=8, max_width=16)
        >>> first = space.follow(History()).next.candidate
        >>> (step,) = space.follow(History({first: Trained(score=0.9)})).steps
        >>> step.score, step.passed
        (0.9, True)
    """

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
    `spent` are the epochs of all trainings of the walk, where a study that follows is told them.

    Examples:
        >>> from optuna_egnas import Architecture
        >>> from optuna_egnas.methods import Done, Found
        >>> network = Architecture.chain(depth=2, width=8)
        >>> Done(found=Found(architecture=network, score=0.9, epochs=3)).found.score
        0.9
    """

    architecture: Network
    score: float | None
    epochs: int
    confirmed: float | None = None
    spent: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The walk has ended. `found` is None if nothing could be trained.

    `cut_short` says why, where the walk ended before its rules would end it.

    Examples:
        >>> from optuna_egnas.methods import Done
        >>> Done(found=None, cut_short="no network was trained to its end").found is None
        True
    """

    found: Found | None
    cut_short: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """The decided steps in order, and what comes next.

    Examples:
        >>> from optuna_egnas import MacroSpace
        >>> from optuna_egnas.methods import History
        >>> space = MacroSpace(min_depth=1, max_depth=4, min_width=8, max_width=16)
        >>> walk = space.follow(History())
        >>> walk.steps, walk.next.phase
        ((), 'depth')
    """

    steps: tuple[Step, ...]
    next: Proposal | Done


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """A training that a study may ask for, and the chance that it will.

    Examples:
        >>> from optuna_egnas import MacroSpace
        >>> from optuna_egnas.methods import History
        >>> space = MacroSpace(min_depth=1, max_depth=4, min_width=8, max_width=16)
        >>> first, *ahead = space.prospects(History(), 3)
        >>> first.proposal.phase, first.is_certain
        ('depth', True)
    """

    proposal: Proposal
    chance: float

    @property
    def is_certain(self) -> bool:
        """Whether all futures ask for it; where faint ones were not followed, it is not sure."""
        return self.chance >= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """One continuation of a study to its end.

    `left` are the trainings that it still needs, in order; `found` is None where it ends without
    a network.

    Examples:
        >>> from optuna_egnas import MacroSpace
        >>> from optuna_egnas.methods import History
        >>> space = MacroSpace(min_depth=1, max_depth=4, min_width=8, max_width=16)
        >>> from random import Random
        >>> continuation = next(space.continuations(History(), Random(0)))
        >>> len(continuation.left) > 1
        True
    """

    left: tuple[Candidate, ...]
    found: Found | None


class Position(Protocol):
    """A state of an automaton: what it asks for now, and where each answer leads.

    Frozen, so that a look ahead can go on from it under several answers. Equal positions of one
    space have the same future.

    Examples:
        >>> from optuna_egnas import MacroSpace
        >>> from optuna_egnas.methods import Position
        >>> space = MacroSpace(min_depth=1, max_depth=4, min_width=8, max_width=16)
        >>> position = space.begin()
        >>> position.proposal.candidate.architecture.depth
        1
    """

    @property
    def proposal(self) -> Proposal:
        """What is asked for."""

    def after(self, step: Step) -> Position | Done:
        """Where the walk goes on, given the answer to `proposal`."""


ALONE = {CONFIRM: Verdict.CONFIRMED, FINAL: Verdict.MEASURED}
"""The verdicts of phases whose trainings are compared with nothing; else it is a baseline."""


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
        return ALONE.get(proposal.phase, Verdict.BASELINE)
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
