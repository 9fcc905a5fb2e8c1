"""How many epochs a candidate is trained for, by the published attempt counter.

Rule (arXiv 2502.03553, policy `paper`): every attempt at another layer, and every attempt at a
narrower network, trains longer than the one before, whether or not that one was accepted.
"""

from __future__ import annotations


def attempt_epochs(
    *,
    base: int,
    depth_attempts: int,
    per_depth_attempt: int,
    width_attempts: int = 0,
    per_width_attempt: int = 0,
) -> int:
    """Epochs of a macro candidate after so many attempts, itself included."""
    return base + depth_attempts * per_depth_attempt + width_attempts * per_width_attempt
