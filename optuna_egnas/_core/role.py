"""The studies of a search, as a method names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .problem import Space
from .proposal import Found

TASK = ("input_shape", "classes", "n_valid")
"""Fields that all spaces of a search share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One study of a search.

    Args:
        name: the study is called after the search and this name, with a slash between them.
        space: the class of its space.
        question: what the study asks, for its note: "how deep the network should be".
        found: fields of its space that a search finds by itself: those of the data, and those
            that `start` sets.
        plots: the plots that optuna-dashboard shows of it, by file name.
        start: where the study begins with what the one before it has found: the fields of its
            space that this sets. None: it begins by itself.

    Examples:
        >>> from optuna_egnas import MacroSpace
        >>> from optuna_egnas.methods import Role
        >>> space = MacroSpace(min_depth=1, max_depth=4, min_width=8, max_width=16)
        >>> Role(name="only", space=MacroSpace, question="which network is best").plots
        ('walk', 'learning-curves', 'budgets', 'pareto')
    """

    name: str
    space: type[Space]
    question: str
    found: tuple[str, ...] = TASK
    plots: tuple[str, ...] = ("walk", "learning-curves", "budgets", "pareto")
    start: Callable[[Any, Found], Mapping[str, Any]] | None = None


class Survey(Protocol):
    """What a method's spaces hold before anything is trained.

    Examples:
        >>> class Count:
        ...     def to_json(self):
        ...         return {"networks": 12}
        ...
        ...     def lines(self):
        ...         return ["12 networks"]
        >>> Count().lines()
        ['12 networks']
    """

    def to_json(self) -> dict[str, Any]:
        """Plain values."""

    def lines(self) -> list[str]:
        """The lines that a person reads."""
