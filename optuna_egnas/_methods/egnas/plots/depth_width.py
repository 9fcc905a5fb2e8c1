"""Depth and width against the score, with the standard error of an accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ...._core.text import html
from ....visualization._entries import Entry, entries
from ....visualization._style import BLUE, GREY, LOOKS, dressed, marker, nothing_yet, percent
from ..architecture import as_chain

if TYPE_CHECKING:
    from ...._storage.studies import StoredStudies


Axis = Literal["depth", "width"]
FOUND = {"line": {"color": BLUE, "dash": "dash"}, "layer": "below"}


class Measured(NamedTuple):
    """One training of the macro search; `size` is its depth or its width."""

    size: int
    score: float
    error: float | None
    fate: str
    text: str


class DepthWidthInfo(NamedTuple):
    """What `plot_depth_width` draws; `depth` and `width` are those found, None before."""

    name: str
    n_valid: int | None
    depths: tuple[Measured, ...]
    widths: tuple[Measured, ...]
    depth: int | None
    width: int | None


def plot_depth_width(studies: StoredStudies) -> go.Figure:
    """How much do depth and width matter, and is it more than noise?

    Validation accuracy (percent) over the depths and the widths that were tried. Bars are one
    standard error of an accuracy, sqrt(p (1 - p) / n) for n validation images.

    Examples:
        >>> from optuna_egnas import load_linked_studies, visualization
        >>> studies = load_linked_studies(name="digits")
        >>> visualization.plot_depth_width(studies).write_html("depth-width.html")
    """
    return _figure(_depth_width_info(studies))


def _depth_width_info(studies: StoredStudies) -> DepthWidthInfo:
    listed = [entry for entry in entries(studies) if entry.role == "macro"]
    steps = [entry for entry in listed if entry.place is not None]
    kept = [as_chain(entry.architecture) for entry in steps if entry.kept]
    deepening = [entry for entry in steps if entry.phase == "depth"]
    # The width phase goes on from the network that the depth phase ended with.
    start = [entry for entry in deepening if entry.kept][-1:]
    narrowing = [entry for entry in steps if entry.phase == "width"]
    return DepthWidthInfo(
        name=studies.name,
        n_valid=studies.link.space.n_valid,
        depths=_measured(deepening, "depth"),
        widths=_measured([*start, *narrowing] if narrowing else [], "width"),
        depth=kept[-1].depth if kept else None,
        width=kept[-1].width if kept and narrowing else None,
    )


def _measured(listed: list[Entry], axis: Axis) -> tuple[Measured, ...]:
    return tuple(
        Measured(
            size=getattr(as_chain(entry.architecture), axis),
            score=entry.score,
            error=entry.standard_error,
            fate=entry.fate,
            text=f"{html(entry.name)}<br>{entry.epochs} epochs<br>{html(entry.words)}",
        )
        for entry in listed
        if entry.score is not None
    )


def _figure(info: DepthWidthInfo) -> go.Figure:
    figure = make_subplots(
        rows=1,
        cols=2 if info.widths else 1,
        shared_yaxes=True,
        horizontal_spacing=0.04,
        subplot_titles=("depth", "width, at the depth found") if info.widths else None,
    )
    panels: tuple[tuple[int, tuple[Measured, ...], int | None, Axis], ...] = (
        (1, info.depths, info.depth, "depth"),
        (2, info.widths, info.width, "width"),
    )
    shown: set[str] = set()
    for column, points, found, axis in panels if info.widths else panels[:1]:
        _add_panel(figure, points, column, shown)
        if found is not None:
            figure.add_vline(x=found, **FOUND, row=1, col=column)
            figure.add_annotation(
                text=f"found: {found}",
                x=found,
                y=0.02,
                yref="y domain" if column == 1 else "y2 domain",
                showarrow=False,
                xanchor="left",
                xshift=4,
                font={"color": BLUE},
                row=1,
                col=column,
            )
        figure.update_xaxes(title=_axis_title(axis), tickformat="d", row=1, col=column)
    # The walk goes from wide to narrow; so does the axis.
    if info.widths:
        figure.update_xaxes(autorange="reversed", row=1, col=2)
    figure.update_yaxes(title="validation accuracy, %", row=1, col=1)
    if not info.depths:
        nothing_yet(figure, "nothing trained yet")
    dressed(figure, title=_title(info))
    return figure


def _title(info: DepthWidthInfo) -> str:
    said = f"{info.name}: accuracy over depth and width"
    return said if info.n_valid is None else f"{said} (bars: standard error, n = {info.n_valid:,})"


def _axis_title(axis: Axis) -> str:
    return "depth, layers" if axis == "depth" else "width, channels (falling)"


def _add_panel(
    figure: go.Figure, points: tuple[Measured, ...], column: int, shown: set[str]
) -> None:
    figure.add_scatter(
        x=[point.size for point in points],
        y=[percent(point.score) for point in points],
        mode="lines",
        line={"color": GREY, "width": 1},
        hoverinfo="skip",
        showlegend=False,
        row=1,
        col=column,
    )
    for fate, look in LOOKS.items():
        chosen = [point for point in points if point.fate == fate]
        if not chosen:
            continue
        figure.add_scatter(
            x=[point.size for point in chosen],
            y=[percent(point.score) for point in chosen],
            error_y={
                "array": [percent(point.error) for point in chosen],
                "color": look.colour,
                "thickness": 1.5,
            },
            text=[point.text for point in chosen],
            hovertemplate="%{y:.2f} %<br>%{text}<extra></extra>",
            mode="markers",
            name=look.label,
            legendgroup=fate,
            showlegend=fate not in shown,
            marker=marker(look),
            row=1,
            col=column,
        )
        shown.add(fate)
