"""Candidates <-> trial parameters: those of the network, as its space spells them, and the epochs.

Linked studies hold the epochs of each training too; in a study of one's own they are its user's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidSpace
from .history import Candidate
from .problem import Range, Space

EPOCHS = "epochs"


def ranges(space: Space, names: Any = None, *, linked: bool) -> dict[str, Range]:
    """All parameters of a space with their values; `linked` studies also hold the epochs."""
    listed = space.ranges(names)
    return {**listed, EPOCHS: range(1, space.max_epochs + 1)} if linked else listed


def encode(
    candidate: Candidate, space: Space, names: Any = None, *, linked: bool
) -> dict[str, int | str]:
    """The parameters of a trial that trains this candidate."""
    params = space.encode(candidate.architecture, names)
    if linked and candidate.epochs is not None:
        params[EPOCHS] = candidate.epochs
    return params


def decode(params: Mapping[str, Any], space: Space, names: Any = None) -> Candidate | None:
    """The candidate that a trial's parameters spell; None if they do not spell one."""
    try:
        network = space.decode(params, names)
        epochs = params.get(EPOCHS)
        return Candidate(architecture=network, epochs=None if epochs is None else int(epochs))
    except (InvalidSpace, ArithmeticError, KeyError, TypeError, ValueError):
        return None
