"""Whether the thresholds of a space are in the unit of a study's values."""

from __future__ import annotations

import math
from dataclasses import replace

from .._core.macro import MacroSpace
from .._core.micro import MicroSpace
from .._core.space import Published

Space = MacroSpace | MicroSpace


def without_published_target(space: Space) -> Space:
    """The space for a study of one's own, whose values may be in any unit."""
    if isinstance(space, MacroSpace) and isinstance(space.target_accuracy, Published):
        return replace(space, target_accuracy=None)
    return space


def doubt(space: Space, value: float, *, minimizes: bool) -> str | None:
    """Why the thresholds of a space can hardly be meant for a value; None where they may be."""
    if isinstance(space, MicroSpace):
        return None
    if minimizes:
        return _no_target(space)
    if 0 <= value <= 1 or not math.isfinite(value):
        return None
    named = ", ".join(_of_fractions(space))
    if not named:
        return None
    return (
        f"The objective's value {value:.6g} is no fraction within 0 to 1, but {named} of the "
        "space is meant for fractions: give the space's thresholds in the objective's unit."
    )


def _no_target(space: MacroSpace) -> str | None:
    target = space.target_accuracy
    if target is None or isinstance(target, Published):
        return None
    return (
        f"target_accuracy={target} of the space has no effect: it is the least accuracy to "
        "reach, but the study minimizes."
    )


def _of_fractions(space: MacroSpace) -> list[str]:
    """The thresholds that are in fractions of 1, as they were given or as they were published."""
    target = space.target_accuracy
    found = [f"target_accuracy={target}"] if target is not None and target <= 1 else []
    # Other rules do not use them.
    names = ("depth_gain", "depth_slack") if space.policy == "paper" else ()
    published = [name for name in names if isinstance(getattr(space, name), Published)]
    return found + [f"{name}={getattr(space, name)}" for name in published]
