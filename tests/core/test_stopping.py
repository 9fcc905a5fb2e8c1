"""Forecasts at equal progress, and whom they stop."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from optuna_egnas._core.stopping import (
    FEWEST,
    Bars,
    Curve,
    Keep,
    Stop,
    measured_unit,
    noise,
    predict,
    stopping_decision,
)

ERROR = 0.002


def curve(
    score: float,
    *,
    epochs: int = 20,
    until: int | None = None,
    size: tuple[float, ...] = (),
    phase: str = "",
) -> Curve:
    """A saturating curve that ends at `score`, with a ripple of its own while it rises."""
    progress = [epoch / epochs for epoch in range(1, epochs + 1)]
    values = [
        score - 0.3 * (1 - p) ** 2 + 2 * ERROR * (1 - p) * math.sin(5000 * score + 20 * p)
        for p in progress
    ]
    whole = until is None
    return Curve(
        progress=tuple(progress[:until]),
        values=tuple(values[:until]),
        size=size,
        phase=phase,
        score=score if whole else None,
    )


FINISHED = [curve(score) for score in (0.900, 0.902, 0.899, 0.903, 0.901, 0.900)]
BARS = Bars(accept=0.902, neutral=0.9005)


def judge(candidate: Curve, *, risk: float = 0.01, error: float | None = ERROR) -> Keep | Stop:
    return stopping_decision(candidate, FINISHED, BARS, risk=risk, error=error)


@pytest.mark.parametrize("error", [ERROR, None])
@pytest.mark.parametrize("epochs", [10, 20, 50])
def test_the_forecast_is_that_of_equal_progress_whatever_the_budget(
    epochs: int, error: float | None
) -> None:
    candidate = curve(0.88, epochs=epochs, until=round(0.8 * epochs))

    forecast = predict(candidate, FINISHED, error=error)

    assert forecast is not None
    assert forecast.mean == pytest.approx(0.88, abs=0.004)


def test_it_gets_surer_with_progress() -> None:
    seen = [predict(curve(0.9, until=until), FINISHED, error=ERROR) for until in (10, 15, 19)]
    deviations = [each.deviation for each in seen if each]
    assert deviations == sorted(deviations, reverse=True)
    assert len(deviations) == 3


def test_the_chance_is_that_of_a_normal_distribution() -> None:
    forecast = predict(curve(0.9, until=16), FINISHED, error=ERROR)
    assert forecast is not None
    assert forecast.chance(forecast.mean) == pytest.approx(0.5)
    assert forecast.chance(forecast.mean + 2 * forecast.deviation) == pytest.approx(0.0228, 0.01)


@pytest.mark.parametrize(
    ("score", "until", "below"),
    [
        (0.880, 16, "neutral"),  # far below: a fail
        (0.903, 16, None),  # it will pass
        (0.902, 10, None),  # half way, nothing is decided
        (0.880, 20, None),  # at its end there is nothing to save
    ],
)
def test_only_the_hopeless_are_stopped(score: float, until: int, below: str | None) -> None:
    said = judge(curve(score, until=until))
    assert (said.below if isinstance(said, Stop) else None) == below


def test_between_the_bars_a_stop_is_neutral() -> None:
    bars = Bars(accept=0.95, neutral=0.88)

    said = stopping_decision(curve(0.9, until=18), FINISHED, bars, risk=0.01, error=ERROR)

    assert isinstance(said, Stop)
    assert said.below == "accept"
    assert said.bar == 0.95
    assert said.chance < 0.01


def test_one_that_has_passed_its_bar_is_kept_however_it_goes_on() -> None:
    candidate = curve(0.8, until=19)
    lucky = replace(candidate, values=(0.95, *candidate.values[1:]))
    assert isinstance(judge(candidate), Stop)
    assert judge(lucky) == Keep()


def test_a_risk_of_nought_stops_nobody() -> None:
    assert judge(curve(0.1, until=19), risk=0.0) == Keep()


@pytest.mark.parametrize(
    ("candidate", "finished"),
    [
        (curve(0.5, until=19), FINISHED[: FEWEST - 1]),
        (curve(0.5, until=19), [replace(each, score=None) for each in FINISHED]),
        (curve(0.5, until=19), [replace(each, score=math.nan) for each in FINISHED]),
        (curve(0.5, until=19), [curve(0.9, until=15) for _ in range(9)]),
        (Curve(progress=(), values=()), FINISHED),
        (curve(0.5, until=19, phase="width"), FINISHED),
    ],
    ids=[
        "too few",
        "without a score",
        "scores that are not finite",
        "not whole",
        "no report",
        "new phase",
    ],
)
def test_where_too_little_is_known_it_goes_on(candidate: Curve, finished: list[Curve]) -> None:
    assert stopping_decision(candidate, finished, BARS, risk=0.5, error=ERROR) == Keep()


def test_the_scale_of_the_noise_is_that_of_the_curves() -> None:
    calm, wild = [], []
    for index, score in enumerate((0.9, 0.91, 0.92, 0.9, 0.91, 0.92)):
        each = curve(score)
        shifts = [0.01 * (-1) ** index * float(noise(p)) for p in each.progress]
        wild.append(
            replace(each, values=tuple(v + s for v, s in zip(each.values, shifts, strict=True)))
        )
        calm.append(each)
    widened = math.sqrt(9 / 5)
    assert measured_unit(wild) == pytest.approx(0.01 * widened, rel=0.1)
    assert measured_unit(calm) < 0.2 * measured_unit(wild)


def test_equal_curves_have_no_scale_and_so_no_forecast() -> None:
    assert predict(curve(0.9, until=15), [curve(0.9)] * 6) is None


def test_the_architecture_shifts_the_forecast() -> None:
    """Deeper networks gain more at the end: the regression carries it on to a deeper one."""
    finished = []
    for depth in range(2, 14):
        each = curve(0.9, size=(math.log(depth), 1.0))
        finished.append(replace(each, score=0.9 + 0.02 * math.log(depth)))
    seen = [
        predict(curve(0.9, until=18, size=(math.log(depth), 1.0)), finished, error=ERROR)
        for depth in (2, 13)
    ]
    assert seen[0] is not None
    assert seen[1] is not None
    assert seen[1].mean > seen[0].mean + 0.005


def test_networks_that_are_not_described_alike_are_compared_without() -> None:
    mixed = [curve(0.9, size=(1.0,)), *FINISHED]
    forecast = predict(curve(0.9, until=18, size=(1.0, 2.0)), mixed, error=ERROR)
    assert forecast is not None
    assert forecast.mean == pytest.approx(0.9, abs=0.003)
