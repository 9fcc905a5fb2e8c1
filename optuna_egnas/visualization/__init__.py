"""Plots of a search, each for one question; all take the linked studies and return plotly figures.

Colours are those of Okabe and Ito, which colour-blind people tell apart; symbols, dashes and
hatches tell the same in black and white. Each plot is data first (a NamedTuple, `..._info`) and
figure second. Importing this package loads plotly; importing `optuna_egnas` does not.
"""

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
