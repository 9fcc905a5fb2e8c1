"""How large a gain in accuracy must be before it is more than chance.

Two networks that answer equally well on average still differ on n images: each accuracy p has the
standard error sqrt(p (1 - p) / n), and their difference sqrt(2) times that, the images taken as
drawn anew for each. On the same images the errors are partly shared, so this is an upper bound;
what it is too large leaves room for the other source of noise, the seed of a training.
"""

from __future__ import annotations

import math
from statistics import NormalDist


def standard_error(score: float, n_valid: int | None) -> float:
    """The standard error of an accuracy on `n_valid` images, a fraction; 0 where they are unknown.

    One right and one wrong answer are added to those that were counted (Agresti and Coull, 1998).
    """
    if n_valid is None or abs(score) > 1:
        return 0.0
    share = (round(abs(score) * n_valid) + 1) / (n_valid + 2)
    return math.sqrt(share * (1 - share) / n_valid)


def least_gain(score: float, n_valid: int, level: float) -> float:
    """The gain over `score` that an equal network shows with the chance `level` only.

    Args:
        score: an accuracy, or minus an error rate: a fraction of `n_valid` images.
        n_valid: number of validation images.
        level: chance, above 0 and at most 0.5, at which any gain is enough.

    Returns:
        A fraction of the images. One right and one wrong answer are added to those that were
        counted (Agresti and Coull, 1998), so that a perfect score has a spread too.
    """
    right = round(min(abs(score), 1.0) * n_valid)
    share = (right + 1) / (n_valid + 2)
    spread = math.sqrt(2 * share * (1 - share) / n_valid)
    # Rounded: libraries of mathematics differ in the last digits, walks must not.
    return round(-NormalDist().inv_cdf(level) * spread, 12)
