"""The pruner, and the budgets that it owns."""

from __future__ import annotations

from ._budget import BudgetPruner
from ._training_budget import training_budget

__all__ = ["BudgetPruner", "training_budget"]
