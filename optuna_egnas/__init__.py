"""Global neural architecture search as an Optuna plugin: the whole network, macro then micro.

`search` runs a whole search on images, and `train` trains what it has found. The samplers, the
spaces and the linked studies work in any Optuna project without them. Importing this package
loads nothing of it: each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module

# Type checkers know this name; `typing` would be the largest part of what is loaded here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._core.architecture import Architecture
    from ._core.budget import Budget
    from ._core.macro import MacroSpace
    from ._core.micro import MicroSpace
    from ._core.operations import Operation, register_operation
    from ._export import export
    from ._final import train
    from ._final_result import FinalResult
    from ._linked import LinkedStudies, create_linked_studies, load_linked_studies
    from ._search import search
    from .errors import EgnasError
    from .pruners import BudgetPruner, training_budget
    from .samplers import MacroSampler, MicroSampler

__all__ = [
    "Architecture",
    "Budget",
    "BudgetPruner",
    "EgnasError",
    "FinalResult",
    "LinkedStudies",
    "MacroSampler",
    "MacroSpace",
    "MicroSampler",
    "MicroSpace",
    "Operation",
    "create_linked_studies",
    "export",
    "load_linked_studies",
    "register_operation",
    "search",
    "train",
    "training_budget",
]

_DOORS = {
    "Architecture": "._core.architecture",
    "Budget": "._core.budget",
    "BudgetPruner": ".pruners",
    "EgnasError": ".errors",
    "FinalResult": "._final_result",
    "LinkedStudies": "._linked",
    "MacroSampler": ".samplers",
    "MacroSpace": "._core.macro",
    "MicroSampler": ".samplers",
    "MicroSpace": "._core.micro",
    "Operation": "._core.operations",
    "create_linked_studies": "._linked",
    "export": "._export",
    "load_linked_studies": "._linked",
    "register_operation": "._core.operations",
    "search": "._search",
    "train": "._final",
    "training_budget": ".pruners",
}
"""Names that are loaded when they are first used."""
_ROOMS = ("visualization",)
"""Packages of this package that are loaded when they are first used."""


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name not in _DOORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_DOORS[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
