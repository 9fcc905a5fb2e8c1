"""Pruners of the walks' trials."""

from __future__ import annotations

from ._budget import BudgetPruner

__all__ = ["BudgetPruner"]
