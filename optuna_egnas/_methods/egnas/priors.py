"""What is expected of the verdicts of EGNAS before they are known, phase by phase.

Networks saturate as they deepen (refusals grow in `depth`), then stand little more shrinking
(`width`); full convolutions pay in the first layers, wide kernels in the last.

The lines are rounded from a fit to the likelihood of the 319 verdicts of five recorded searches.
Fitted to four of them, the chances move by 0.1 at most and `by` by seven attempts, and the fifth
is searched about as fast: 5.57 times as by one worker with 8 of them, instead of 5.66, and 8.09
with 16, instead of 8.07 (geometric means, the rules alone on a simulated clock).
"""

from __future__ import annotations

from collections.abc import Mapping

from ..._core.odds import Prior

PRIORS: Mapping[str, Prior] = {
    "depth": Prior(first=0.02, last=0.7, by=15, neutral=0.25),
    "width": Prior(first=0.2, last=0.9, by=12),
    "ops": Prior(first=0.7, last=0.97, by=14),
    "kernels": Prior(first=0.98, last=0.9, by=14),
}

COARSE_PRIORS: Mapping[str, Prior] = {
    "depth": Prior(first=0.1, last=0.8, by=4),
    "width": Prior(first=0.7, last=0.8, by=3),
    "ops": Prior(first=0.8, last=0.9, by=3),
    "kernels": Prior(first=0.85, last=0.9, by=3),
}
"""The priors of policy `sound`, of few attempts with large steps; set by hand, from a few
searches."""

BY_HEART, OF_FEW, FEW = 0.01, 0.15, 1000
"""The chance that a network which the depth phase keeps fits its training data perfectly, which
ends that phase; and that chance where fewer than so many images validate, since few images are
soon known. Set by hand, from a few searches on the digits."""
