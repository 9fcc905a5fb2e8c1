"""How probable each verdict is before it is known, from published priors and the search so far.

A prior gives, for each phase, the chance that an attempt is refused: along a straight line from
the first attempt to the attempt `by`, and constant after that. Networks saturate as they deepen
(refusals grow in `depth`), then stand little more shrinking (`width`); full convolutions pay in
the first layers, wide kernels in the last.

The lines are rounded from a fit to the likelihood of the 319 verdicts of five recorded searches.
Fitted to four of them, the chances move by 0.1 at most and `by` by seven attempts, and the fifth
is searched about as fast: 5.57 times as by one worker with 8 of them, instead of 5.66, and 8.09
with 16, instead of 8.07 (geometric means, the rules alone on a simulated clock).

The search itself corrects its prior: the chance of a verdict moves by how many more of it were
seen than expected, per attempt, `TRUST` attempts added. A search that goes as foreseen changes
nothing, and one that goes otherwise is believed in the end.

An answer that is there while its bar is not (the incumbent would be one that still trains) says
more than that: below what the bar must be at least, it cannot pass.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..._core.odds import Prior
from ..._core.proposal import Phase

PRIORS: Mapping[Phase, Prior] = {
    "depth": Prior(first=0.02, last=0.7, by=15, neutral=0.25),
    "width": Prior(first=0.2, last=0.9, by=12),
    "ops": Prior(first=0.7, last=0.97, by=14),
    "kernels": Prior(first=0.98, last=0.9, by=14),
}

COARSE_PRIORS: Mapping[Phase, Prior] = {
    "depth": Prior(first=0.1, last=0.8, by=4),
    "width": Prior(first=0.7, last=0.8, by=3),
    "ops": Prior(first=0.8, last=0.9, by=3),
    "kernels": Prior(first=0.85, last=0.9, by=3),
}
"""Of policy `sound`: few attempts with large steps. Set by hand, from a few searches."""


def priors_of(policy: str) -> Mapping[Phase, Prior]:
    """What is expected of a search by these rules."""
    return COARSE_PRIORS if policy == "sound" else PRIORS
