"""Global neural architecture search as an Optuna plugin: the whole network, macro then micro.

`search` runs a whole search on images, and `train` trains what it has found. The samplers, the
spaces and the linked studies work in any Optuna project without them. Importing this package
loads neither torch nor plotly.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._core.budget import Budget
from ._methods.egnas.architecture import Architecture
from ._methods.egnas.operations import Operation, register_operation
from ._methods.egnas.space import MacroSpace, MicroSpace
from .errors import EgnasError

if TYPE_CHECKING:
    from ._search.export import export
    from ._search.final.result import FinalResult
    from ._search.final.train import train
    from ._search.search import search
    from ._search.studies import LinkedStudies, create_linked_studies, load_linked_studies
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
    "BudgetPruner": ".pruners",
    "FinalResult": "._search.final.result",
    "LinkedStudies": "._search.studies",
    "MacroSampler": ".samplers",
    "MicroSampler": ".samplers",
    "create_linked_studies": "._search.studies",
    "export": "._search.export",
    "load_linked_studies": "._search.studies",
    "search": "._search.search",
    "train": "._search.final.train",
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
