"""How all plots look: colours, symbols, axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import plotly.graph_objects as go

from .._core.proposal import CONFIRM
from .._core.text import html

if TYPE_CHECKING:
    from .._storage.studies import StoredStudies
    from ._entries import Entry


# Okabe and Ito's colours.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE = "#666666", "#E6E6E6"
FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"


class Look(NamedTuple):
    """How one kind of training is drawn; colour, symbol, dash and hatch each say the same."""

    label: str
    colour: str
    symbol: str
    dash: str
    hatch: str
    size: int = 10


LOOKS: dict[str, Look] = {
    "baseline": Look("baseline", BLACK, "square", "solid", "", 10),
    "accepted": Look("accepted", GREEN, "circle", "solid", "", 11),
    "neutral": Look("neutral", ORANGE, "diamond", "dash", "/", 11),
    "refused": Look("refused", VERMILION, "x-thin", "dot", "x", 9),
    "confirmed": Look("the result, trained once more", BLUE, "star", "solid", ".", 15),
    "measured": Look("a finalist, trained anew", BLUE, "hexagon", "solid", "/", 11),
    "ahead": Look("trained ahead, off the walk", GREY, "circle-open", "dashdot", "-", 9),
    "stopped": Look("stopped", GREY, "triangle-down-open", "dashdot", "|", 9),
    "failed": Look("failed", PURPLE, "cross-thin", "dashdot", "+", 9),
    "lost": Look("worker lost", PURPLE, "y-down", "dashdot", "\\", 9),
    "running": Look("in training", SKY, "triangle-right-open", "dashdot", "-", 9),
}
"""By the fate of an entry, in the order of legends."""

FILLINGS = ((SKY, ""), (ORANGE, "/"), (GREEN, "x"), (PURPLE, "."), (YELLOW, "\\"))
"""Colour and hatch of the first, the second ... kind of layer."""

STUDIES = (
    (BLUE, "circle-open"),
    (VERMILION, "diamond"),
    (GREEN, "square-open"),
    (PURPLE, "triangle-up"),
)
"""Colour and symbol of the first, the second ... study of a search."""


def group_of(entry: Entry) -> str:
    """The trainings with which an entry's score compares: those of its study.

    The last training of a result is a group of its own; it compares with the first study too.
    """
    return CONFIRM if entry.phase == CONFIRM else entry.role


def groups_of(studies: StoredStudies) -> tuple[str, ...]:
    """All groups of a search, in the order in which they are drawn."""
    return (*studies.roles, CONFIRM)


def marker(look: Look) -> dict[str, Any]:
    """The marker of a look; thin crosses need a line of their own."""
    thin = "thin" in look.symbol or look.symbol.startswith("y-")
    line = {"color": look.colour, "width": 2.5} if thin else {"color": look.colour, "width": 1.5}
    return {"color": look.colour, "symbol": look.symbol, "size": look.size, "line": line}


def hatched(colour: str | list[str], hatch: str | list[str]) -> dict[str, Any]:
    """Bars of this colour with a hatch over it, which tells them apart in black and white."""
    pattern = {"shape": hatch, "fillmode": "overlay", "fgcolor": "white", "size": 8}
    return {"color": colour, "pattern": {**pattern, "solidity": 0.25}}


def dressed(figure: go.Figure, *, title: str, height: int = 460, grid: bool = True) -> go.Figure:
    """The figure with our axes and fonts, and a title that says what it shows."""
    axis = {
        "showline": True,
        "linecolor": BLACK,
        "ticks": "outside",
        "showgrid": False,
        "zeroline": False,
        "automargin": True,
    }
    figure.update_xaxes(**axis)
    figure.update_yaxes(**{**axis, "showgrid": grid, "gridcolor": PALE})
    figure.update_layout(
        template="none",
        title={
            "text": html(title),
            "x": 0.01,
            "xanchor": "left",
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 14},
            "font": {"size": 18},
        },
        font={"family": FONT, "size": 14, "color": BLACK},
        paper_bgcolor="white",
        plot_bgcolor="white",
        height=height,
        margin={"l": 70, "r": 20, "t": 76, "b": 96},
        legend={"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
        hoverlabel={"align": "left"},
    )
    return figure


def nothing_yet(figure: go.Figure, what: str) -> None:
    """Say in an empty plot why it is empty."""
    figure.add_annotation(
        text=what, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"size": 16}
    )


def percent(share: float | None) -> float | None:
    """A fraction as percent, for an axis."""
    return None if share is None else round(100 * share, 4)
