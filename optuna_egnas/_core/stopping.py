"""Whether a training can still pass its bar: a forecast of its score from equal progress.

Every curve is read over its own budget: what a candidate has reached at half of its epochs is
compared with what the finished ones had reached at half of theirs. What is left to gain from
there is regressed, over the finished curves, on how high each stood and on its architecture; the
coefficients shrink towards 0, and so with few curves the mean gain is what counts.

The noise has a fixed profile over the progress and one scale. The profile (`noise`) is rounded
from the depth and width candidates of five recorded searches, where it holds in units of the
standard error of an accuracy, sqrt(p (1 - p) / n). The scale is measured on the finished curves,
and at least that error where the number of validation images is known. Larger scores are better
here; scores and bars are in the objective's unit.

Any finite values are taken. Trainings that diverged are left out (`outliers.py`), and what is left
is scaled by a power of two, which changes no digit, to values of at most 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .outliers import bounded, usual

Array = NDArray[np.float64]
Below = Literal["accept", "neutral"]

FEWEST = 5
"""Finished curves of the same phase without which there is no forecast: what begins a phase is
mostly accepted, and the phases' curves differ."""
MOST = 32
"""The latest so many finished curves are compared with."""
WINDOW = 0.2
"""The share of the own budget over which a curve is averaged, the later epochs by far the most."""
TRUST = 20
"""The expected noise weighs as much as so many finished curves."""
LEVEL_SHIFT, SIZE_SHIFT = 0.2, 0.3
"""Prior standard deviations: of the gain per unit of level, and, in units of the noise, of the
gain when depth or parameters change by a factor of e."""
PROGRESSES = tuple(np.linspace(0.5, 0.95, 10))
"""The shares of a budget at which the scale of the noise is measured."""
WHOLE = 1 - 1e-9
LARGEST = 1e300
"""Values beyond it are taken for it: their differences would overflow."""
OUT_OF_REACH = 1e6
"""Values beyond it are taken for it once the largest value that counts is 1."""
ROUNDING = float(np.finfo(np.float64).eps)
"""The least noise and the least spread of values near 1, from their rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What a training has reported, over its own budget; values that are not finite left out.

    `progress` is increasing, 1 at the end of the own budget; `values` are of the same length.
    `size` holds the logarithms of what describes the network (depth, parameters), in one order
    for all; `phase` is that of its walk, if it has one; `score` is the final one, once there is
    one.
    """

    progress: tuple[float, ...]
    values: tuple[float, ...]
    size: tuple[float, ...] = ()
    phase: str = ""
    score: float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it was trained to the end of its budget and has a score."""
        scored = self.score is not None and math.isfinite(self.score)
        return scored and bool(self.progress) and self.progress[-1] >= WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The score that a training will probably reach, with its standard deviation."""

    mean: float
    deviation: float

    def chance(self, bar: float) -> float:
        """The chance to reach a bar."""
        return 0.5 * math.erfc((bar - self.mean) / (self.deviation * math.sqrt(2)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """What a score must reach to be accepted, and to be no fail, where that is less."""

    accept: float
    neutral: float | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """The candidate goes on: it may still pass its bar, or too little is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The candidate stops: its chance to pass `bar` is below the risk; `below` names the bar."""

    below: Below
    bar: float
    chance: float
    forecast: Forecast


def stopping_decision(
    curve: Curve,
    finished: Sequence[Curve],
    bars: Bars,
    *,
    risk: float,
    error: float | None = None,
) -> Keep | Stop:
    """Whether to go on with a training.

    `finished` are curves in the order in which they ended; those that are not whole are left
    out. `error` is the standard error of a score, if it is known. Stops at the lowest bar that
    the risk allows; one that has passed its bar already is kept, and one that is at its end.
    """
    if not curve.values or curve.progress[-1] >= WHOLE or max(curve.values) >= bars.accept:
        return Keep()
    scaled = _scaled(curve, finished, error)
    forecast = scaled.forecast() if scaled else None
    if scaled is None or forecast is None:
        return Keep()
    steps: tuple[tuple[Below, float | None], ...]
    steps = (("neutral", bars.neutral), ("accept", bars.accept))
    for below, bar in steps:
        if bar is not None and (chance := forecast.chance(scaled.down(bar))) < risk:
            return Stop(below=below, bar=bar, chance=chance, forecast=scaled.up(forecast))
    return Keep()


def predict(
    curve: Curve, finished: Sequence[Curve], *, error: float | None = None
) -> Forecast | None:
    """The score at the end of the own budget; None where too little is known."""
    scaled = _scaled(curve, finished, error)
    forecast = scaled.forecast() if scaled else None
    return scaled.up(forecast) if scaled and forecast else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scaled:
    """A training in flight and the finished ones, their values divided by 2 ** `exponent`."""

    curve: Curve
    whole: tuple[Curve, ...]
    error: float
    exponent: int

    def forecast(self) -> Forecast | None:
        """None where all curves gain the same, and nothing is known of the noise."""
        unit = max(measured_unit(self.whole), self.error)
        return _regress(self.curve, self.whole, max(unit, ROUNDING)) if unit > 0 else None

    def down(self, value: float) -> float:
        """A value of the objective in this scale; infinite where it is out of all proportion."""
        return _times_power(value, -self.exponent)

    def up(self, forecast: Forecast) -> Forecast:
        """A forecast of this scale in the objective's unit."""
        mean, deviation = (
            _times_power(value, self.exponent) for value in (forecast.mean, forecast.deviation)
        )
        return Forecast(mean=mean, deviation=deviation)


def _scaled(curve: Curve, finished: Sequence[Curve], error: float | None) -> _Scaled | None:
    """What a forecast is made from; None where too little is known."""
    whole = [_within(each, LARGEST) for each in finished if each.is_whole][-MOST:]
    if not curve.values or not _are_enough(curve, whole):
        return None
    progresses = np.array([*PROGRESSES, *_recent(curve)])
    values, scores = _at(progresses, whole), _scores(whole)
    ranges = np.array([(min(each.values), max(each.values)) for each in whole])
    chosen = usual(values, scores, np.asarray(noise(progresses)), ranges)
    whole = [each for each, is_usual in zip(whole, chosen, strict=True) if is_usual]
    if not _are_enough(curve, whole):
        return None
    largest = max(np.abs(values[chosen]).max(), np.abs(scores[chosen]).max())
    exponent = math.frexp(largest)[1]
    return _Scaled(
        curve=_within(_times(curve, -exponent), OUT_OF_REACH),
        whole=tuple(_within(_times(each, -exponent), OUT_OF_REACH) for each in whole),
        error=min(_times_power(error or 0.0, -exponent), OUT_OF_REACH),
        exponent=exponent,
    )


def _are_enough(curve: Curve, whole: Sequence[Curve]) -> bool:
    return sum(each.phase == curve.phase for each in whole) >= FEWEST


def _within(curve: Curve, bound: float) -> Curve:
    """The curve with no value beyond the bound."""
    values = tuple(min(max(value, -bound), bound) for value in curve.values)
    score = curve.score
    return replace(
        curve, values=values, score=None if score is None else min(max(score, -bound), bound)
    )


def _times(curve: Curve, exponent: int) -> Curve:
    """The curve with its values times 2 ** `exponent`."""
    score = None if curve.score is None else _times_power(curve.score, exponent)
    values = tuple(_times_power(value, exponent) for value in curve.values)
    return replace(curve, values=values, score=score)


def _times_power(value: float, exponent: int) -> float:
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.copysign(math.inf, value)


def noise(progress: Array | float) -> Array | float:
    """Standard deviation of the final score, given a value at this progress, in units."""
    left = 1 - progress
    return 0.1 + 2 * left + 40 * left**3


def measured_unit(whole: Sequence[Curve]) -> float:
    """The scale of the noise, from how well each curve's score follows from all the others.

    Widened where there are few curves, as a t-distribution is; 0 where all gain the same.
    """
    count, progresses = len(whole), np.array(PROGRESSES)
    gains = _scores(whole)[:, None] - _at(progresses, whole)
    widened = gains.var(axis=0) * (count + 3) / (count - 1)
    unit = math.sqrt(float(np.mean(widened / np.asarray(noise(progresses)) ** 2)))
    return max(unit, ROUNDING) if np.ptp(gains, axis=0).any() else 0.0


def _scores(whole: Sequence[Curve]) -> Array:
    return np.array([each.score for each in whole], dtype=float)


def _at(progresses: Array, whole: Sequence[Curve]) -> Array:
    """The curves at equal progress, one a row."""
    return np.array([np.interp(progresses, each.progress, each.values) for each in whole])


def _regress(curve: Curve, whole: Sequence[Curve], unit: float) -> Forecast:
    """The final gain by a regression with a prior; sizes are centred on the candidate.

    Where no finished curve was anywhere near as low, or as high, the gain is that of the nearest.
    """
    recent = _recent(curve)
    weights = 1 / np.asarray(noise(recent)) ** 2
    weights /= weights.sum()
    level = float(weights @ np.array(curve.values[-len(recent) :]))
    levels = _at(recent, whole) @ weights
    gains = _scores(whole) - levels
    expected = unit * float(noise(curve.progress[-1]))
    sizes = _sizes(curve, whole)
    centre = float(levels.mean())
    spread = max(float(np.abs(levels - centre).max()), ROUNDING)
    design = np.column_stack([np.ones(len(whole)), (levels - centre) / spread, sizes])
    shift = LEVEL_SHIFT * spread
    penalty = np.diag([0.0, (expected / shift) ** 2, *[1 / SIZE_SHIFT**2] * sizes.shape[1]])
    inverse = np.linalg.inv(design.T @ design + penalty)
    coefficients = inverse @ (design.T @ gains)
    left = gains - design @ coefficients
    variance = (TRUST * expected**2 + float(left @ left)) / (TRUST + len(whole))
    own = np.zeros(design.shape[1])
    own[:2] = 1.0, (bounded(level, levels) - centre) / spread
    return Forecast(
        mean=level + float(own @ coefficients),
        deviation=math.sqrt(variance * (1 + float(own @ inverse @ own))),
    )


def _recent(curve: Curve) -> Array:
    """The progress of the values in the window, the last one at least."""
    since = curve.progress[-1] - WINDOW
    return np.array([progress for progress in curve.progress if progress > since])


def _sizes(curve: Curve, whole: Sequence[Curve]) -> Array:
    """How the finished networks differ from this one; empty where not all are described alike."""
    described = {len(each.size) for each in (curve, *whole)}
    if len(described) > 1 or described == {0}:
        return np.zeros((len(whole), 0))
    sizes = np.array([each.size for each in whole])
    return np.asarray(sizes - np.array(curve.size))
