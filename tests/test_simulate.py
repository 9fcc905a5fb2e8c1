"""Simulated workers on recorded searches: the same walk, and what it gains."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from optuna_egnas._simulate import simulate
from optuna_egnas._trace import read_trace

DIGITS = Path(__file__).parents[1] / "studies" / "digits" / "walk.json"


def test_one_worker_takes_as_long_as_the_search_did() -> None:
    shown = simulate(read_trace(DIGITS), workers=1).to_json()

    assert shown["match"]
    assert shown["speedup"] == pytest.approx(1.0)
    assert shown["makespan_s"] == pytest.approx(shown["sequential_s"])
    assert shown["wasted_trials"] == 0


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_more_workers_walk_the_same_way_in_less_time(workers: int) -> None:
    shown = simulate(read_trace(DIGITS), workers=workers).to_json()

    assert shown["match"]
    assert shown["first_difference"] is None
    assert 1.0 < shown["speedup"] <= workers
    assert shown == simulate(read_trace(DIGITS), workers=workers).to_json(), "nothing is random"


@pytest.mark.parametrize(("workers", "least"), [(2, 1.85), (4, 3.3)])
def test_recorded_searches_gain_what_they_should(
    recorded: list[Path], workers: int, least: float
) -> None:
    shown = [simulate(read_trace(file), workers=workers).to_json() for file in recorded]

    assert all(one["match"] for one in shown)
    assert math.prod(one["speedup"] for one in shown) ** (1 / len(shown)) >= least
