"""Whether a training can still pass its bar: a forecast of its score from equal progress.

Every curve is read over its own budget: what a candidate has reached at half of its epochs is
compared with what the finished ones had reached at half of theirs. What is left to gain from
there is regressed, over the finished curves, on how high each stood and on its architecture; the
coefficients are drawn to nought, and so with few curves the mean gain is what counts.

The noise has a fixed profile over the progress and one scale. The profile (`noise`) is rounded
from the depth and width candidates of five recorded searches, where it holds in units of the
standard error of an accuracy, sqrt(p (1 - p) / n). The scale is measured on the finished curves,
and at least that error where the number of validation images is known. Larger scores are better
here; scores and bars are in the objective's unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

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
"""Where the scale of the noise is measured."""
WHOLE = 1 - 1e-9


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
    """It may still pass, or too little is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """It will hardly pass `bar`: the chance is below the risk. `below` says which bar it is."""

    below: Below
    bar: float
    chance: float
    forecast: Forecast


def verdict(
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
    forecast = predict(curve, finished, error=error)
    if forecast is None:
        return Keep()
    steps: tuple[tuple[Below, float | None], ...]
    steps = (("neutral", bars.neutral), ("accept", bars.accept))
    for below, bar in steps:
        if bar is not None and (chance := forecast.chance(bar)) < risk:
            return Stop(below=below, bar=bar, chance=chance, forecast=forecast)
    return Keep()


def predict(
    curve: Curve, finished: Sequence[Curve], *, error: float | None = None
) -> Forecast | None:
    """The score at the end of the own budget; None where too little is known."""
    whole = [each for each in finished if each.is_whole][-MOST:]
    alike = sum(each.phase == curve.phase for each in whole)
    if alike < FEWEST or not curve.values:
        return None
    unit = max(measured_unit(whole), error or 0.0)
    if not unit > 0:
        return None
    return _regress(curve, whole, unit)


def noise(progress: Array | float) -> Array | float:
    """Standard deviation of the final score, given a value at this progress, in units."""
    left = 1 - progress
    return 0.1 + 2 * left + 40 * left**3


def measured_unit(whole: Sequence[Curve]) -> float:
    """The scale of the noise, from how well each curve's score follows from all the others.

    Widened where there are few curves, as a t-distribution is.
    """
    scores, count = np.array([each.score for each in whole]), len(whole)
    squares = []
    for progress in PROGRESSES:
        gains = scores - np.array([np.interp(progress, c.progress, c.values) for c in whole])
        squares.append(gains.var() * (count + 3) / (count - 1) / noise(progress) ** 2)
    return math.sqrt(float(np.mean(squares)))


def _regress(curve: Curve, whole: Sequence[Curve], unit: float) -> Forecast:
    """The final gain by a regression with a prior; all is centred on the candidate itself."""
    recent = _recent(curve)
    weights = 1 / np.asarray(noise(recent)) ** 2
    weights /= weights.sum()
    level = float(weights @ np.array(curve.values[-len(recent) :]))
    levels = np.array([weights @ np.interp(recent, c.progress, c.values) for c in whole])
    gains = np.array([each.score for each in whole]) - levels
    expected = unit * float(noise(curve.progress[-1]))
    sizes = _sizes(curve, whole)
    design = np.column_stack([np.ones(len(whole)), levels - level, sizes])
    penalty = np.diag([0.0, (expected / LEVEL_SHIFT) ** 2, *[1 / SIZE_SHIFT**2] * sizes.shape[1]])
    inverse = np.linalg.inv(design.T @ design + penalty)
    coefficients = inverse @ (design.T @ gains)
    left = gains - design @ coefficients
    variance = (TRUST * expected**2 + float(left @ left)) / (TRUST + len(whole))
    return Forecast(
        mean=level + float(coefficients[0]),
        deviation=math.sqrt(variance * (1 + float(inverse[0, 0]))),
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
