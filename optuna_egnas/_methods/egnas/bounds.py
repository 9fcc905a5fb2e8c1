"""The macro search: depth first, then width (arXiv 2502.03553, policy `paper`).

Policy `sound` has rules of its own, on the same space: see `sound_macro.py`.

Every candidate is a uniform chain of 3x3 separable convolutions, trained from scratch.

Depth phase. Start at `min_depth`, at the widest network that fits. Add one layer per attempt; the
epochs grow with every attempt. A gain of `depth_gain` is accepted; a loss within `depth_slack` is
neutral; anything else is a fail. The phase ends with the fail after `depth_patience` fails since
the last accepted attempt, at `max_depth`, where not even `min_width` fits, or when the incumbent
reaches `target_accuracy - target_tolerance` or learns its training data by heart.

Width phase, at the depth found. Take `width_step` off per attempt, down to `min_width`, with
more epochs each time. A score that is at least the incumbent's is accepted; the phase ends with
the fail after `width_patience` fails in a row, while the width goes on shrinking.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..._core.proposal import Incumbent, reaches
from ...errors import InvalidSpace, short
from .architecture import Architecture
from .cost import widest

if TYPE_CHECKING:
    from .space import MacroSpace


def widest_chain(space: MacroSpace, depth: int) -> Architecture | None:
    """The widest network of this depth that the limits allow; None if none does."""
    build = partial(_chain, depth)
    return widest(build, space.fits, at_most=space.max_width, at_least=space.min_width)


def _chain(depth: int, width: int) -> Architecture:
    return Architecture.chain(depth=depth, width=width)


def is_satisfied(space: MacroSpace, incumbent: Incumbent | None) -> bool:
    """Whether the depth phase may end early: near the target, or the training data known."""
    if incumbent is None:
        return False
    if incumbent.train_accuracy is not None and incumbent.train_accuracy >= 1.0:
        return True
    if incumbent.score is None or space.target_accuracy is None:
        return False
    target = round(space.target_accuracy - space.target_tolerance, 12)
    return reaches(incumbent.score, target, space.n_valid)


START_OP, START_KERNEL = "sep", 3


def _check_choices(name: str, choices: tuple[object, ...], start: object) -> None:
    if start not in choices:
        raise InvalidSpace(
            f"`{name}` must hold {start!r}, with which the search starts, but got "
            f"{short(choices)}."
        )
    if len(set(choices)) != len(choices):
        raise InvalidSpace(f"`{name}` must not repeat a choice, but got {short(choices)}.")
