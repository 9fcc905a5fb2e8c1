"""Steps in words: what a person reads in a table, a log or a note."""

from __future__ import annotations

from .history import Failed, Stopped
from .problem import Space
from .proposal import Step, Verdict


def verdict_words(step: Step, space: Space) -> str:
    """The verdict with its reason: "accepted: +0.21 points over the best so far"."""
    verdict = step.verdict.value
    if isinstance(step.outcome, (Stopped, Failed)):
        return f"{verdict}: {step.outcome.reason}"
    bar = step.proposal.bar
    score = step.score
    if bar is None or bar.incumbent is None or bar.incumbent.score is None or score is None:
        return verdict
    margin = 100 * (score - bar.incumbent.score)
    against = "over" if step.verdict is Verdict.ACCEPTED else "against"
    name = space.describe_incumbent(step.proposal.phase, bar.incumbent)
    return f"{verdict}: {margin:+.2f} points {against} {name}"


def clock(seconds: float) -> str:
    """Seconds as a person says them: 45 s, 3:05 min, 2:10 h, 3 d 4 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    if whole < 48 * 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
