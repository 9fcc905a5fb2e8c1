"""Learning curves, aligned by how much of its budget each candidate has spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .._core.proposal import CONFIRM
from .._core.text import html
from ._entries import entries
from ._style import LOOKS, dressed, group_of, nothing_yet, percent

if TYPE_CHECKING:
    from .._storage.studies import StoredStudies


WIDTHS = {"baseline": 2.5, "accepted": 2.5, "confirmed": 3.0, "measured": 2.5}
"""Widths of the lines of networks that were kept."""


class Curve(NamedTuple):
    """One candidate: validation accuracy (fraction) over progress, epoch / budget."""

    group: str
    phase: str
    fate: str
    progress: tuple[float, ...]
    accuracy: tuple[float, ...]
    text: str


class LearningCurvesInfo(NamedTuple):
    """What `plot_learning_curves` draws; (group, phase) in the order of the walk.

    `first` is the first study's role.
    """

    name: str
    first: str
    phases: tuple[tuple[str, str], ...]
    curves: tuple[Curve, ...]


def plot_learning_curves(studies: StoredStudies) -> go.Figure:
    """Have the candidates learned out, and how early do they part?

    Validation accuracy (percent) after each epoch, over the share of the candidate's own budget
    that was spent, one panel per phase of the walk. The first epochs may lie below an axis.

    Examples:
        >>> from optuna_egnas import load_linked_studies, visualization
        >>> studies = load_linked_studies(name="digits")
        >>> visualization.plot_learning_curves(studies).write_html("learning-curves.html")
    """
    return _figure(_learning_curves_info(studies))


def _learning_curves_info(studies: StoredStudies) -> LearningCurvesInfo:
    listed = [entry for entry in entries(studies) if entry.curve]
    curves = []
    for entry in listed:
        # A trial that was brought by hand need not say its budget.
        budget = entry.epochs or len(entry.curve)
        steps = range(1, len(entry.curve) + 1)
        curves.append(
            Curve(
                group=group_of(entry),
                phase=entry.phase,
                fate=entry.fate,
                progress=tuple(epoch / budget for epoch in steps),
                accuracy=entry.curve,
                text=f"{html(entry.name)}, {budget} epochs<br>{html(entry.words)}",
            )
        )
    panels = [(group_of(entry), entry.phase) for entry in listed if entry.place is not None]
    return LearningCurvesInfo(
        name=studies.name,
        first=studies.roles[0],
        phases=tuple(dict.fromkeys(panels)),
        curves=tuple(curves),
    )


def _figure(info: LearningCurvesInfo) -> go.Figure:
    figure = make_subplots(
        rows=1,
        cols=max(1, len(info.phases)),
        horizontal_spacing=0.04,
        subplot_titles=[f"<b>{phase}</b>" for _, phase in info.phases],
    )
    shown: set[str] = set()
    # What was kept is drawn last, on top.
    for fate in sorted(LOOKS, key=lambda fate: fate in WIDTHS):
        for curve in (curve for curve in info.curves if curve.fate == fate):
            if (curve.group, curve.phase) in info.phases:
                column = info.phases.index((curve.group, curve.phase)) + 1
                _add_curve(figure, curve, column, shown)
    before = ""
    for column, (group, _) in enumerate(info.phases, start=1):
        own = [
            curve
            for curve in info.curves
            if _scale(curve.group, info.first) == _scale(group, info.first)
        ]
        figure.update_yaxes(range=_range(own), showticklabels=group != before, col=column)
        before = group
    figure.update_xaxes(range=[0, 104], tickvals=[0, 50, 100])
    figure.update_xaxes(title="epochs, % of its budget", col=(len(info.phases) + 1) // 2)
    figure.update_yaxes(title="validation accuracy, %", col=1)
    if not info.curves:
        nothing_yet(figure, "nothing trained yet")
    return dressed(figure, title=f"{info.name}: how the candidates learn")


def _scale(group: str, first: str) -> str:
    """Groups whose scores compare: the result is trained for as long as in the first study."""
    return first if group == CONFIRM else group


def _range(curves: Sequence[Curve]) -> list[float] | None:
    """Percent at the foot and the head of an axis; the ends of curves fill a third of it."""
    ends = [max(curve.accuracy) for curve in curves if curve.progress[-1] >= 1]
    if not ends:
        return None
    low, high = min(ends), max(ends)
    lowest = min(min(curve.accuracy) for curve in curves)
    foot = max(low - max(2 * (high - low), 0.02), lowest)
    spare = 0.05 * (high - foot)
    return [100 * (foot - spare), 100 * (high + spare)]


def _add_curve(figure: go.Figure, curve: Curve, column: int, shown: set[str]) -> None:
    look = LOOKS[curve.fate]
    figure.add_scatter(
        x=[percent(progress) for progress in curve.progress],
        y=[percent(accuracy) for accuracy in curve.accuracy],
        mode="lines+markers",
        line={"color": look.colour, "dash": look.dash, "width": WIDTHS.get(curve.fate, 1.5)},
        marker={"symbol": look.symbol, "size": 5, "line": {"color": look.colour, "width": 1}},
        name=look.label,
        legendgroup=curve.fate,
        showlegend=curve.fate not in shown,
        text=curve.text,
        hovertemplate="%{y:.2f} %<br>%{text}<extra></extra>",
        row=1,
        col=column,
    )
    shown.add(curve.fate)
