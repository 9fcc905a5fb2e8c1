"""How probable each verdict is before it is known, from the priors and the search so far.

A prior gives, for each phase, the chance that an attempt is refused: along a straight line from
the first attempt to the attempt `by`, and constant after that. Each method brings its own.

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

from .history import Outcome, Trained
from .proposal import Bar, Step, Verdict

TRUST = 20
"""Number of attempts after which the answers of a phase weigh as much as its prior."""
FAINTEST = 0.01
"""No verdict that the rules know is ruled out."""
SOUND = 0.95
"""The chance that a training comes to its end at all, where any score will do."""
Odds = Mapping[Verdict, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """The chance of a refusal at the first attempt, and from attempt `by` on.

    `neutral` is the share of neutral answers in the rest.

    Examples:
        >>> from optuna_egnas.methods import Prior, Verdict
        >>> prior = Prior(first=0.2, last=0.6, by=11)
        >>> prior.odds(1)[Verdict.REFUSED], prior.odds(50)[Verdict.REFUSED]
        (0.2, 0.6)
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


EVEN = Prior(first=0.5, last=0.5, by=2)
"""The prior of a phase that no method has described."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """What a search has seen so far, and what the priors had expected, per phase and verdict."""

    priors: Mapping[str, Prior]
    attempts: Mapping[str, int] = field(default_factory=dict)
    seen: Mapping[tuple[str, Verdict], float] = field(default_factory=dict)
    expected: Mapping[tuple[str, Verdict], float] = field(default_factory=dict)

    @classmethod
    def of(cls, steps: Iterable[Step], priors: Mapping[str, Prior]) -> Experience:
        """Read the decided steps of a walk, of which this was expected."""
        attempts: Counter[str] = Counter()
        seen: dict[tuple[str, Verdict], float] = {}
        expected: dict[tuple[str, Verdict], float] = {}
        for step in steps:
            phase = step.proposal.phase
            if step.proposal.bar is None:
                continue
            attempts[phase] += 1
            seen[phase, step.verdict] = seen.get((phase, step.verdict), 0.0) + 1.0
            for verdict, chance in priors.get(phase, EVEN).odds(attempts[phase]).items():
                expected[phase, verdict] = expected.get((phase, verdict), 0.0) + chance
        return cls(priors=priors, attempts=attempts, seen=seen, expected=expected)

    def odds(self, phase: str, attempt: int) -> Odds:
        """The chances of an answer to an attempt of a phase, counted from 1."""
        trusted = TRUST + self.attempts.get(phase, 0)
        return _whole(
            {
                verdict: max(FAINTEST, chance + self._surplus(phase, verdict) / trusted)
                for verdict, chance in self.priors.get(phase, EVEN).odds(attempt).items()
                if chance > 0
            }
        )

    def _surplus(self, phase: str, verdict: Verdict) -> float:
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
