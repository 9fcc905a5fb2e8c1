"""How long a trial is to be trained, asked from inside its objective."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from .._claims import BUDGET, all_trials, study_attributes
from .._core.budget import Budget
from .._link import read_link
from ..errors import SearchError
from ._budget import BudgetPruner, walks_epochs
from ._curves import stored_budget

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial


def training_budget(trial: Trial) -> Budget:
    """The budget of a running trial: its epochs, learning rate and batch size.

    Where `MacroSampler` or `MicroSampler` proposed the trial, the epochs are those of their walk,
    set by their space, and the learning rate and batch size those of the study's `BudgetPruner`;
    a warning says so where the pruner's epochs are others. Else that pruner is asked, once, and
    the answer is kept as the trial's user attribute `budget`. It is never a suggested parameter,
    which a sampler would search. Suggest the trial's parameters first: policy `cost` depends on
    them.

    Let a cosine schedule end with the last of these epochs, and report each epoch as one step.

    Raises:
        SearchError: neither a walk nor a `BudgetPruner` with a budget says it, or the trial has a
            user attribute `budget` of another kind.

    Warns:
        EgnasWarning: as `BudgetPruner`.
    """
    study = trial.study
    frozen = all_trials(study)[trial.number]
    stored = stored_budget(frozen)
    if stored is not None:
        return stored
    if BUDGET in frozen.user_attrs:
        raise SearchError(
            f"A trial's user attribute {BUDGET!r} must be what `training_budget` has stored, but "
            f"got {frozen.user_attrs[BUDGET]!r:.100}: give your own attribute another name."
        )
    pruner = study.pruner if isinstance(study.pruner, BudgetPruner) else None
    base = pruner.budget if pruner else None
    epochs = walks_epochs(study, frozen)
    if epochs is not None:
        if pruner is not None:
            pruner.say_who_decides(study, frozen)
        return _as_walked(study, epochs, base)
    budget = pruner.budget_of(frozen) if pruner else None
    if budget is None:
        raise SearchError(
            "A training budget must come from a walk or from the study's pruner, but got neither: "
            "create the study with `pruner=BudgetPruner(Budget(epochs=...))`."
        )
    trial.set_user_attr(BUDGET, asdict(budget))
    return budget


def _as_walked(study: Study, epochs: int, base: Budget | None) -> Budget:
    """The walk's epochs, at the rate and batch size of the search, else of the pruner."""
    link = read_link(study_attributes(study))
    recipe = dict(link.dataset) if link else {}
    default = base or Budget(epochs=epochs)
    return Budget(
        epochs=epochs,
        learning_rate=recipe.get("recipe learning_rate", default.learning_rate),
        batch_size=recipe.get("recipe batch_size", default.batch_size),
    )
