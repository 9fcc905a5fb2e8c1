from __future__ import annotations

import random

import pytest

from optuna_egnas._core.noise import least_gain


@pytest.mark.parametrize("level", [0.05, 0.25])
def test_equal_networks_show_the_gain_as_often_as_the_level_says(level: float) -> None:
    draw, images = random.Random(0), 200

    def score() -> float:
        return sum(draw.random() < 0.8 for _ in range(images)) / images

    pairs = [(score(), score()) for _ in range(2000)]
    passed = sum(new - old >= least_gain(old, images, level) for old, new in pairs)

    assert passed / len(pairs) == pytest.approx(level, abs=0.03)


def test_the_gain_falls_with_the_images_and_with_the_level() -> None:
    gains = [least_gain(0.8, images, 0.1) for images in (100, 1_000, 10_000)]

    assert gains == sorted(gains, reverse=True)
    assert gains[0] == pytest.approx(10 * gains[2], rel=0.02), "as one over the square root"
    assert least_gain(0.8, 100, 0.25) < least_gain(0.8, 100, 0.1)
    assert least_gain(0.8, 100, 0.5) == 0


def test_a_perfect_score_has_a_spread_and_an_error_rate_that_of_its_accuracy() -> None:
    assert least_gain(1.0, 100, 0.1) > 0
    assert least_gain(-0.2, 100, 0.1) == pytest.approx(least_gain(0.8, 100, 0.1))
