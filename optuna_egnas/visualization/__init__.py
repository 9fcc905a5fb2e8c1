"""Plots of a search, each for one question; all take the linked studies and return plotly figures.

Colours are those of Okabe and Ito, which colour-blind people tell apart; symbols, dashes and
hatches tell the same in black and white. Each plot is data first (a NamedTuple, `..._info`) and
figure second. Using one loads plotly; importing `optuna_egnas` does not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._methods.egnas.plots.depth_width import plot_depth_width
    from .._methods.egnas.plots.drawing import network_svg
    from .._methods.egnas.plots.macro_micro import plot_macro_micro
    from .._methods.egnas.plots.network import plot_network
    from ._budgets import plot_budgets
    from ._learning_curves import plot_learning_curves
    from ._pareto import plot_pareto
    from ._walk import plot_walk

__all__ = [
    "network_svg",
    "plot_budgets",
    "plot_depth_width",
    "plot_learning_curves",
    "plot_macro_micro",
    "plot_network",
    "plot_pareto",
    "plot_walk",
]

_OWN = "optuna_egnas._methods.egnas.plots"
_DOORS = {
    "network_svg": f"{_OWN}.drawing",
    "plot_budgets": "optuna_egnas.visualization._budgets",
    "plot_depth_width": f"{_OWN}.depth_width",
    "plot_learning_curves": "optuna_egnas.visualization._learning_curves",
    "plot_macro_micro": f"{_OWN}.macro_micro",
    "plot_network": f"{_OWN}.network",
    "plot_pareto": "optuna_egnas.visualization._pareto",
    "plot_walk": "optuna_egnas.visualization._walk",
}
"""The modules of the plots; those of a method lie in its own folder."""


def __getattr__(name: str) -> Any:
    if name not in _DOORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_DOORS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
