"""Trials as curves over their own budgets, and the bars that they must pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from .._core.budget import Budget, Size
from .._core.proposal import Bar, Done, Proposal
from .._core.stopping import MOST, Bars, Curve
from .._storage.claims import BUDGET, claimed_phase
from ..errors import InvalidSpace

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from .._core.history import Candidate
    from .._storage.reader import Reader


SizeOf = Callable[[Mapping[str, Any]], Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the trials of a study read.

    `sign` is -1 where the study minimises; `reader` is that of the walk, if there is one;
    `size` tells what a network costs from its trial's parameters.
    """

    sign: float
    reader: Reader | None
    size: SizeOf | None

    def curve(self, trial: FrozenTrial, epochs: int, *, from_zero: bool) -> Curve:
        """What a trial has reported, over a budget of so many epochs."""
        done = trial.state is TrialState.COMPLETE and trial.value is not None
        reported = [
            ((step + from_zero) / epochs, self.sign * value)
            for step, value in sorted(trial.intermediate_values.items())
            if math.isfinite(value)
        ]
        return Curve(
            progress=tuple(progress for progress, _ in reported),
            values=tuple(value for _, value in reported),
            size=self._size(trial),
            phase=claimed_phase(trial) or "",
            score=self.sign * trial.value if done and trial.value is not None else None,
        )

    def finished(self, trials: Iterable[FrozenTrial], *, from_zero: bool) -> list[Curve]:
        """The latest whole curves, in the order in which they ended."""
        curves: list[Curve] = []
        for trial in sorted(trials, key=_end, reverse=True):
            epochs = self.epochs(trial) or max(trial.intermediate_values) + from_zero
            curve = self.curve(trial, max(epochs, 1), from_zero=from_zero)
            if curve.is_whole:
                curves.append(curve)
            if len(curves) == MOST:
                break
        return curves[::-1]

    def epochs(self, trial: FrozenTrial) -> int | None:
        """A trial's own epochs, by its walk or by what it has stored."""
        candidate = self.reader.candidate(trial) if self.reader else None
        if candidate is not None and candidate.epochs is not None:
            return candidate.epochs
        stored = stored_budget(trial)
        return stored.epochs if stored else None

    def _size(self, trial: FrozenTrial) -> tuple[float, ...]:
        candidate = self.reader.candidate(trial) if self.reader else None
        if candidate is not None and self.reader is not None:
            network, space = candidate.architecture, self.reader.space
            return math.log(space.layers(network)), math.log(space.params(network))
        size = size_of(self.size, trial)
        return (math.log(size.depth), math.log(size.params)) if size else ()


def stored_budget(trial: FrozenTrial) -> Budget | None:
    """The budget that a trial was given, as it was stored; None if it is none of ours."""
    record = trial.user_attrs.get(BUDGET)
    try:
        return None if record is None else Budget(**record)
    except (TypeError, InvalidSpace):
        return None


def size_of(size: SizeOf | None, trial: FrozenTrial) -> Size | None:
    """What a trial's network costs; None where nothing tells.

    Raises:
        InvalidSpace: what `size` has returned is no size.
    """
    if not size or not trial.params:
        return None
    found = size(trial.params)
    try:
        return Size(**found)
    except TypeError:
        raise InvalidSpace(
            f"`size` must return a mapping of depth, params and macs, but returned {found!r:.200}."
        ) from None


def walks_bars(reader: Reader, candidate: Candidate, trials: Sequence[FrozenTrial]) -> Bars | None:
    """The bars of a candidate of a walk, against the incumbent of the decided history.

    None where it is not compared, or has nothing to be compared with yet. A look-ahead's real bar
    may be higher, never lower.
    """
    history = reader.view(trials).history
    walk = reader.space.follow(history)
    if isinstance(walk.next, Done):
        return None
    proposal: Proposal | None = walk.next
    if walk.next.candidate != candidate:
        step = reader.space.step_of(history, candidate)
        proposal = step.proposal if step else None
    if proposal is None or proposal.bar is None or proposal.bar.incumbent is None:
        return None
    score = proposal.bar.incumbent.score
    # A look-ahead's incumbent may still be in training: then the one that is decided.
    decided = [step.score for step in walk.steps if step.passed and step.score is not None]
    if score is None and decided:
        score = decided[-1]
    return None if score is None else _bars(proposal.bar, score)


def best_bars(sign: float, trials: Iterable[FrozenTrial], top: int) -> Bars | None:
    """The `top`-th best score so far; None while there are fewer."""
    scores = [sign * trial.value for trial in trials if trial.value is not None]
    scores = sorted((score for score in scores if math.isfinite(score)), reverse=True)
    return Bars(accept=scores[top - 1]) if len(scores) >= top else None


def standard_error(score: float, images: int | None) -> float | None:
    """Standard error of an accuracy or an error rate on a number of images; None of others."""
    share = abs(score)
    if images is None or not 0 < share < 1:
        return None
    return math.sqrt(share * (1 - share) / images)


def _bars(bar: Bar, incumbent: float) -> Bars:
    neutral = None if bar.slack is None else incumbent - bar.slack
    return Bars(accept=incumbent + bar.gain, neutral=neutral)


def _end(trial: FrozenTrial) -> tuple[datetime, int]:
    return trial.datetime_complete or datetime.max, trial.number
