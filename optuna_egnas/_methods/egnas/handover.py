"""What ties two studies into one search: the record in their user attributes, and the hand-over.

User attributes, not system attributes or names: renaming a study in optuna-dashboard gives it a
new id and drops its system attributes. The two studies share a run id and are found by it.
"""

from __future__ import annotations

from typing import Any

from ..._core.proposal import Found
from .sound_micro import epochs_after
from .space import MicroSpace


def start_from(space: MicroSpace, found: Found) -> dict[str, Any]:
    """The fields of a micro space that a macro result sets."""
    confirm = space.confirm_epochs
    start = {"depth": found.architecture.depth, "width": found.architecture.width}
    if space.policy == "sound":
        # Only scores of inherited weights do not compare with those of a training from scratch.
        epochs = epochs_after(found.epochs)
        default = 0 if space.inherit is None else epochs
        confirm = default if confirm is None else confirm
        return {**start, "epochs": epochs, "confirm_epochs": confirm}
    return {**start, "confirm_epochs": found.epochs if confirm is None else confirm}
