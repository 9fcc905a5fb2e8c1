"""How long the rest of a search is likely to take, from what it has trained so far."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ._claims import study_attributes
from ._core.encoding import Names
from ._core.macro import MacroSpace
from ._core.micro import MicroSpace
from ._core.sound_macro import epochs_of
from ._core.walk import least_left
from ._link import read_link
from ._linked import trials_of
from ._translate import Reader

if TYPE_CHECKING:
    from ._linked import LinkedStudies


def seconds_left(studies: LinkedStudies) -> float | None:
    """Seconds of training that are left if nothing more is accepted; None before the first."""
    trials = trials_of(studies)
    epochs = sum(trial.user_attrs.get("epochs_trained", 0) for trial in trials)
    if not epochs:
        return None
    seconds = sum(trial.user_attrs.get("seconds", 0.0) for trial in trials)
    return float(_epochs_left(studies) * seconds / epochs)


def _epochs_left(studies: LinkedStudies) -> int:
    macro, micro = studies.reader("macro"), studies.reader("micro")
    assert macro is not None
    left = least_left(macro.space, macro.history(studies.macro))
    if micro is not None:
        return left + least_left(micro.space, micro.history(studies.micro))
    return left + _micro_epochs_ahead(studies)


def _micro_epochs_ahead(studies: LinkedStudies) -> int:
    """Epochs of a micro search that would start from the best so far and keep nothing."""
    link = read_link(study_attributes(studies.micro))
    best = studies.result().architecture
    assert link is not None and isinstance(link.space, MicroSpace)
    if best is None:
        return 0
    ahead = replace(link.space, depth=best.depth, width=best.width)
    macro = studies.link.space
    if macro.policy == "sound" and isinstance(macro, MacroSpace):
        ahead = replace(ahead, epochs=epochs_of(macro, best.depth))
    return least_left(ahead, Reader.of(studies.micro, ahead, Names()).history(studies.micro))
