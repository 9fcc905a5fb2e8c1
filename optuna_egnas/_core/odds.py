"""How probable each verdict is before it is known, from published priors and the search so far.

A prior gives, for each phase, the chance that an attempt is refused: along a straight line from
the first attempt to the attempt `by`, and constant after that. Networks saturate as they deepen
(refusals grow in `depth`), then stand little more shrinking (`width`); full convolutions pay in
the first layers, wide kernels in the last.

The lines are rounded from a fit to the likelihood of the 319 verdicts of five recorded searches.
Fitted to four of them, the chances move by 0.1 at most and `by` by seven attempts, and the fifth
is searched about as fast: 5.57 times as by one worker with 8 of them, instead of 5.66, and 8.09
with 16, instead of 8.07 (geometric means, the rules alone on a simulated clock).

The search itself corrects its prior: the chance of a verdict moves by how many more of it were
seen than expected, per attempt, `TRUST` attempts added. A search that goes as foreseen changes
nothing, and one that goes otherwise is believed in the end.

An answer that is there while its bar is not (the incumbent would be one that still trains) says
more than that: below what the bar must be at least, it cannot pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .._methods.egnas.priors import PRIORS, priors_of
from .history import Outcome, Trained
from .proposal import Bar, Phase, Step, Verdict

TRUST = 20
"""After so many attempts at a phase, what it has seen weighs as much as its prior."""
FAINTEST = 0.01
"""No verdict that the rules know is ruled out."""
SOUND = 0.95
"""The chance that a training comes to its end at all, where any score will do."""
Odds = Mapping[Verdict, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """The chance of a refusal at the first attempt, and from attempt `by` on.

    `neutral` is the share of neutral answers in the rest.
    """

    first: float
    last: float
    by: int
    neutral: float = 0.0

    def odds(self, attempt: int) -> Odds:
        """The chances at an attempt of the phase, counted from 1."""
        done = min((attempt - 1) / (self.by - 1), 1.0)
        refused = self.first + (self.last - self.first) * done
        return {
            Verdict.ACCEPTED: (1 - refused) * (1 - self.neutral),
            Verdict.NEUTRAL: (1 - refused) * self.neutral,
            Verdict.REFUSED: refused,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """What a search has seen so far, and what the priors had expected, per phase and verdict."""

    priors: Mapping[Phase, Prior] = field(default_factory=lambda: PRIORS)
    attempts: Mapping[Phase, int] = field(default_factory=dict)
    seen: Mapping[tuple[Phase, Verdict], float] = field(default_factory=dict)
    expected: Mapping[tuple[Phase, Verdict], float] = field(default_factory=dict)

    @classmethod
    def of(cls, steps: Iterable[Step], policy: str = "paper") -> Experience:
        """Read the decided steps of a walk by these rules."""
        priors = priors_of(policy)
        attempts: Counter[Phase] = Counter()
        seen: dict[tuple[Phase, Verdict], float] = {}
        expected: dict[tuple[Phase, Verdict], float] = {}
        for step in steps:
            phase = step.proposal.phase
            if step.proposal.bar is None:
                continue
            attempts[phase] += 1
            seen[phase, step.verdict] = seen.get((phase, step.verdict), 0.0) + 1.0
            for verdict, chance in priors[phase].odds(attempts[phase]).items():
                expected[phase, verdict] = expected.get((phase, verdict), 0.0) + chance
        return cls(priors=priors, attempts=attempts, seen=seen, expected=expected)

    def odds(self, phase: Phase, attempt: int) -> Odds:
        """The chances of an answer to an attempt of a phase, counted from 1."""
        trusted = TRUST + self.attempts.get(phase, 0)
        return _whole(
            {
                verdict: max(FAINTEST, chance + self._surplus(phase, verdict) / trusted)
                for verdict, chance in self.priors[phase].odds(attempt).items()
                if chance > 0
            }
        )

    def _surplus(self, phase: Phase, verdict: Verdict) -> float:
        """How many more of a verdict were seen than expected."""
        key = (phase, verdict)
        return self.seen.get(key, 0.0) - self.expected.get(key, 0.0)


def bounded(odds: Odds, bar: Bar, outcome: Outcome | None) -> Odds:
    """The chances of an answer, given what is known of it and of its bar."""
    if bar.incumbent is None:
        return {Verdict.ACCEPTED: SOUND, Verdict.REFUSED: 1 - SOUND}
    needed = bar.at_least
    if not isinstance(outcome, Trained) or needed is None:
        return odds
    if outcome.score >= needed:
        # Above the least that its bar can be: as likely as not.
        rest = 1 - odds[Verdict.ACCEPTED]
        return _whole({**odds, Verdict.ACCEPTED: rest})
    if bar.slack is None or outcome.score < needed - bar.gain - bar.slack:
        return {Verdict.REFUSED: 1.0}
    return _whole({**odds, Verdict.ACCEPTED: 0.0})


def _whole(odds: Odds) -> Odds:
    total = sum(odds.values())
    return {verdict: chance / total for verdict, chance in odds.items() if chance > 0.0}
