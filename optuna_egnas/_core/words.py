"""Steps in words: what a person reads in a table, a log or a note."""

from __future__ import annotations

from .history import Failed, Stopped
from .proposal import Incumbent, Phase, Proposal, Step, Verdict


def name_candidate(proposal: Proposal) -> str:
    """The candidate by what is new in it: "depth 14, width 64", "layer 3: conv, width 58"."""
    architecture = proposal.candidate.architecture
    width = f"width {architecture.width}"
    if proposal.candidate.is_trained_on:
        return f"depth {architecture.depth}, {width}, trained on"
    incumbent = proposal.bar.incumbent if proposal.bar else None
    if proposal.phase in ("ops", "kernels") and incumbent:
        return f"{_change(proposal.phase, proposal, incumbent)}, {width}"
    return f"depth {architecture.depth}, {width}"


def verdict_words(step: Step) -> str:
    """The verdict with its reason: "accepted: +0.21 points over depth 14"."""
    verdict = step.verdict.value
    if isinstance(step.outcome, (Stopped, Failed)):
        return f"{verdict}: {step.outcome.reason}"
    bar = step.proposal.bar
    score = step.score
    if bar is None or bar.incumbent is None or bar.incumbent.score is None or score is None:
        return verdict
    margin = 100 * (score - bar.incumbent.score)
    against = "over" if step.verdict is Verdict.ACCEPTED else "against"
    return f"{verdict}: {margin:+.2f} points {against} {_name(step.proposal.phase, bar.incumbent)}"


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


def _name(phase: Phase, incumbent: Incumbent) -> str:
    architecture = incumbent.candidate.architecture
    if phase == "depth":
        return f"depth {architecture.depth}"
    if phase == "width":
        return f"width {architecture.width}"
    return "the best so far"


def _change(phase: Phase, proposal: Proposal, incumbent: Incumbent) -> str:
    new, old = proposal.candidate.architecture, incumbent.candidate.architecture
    now, before = (new.ops, old.ops) if phase == "ops" else (new.kernels, old.kernels)
    pairs = enumerate(zip(now, before, strict=True))
    changed = [layer for layer, (value, previous) in pairs if value != previous]
    if not changed:
        return "no change"
    first, last = changed[0], changed[-1]
    layers = f"layer {first}" if first == last else f"layers {first} to {last}"
    what = f"{now[first]}" if phase == "ops" else f"kernel {now[first]}"
    return f"{layers}: {what}"
