"""The policies of EGNAS: each is one row of a table, and nothing else knows their names.

`paper` is published (arXiv 2502.03553). `sound` takes coarse steps, gives equal networks equal
budgets, and trains briefly; see `sound_macro.py` and `sound_micro.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..._core.odds import Prior
from ..._core.proposal import Found, Position
from . import paper_macro, paper_micro, sound_macro, sound_micro
from .architecture import as_chain
from .bounds import MacroBounds, MicroBounds
from .priors import COARSE_PRIORS, PRIORS


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One named set of rules.

    Args:
        macro, micro: the automata at their start.
        max_epochs: epochs of the longest training of a macro search.
        priors: what is expected of each phase.
        hand_over: the fields of a micro space that a macro result sets, beside depth and width.
        trains_briefly: whether candidates are trained for few epochs, as suits their recipe.
        ignored: the fields of each space for which the rules have no use.
    """

    macro: Callable[[MacroBounds], Position]
    micro: Callable[[MicroBounds], Position]
    max_epochs: Callable[[MacroBounds], int]
    priors: Mapping[str, Prior]
    hand_over: Callable[[MicroBounds, Found], dict[str, Any]]
    trains_briefly: bool
    ignored: Mapping[str, tuple[str, ...]]


def start_from(space: MicroBounds, found: Found) -> dict[str, Any]:
    """The fields of a micro space that a macro result sets."""
    chain = as_chain(found.architecture)
    start = {"depth": chain.depth, "width": chain.width}
    return {**start, **POLICIES[space.policy].hand_over(space, found)}


def _confirm_like_macro(space: MicroBounds, found: Found) -> dict[str, Any]:
    confirm = space.confirm_epochs
    return {"confirm_epochs": found.epochs if confirm is None else confirm}


def _train_after_macro(space: MicroBounds, found: Found) -> dict[str, Any]:
    epochs, confirm = sound_micro.epochs_after(found.epochs), space.confirm_epochs
    # Only scores of inherited weights do not compare with those of a training from scratch.
    default = 0 if space.inherit is None else epochs
    return {"epochs": epochs, "confirm_epochs": default if confirm is None else confirm}


POLICIES: Mapping[str, Policy] = {
    "paper": Policy(
        macro=paper_macro.begin,
        micro=paper_micro.begin,
        max_epochs=paper_macro.max_epochs,
        priors=PRIORS,
        hand_over=_confirm_like_macro,
        trains_briefly=False,
        ignored={"macro": ("level",), "micro": ("level",)},
    ),
    "sound": Policy(
        macro=sound_macro.begin,
        micro=sound_micro.begin,
        max_epochs=sound_macro.max_epochs,
        priors=COARSE_PRIORS,
        hand_over=_train_after_macro,
        trains_briefly=True,
        ignored={
            "macro": (
                "epochs_per_layer",
                "epochs_per_width_step",
                "depth_gain",
                "depth_slack",
                "width_patience",
            ),
            "micro": ("epochs",),
        },
    ),
}
