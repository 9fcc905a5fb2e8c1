"""Which finished trainings say nothing about the others: those that diverged, or spiked.

A mean or a least-squares fit has a breakdown point of zero: one training that diverges to 1e9 sets
the scale for all. So curves are first held against the medians of all curves, whose breakdown
point is one half. A curve is far out where it lies, or gains, more than `FAR` times the median
distance from the median curve; those are left out, and the rest is looked at again until none is
far out. The rest is used as it is: with no outlier, nothing changes.

A late riser is no outlier: one that only rises, within the range of what the others have shown,
tells what may happen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FAR = 15
"""About ten standard deviations of a normal distribution. On five recorded searches and 120
recorded chains no curve is further from the others than 9."""


def usual(values: Array, scores: Array, noise: Array, ranges: Array) -> NDArray[np.bool_]:
    """Which of n curves are not far out.

    Args:
        values: of shape (n, k), at k equal progresses.
        scores: of shape (n,), the final scores.
        noise: of shape (k,), the expected spread of the gains from each progress, in any unit.
        ranges: of shape (n, 2), the least and the greatest value of each whole curve.
    """
    kept = np.ones(len(scores), dtype=bool)
    points, gains = np.column_stack([values, scores]), (scores[:, None] - values) / noise
    while (far := _is_far(points[kept]) | _is_far(gains[kept])).any():
        kept[np.flatnonzero(kept)[far]] = False
    low, high = ranges[kept, 0].min(), ranges[kept, 1].max()
    in_range = (ranges[:, 0] >= low) & (ranges[:, 1] <= high + (high - low))
    return np.asarray(kept | (in_range & (scores >= values.max(axis=1))))


def bounded(value: float, others: Array) -> float:
    """The value, brought to where it is not far out of the others."""
    distances = np.abs(others - np.median(others))
    far = FAR * float(np.median(distances))
    return float(np.clip(value, others.min() - far, others.max() + far))


def _is_far(rows: Array) -> NDArray[np.bool_]:
    distances = np.abs(rows - np.median(rows, axis=0)).max(axis=1)
    # Where most are equal, as coarse scores are, the others tell the scale.
    positive = distances[distances > 0]
    reference = float(np.median(positive)) if len(positive) else 0.0
    return np.asarray(distances > FAR * reference)
