"""Curves that are far out of the others, and those that are not."""

from __future__ import annotations

import numpy as np
import pytest

from optuna_egnas._core.outliers import Array, bounded, usual

PROGRESSES = np.array([0.5, 0.7, 0.9])
NOISE = np.array([6.0, 1.8, 0.3])


def curves(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Values of shape (count, 3) and scores of curves that rise to about 0.9."""
    generator = np.random.default_rng(seed)
    scores = 0.9 + 0.01 * generator.standard_normal(count)
    ripple = 0.01 * generator.standard_normal((count, 3)) * (1 - PROGRESSES)
    return scores[:, None] - 0.3 * (1 - PROGRESSES) ** 2 + ripple, scores


def chosen(values: Array, scores: Array) -> list[bool]:
    starts = np.full(len(scores), 0.1)
    everything = np.column_stack([starts, values, scores])
    ranges = np.column_stack([everything.min(axis=1), everything.max(axis=1)])
    return usual(values, scores, NOISE, ranges).tolist()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("count", [5, 8, 32])
def test_of_usual_curves_none_is_left_out(count: int, seed: int) -> None:
    assert all(chosen(*curves(count, seed)))


@pytest.mark.parametrize("size", [3.0, 1e3, 1e9, 1e300])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_training_that_diverges_spikes_or_stays_far_away_is_left_out(
    size: float, sign: int
) -> None:
    values, scores = curves(12)
    diverged, spiked, stayed = 3, 5, 8
    values[diverged, 2] = scores[diverged] = sign * size
    values[spiked, 1] = sign * size
    values[stayed], scores[stayed] = sign * size, sign * size

    kept = chosen(values, scores)

    assert [place for place, is_kept in enumerate(kept) if not is_kept] == [3, 5, 8]


def test_one_that_diverges_hides_no_other() -> None:
    """The second one is seen only once the first one is out of the scale."""
    values, scores = curves(7)
    scores[0], scores[1], scores[2] = -1e300, -1e150, -1e3
    assert chosen(values, scores) == [False] * 3 + [True] * 4


def test_a_collapse_is_left_out_and_a_late_rise_is_not() -> None:
    values, scores = curves(12)
    scores[2] = 0.1
    values[4] = 0.15
    assert chosen(values, scores) == [place != 2 for place in range(12)]


def test_equal_curves_with_one_other_are_all_kept() -> None:
    values, scores = np.full((6, 3), 0.5), np.full(6, 0.5)
    assert all(chosen(values, scores))
    values[2], scores[2] = 0.6, 0.7
    assert all(chosen(values, scores)), "there is nothing else to tell the scale"


def test_a_value_is_brought_near_the_others() -> None:
    others = np.array([0.4, 0.5, 0.6])
    assert bounded(0.55, others) == 0.55
    assert bounded(1e9, others) == pytest.approx(0.6 + 15 * 0.1)
    assert bounded(-1e9, others) == pytest.approx(0.4 - 15 * 0.1)
    assert bounded(-1e9, np.array([0.5, 0.5])) == 0.5
