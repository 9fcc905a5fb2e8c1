"""The policies of EGNAS: each is one row of a table, and nothing else knows their names.

`paper` is published (arXiv 2502.03553). `sound` takes coarse steps, gives equal networks equal
budgets, and trains briefly; see `sound_macro.py` and `sound_micro.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..._core.network import Shape
from ..._core.odds import Prior
from ..._core.proposal import Found, Position
from ..._core.recipe import Recipe
from . import paper_macro, paper_micro, sound_macro, sound_micro
from .architecture import as_chain
from .bounds import MacroBounds, MicroBounds
from .priors import COARSE_PRIORS, PRIORS

MOST_BASE_EPOCHS = 30
"""To which the number of steps may raise the epochs of the first candidate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One named set of rules.

    Args:
        macro, micro: the automata at their start.
        max_epochs: epochs of the longest training of a macro search.
        priors: what is expected of each phase.
        hand_over: the fields of a micro space that a macro result sets, beside depth and width.
        recipes: of the candidates, and of what is found, by the images' shape, their number, and
            whether they may be mirrored.
        ignored: the fields of each space for which the rules have no use.
        finalists: so many networks are compared at the end of a search.
        least_steps: the first candidate is trained for so many steps at least.
    """

    macro: Callable[[MacroBounds], Position]
    micro: Callable[[MicroBounds], Position]
    max_epochs: Callable[[MacroBounds], int]
    priors: Mapping[str, Prior]
    hand_over: Callable[[MicroBounds, Found], dict[str, Any]]
    recipes: Callable[[Shape, int, bool], tuple[Recipe, Recipe]]
    ignored: Mapping[str, tuple[str, ...]]
    finalists: int = 0
    least_steps: int = 0

    def epochs_for(self, base: int, n_train: int) -> int:
        """Epochs of the first candidate: more than usual where so few images make few steps."""
        steps = max(1, n_train // Recipe.batch_for(n_train))
        return max(base, min(math.ceil(self.least_steps / steps), MOST_BASE_EPOCHS))


def start_from(space: MicroBounds, found: Found) -> dict[str, Any]:
    """The fields of a micro space that a macro result sets."""
    chain = as_chain(found.architecture)
    start = {"depth": chain.depth, "width": chain.width}
    if space.finalists:
        start["earlier_epochs"] = found.spent
    return {**start, **POLICIES[space.policy].hand_over(space, found)}


def _confirm_like_macro(space: MicroBounds, found: Found) -> dict[str, Any]:
    confirm = space.confirm_epochs
    return {"confirm_epochs": found.epochs if confirm is None else confirm}


def _train_after_macro(space: MicroBounds, found: Found) -> dict[str, Any]:
    epochs, confirm = sound_micro.epochs_after(found.epochs), space.confirm_epochs
    # Only scores of inherited weights do not compare with those of a training from scratch.
    default = 0 if space.inherit is None else epochs
    return {"epochs": epochs, "confirm_epochs": default if confirm is None else confirm}


def _published(input_shape: Shape, n_train: int, flip: bool) -> tuple[Recipe, Recipe]:
    recipe = Recipe.for_images(input_shape, flip=flip)
    return recipe, recipe


def _suited(input_shape: Shape, n_train: int, flip: bool) -> tuple[Recipe, Recipe]:
    recipe = Recipe.suited(input_shape, n_train=n_train, flip=flip)
    return recipe.for_short_training(), recipe


POLICIES: Mapping[str, Policy] = {
    "paper": Policy(
        macro=paper_macro.begin,
        micro=paper_micro.begin,
        max_epochs=paper_macro.max_epochs,
        priors=PRIORS,
        hand_over=_confirm_like_macro,
        recipes=_published,
        ignored={"macro": ("level",), "micro": ("level", "finalists")},
    ),
    "sound": Policy(
        macro=sound_macro.begin,
        micro=sound_micro.begin,
        max_epochs=sound_macro.max_epochs,
        priors=COARSE_PRIORS,
        hand_over=_train_after_macro,
        recipes=_suited,
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
        finalists=6,
        least_steps=300,
    ),
}
