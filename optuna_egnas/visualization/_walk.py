"""The walk: which networks were tried, in which order, and what became of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .._core.text import html
from ._entries import Entry, entries
from ._style import BLUE, GREY, LOOKS, dressed, group_of, groups_of, marker, nothing_yet, percent

if TYPE_CHECKING:
    from .._storage.studies import StoredStudies


NARROWEST = 2.5
"""A panel is as wide as its steps, but at least so many."""


class Point(NamedTuple):
    """One training: `x` is its place on the walk, or half a step after the last one before it."""

    x: float
    score: float
    fate: str
    text: str


class Stretch(NamedTuple):
    """Steps of one phase, from the first to the last place."""

    phase: str
    first: int
    last: int


class Panel(NamedTuple):
    """Steps whose scores compare. `best` is the incumbent's score by place, where there is one.

    `group` is a study's role, or confirm: the result, trained once more.
    """

    group: str
    points: tuple[Point, ...]
    best: tuple[tuple[int, float], ...]
    stretches: tuple[Stretch, ...]


class WalkInfo(NamedTuple):
    """What `plot_walk` draws."""

    name: str
    panels: tuple[Panel, ...]


def plot_walk(studies: StoredStudies) -> go.Figure:
    """Which networks were tried in which order, and what became of each?

    Validation accuracy (percent) over the steps of the walk, phase by phase, with the best so far
    as a line. Each study has an axis of its own, since budgets differ; the last training of the
    result compares with the first study. Trainings beside the walk are drawn between its steps.

    Examples:
        >>> from optuna_egnas import load_linked_studies, visualization
        >>> studies = load_linked_studies(name="digits")
        >>> visualization.plot_walk(studies).write_html("walk.html")
    """
    return _figure(_walk_info(studies))


def _walk_info(studies: StoredStudies) -> WalkInfo:
    listed = entries(studies)
    walk = [entry for entry in listed if entry.place is not None]
    panels = []
    for group in groups_of(studies):
        steps = [entry for entry in walk if group_of(entry) == group]
        if steps:
            own = [entry for entry in listed if group_of(entry) == group]
            panels.append(_panel(group, own, steps))
    return WalkInfo(name=studies.name, panels=tuple(panels))


def _panel(group: str, own: list[Entry], steps: list[Entry]) -> Panel:
    points = tuple(
        Point(
            x=_x(entry, steps),
            score=entry.score,
            fate=entry.fate,
            text=f"{html(entry.name)}<br>{entry.epochs} epochs, {entry.params:,} parameters"
            f"<br>{html(entry.words)}",
        )
        for entry in own
        if entry.score is not None
    )
    best = tuple((step.place or 0, step.best) for step in steps if step.best is not None)
    return Panel(group=group, points=points, best=best, stretches=_stretches(steps))


def _x(entry: Entry, steps: list[Entry]) -> float:
    if entry.place is not None:
        return float(entry.place)
    first = steps[0].place or 1
    number = entry.number or 0
    before = [step for step in steps if step.number is not None and step.number < number]
    return max((step.place or 0 for step in before), default=first - 1) + 0.5


def _stretches(steps: list[Entry]) -> tuple[Stretch, ...]:
    found: list[Stretch] = []
    for step in steps:
        place = step.place or 0
        if found and found[-1].phase == step.phase:
            found[-1] = found[-1]._replace(last=place)
        else:
            found.append(Stretch(step.phase, place, place))
    return tuple(found)


def _figure(info: WalkInfo) -> go.Figure:
    ends = [(panel.stretches[0].first, panel.stretches[-1].last) for panel in info.panels]
    figure = make_subplots(
        rows=1,
        cols=max(1, len(info.panels)),
        column_widths=[max(NARROWEST, last - first + 1) for first, last in ends] or None,
        horizontal_spacing=0.06,
    )
    shown: set[str] = set()
    for column, (panel, (first, last)) in enumerate(zip(info.panels, ends, strict=True), start=1):
        _add_panel(figure, panel, column, shown)
        spare = max(0.0, NARROWEST - (last - first + 1)) / 2 + 0.6
        figure.update_xaxes(range=[first - spare, last + spare], tickformat="d", col=column)
        if last - first < NARROWEST:
            figure.update_xaxes(tickvals=list(range(first, last + 1)), col=column)
        if panel.group == "confirm":
            figure.update_yaxes(matches="y", col=column)
    figure.update_xaxes(title="step of the walk", col=1)
    figure.update_yaxes(title="validation accuracy, %", col=1)
    if not info.panels:
        nothing_yet(figure, "nothing trained yet")
    return dressed(figure, title=f"{info.name}: what was tried, and what became of it")


def _add_panel(figure: go.Figure, panel: Panel, column: int, shown: set[str]) -> None:
    figure.add_scatter(
        x=[place for place, _ in panel.best],
        y=[percent(best) for _, best in panel.best],
        mode="lines",
        line={"shape": "hv", "color": BLUE, "width": 2},
        name="best so far",
        legendgroup="best",
        showlegend="best" not in shown,
        hoverinfo="skip",
        row=1,
        col=column,
    )
    shown.add("best")
    for fate, look in LOOKS.items():
        chosen = [point for point in panel.points if point.fate == fate]
        if not chosen:
            continue
        figure.add_scatter(
            x=[point.x for point in chosen],
            y=[percent(point.score) for point in chosen],
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
    for stretch in panel.stretches:
        _add_stretch(figure, stretch, column, between=stretch != panel.stretches[0])


def _add_stretch(figure: go.Figure, stretch: Stretch, column: int, *, between: bool) -> None:
    if between:
        line = {"color": GREY, "dash": "dot", "width": 1.2}
        figure.add_vline(x=stretch.first - 0.5, line=line, row=1, col=column)
    figure.add_annotation(
        x=(stretch.first + stretch.last) / 2,
        y=1.08,
        yref="paper",
        xref=f"x{column if column > 1 else ''}",
        text=f"<b>{stretch.phase}</b>",
        showarrow=False,
    )
