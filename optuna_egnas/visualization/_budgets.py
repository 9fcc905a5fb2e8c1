"""What each candidate was given, and where the time went."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ._entries import entries
from ._style import BLUE, LOOKS, dressed, hatched, nothing_yet

if TYPE_CHECKING:
    from .._storage.studies import StoredStudies


class Budget(NamedTuple):
    """A step of the walk: its epochs, and the seconds that they took."""

    place: int
    phase: str
    fate: str
    epochs: int
    seconds: float
    name: str


class Spent(NamedTuple):
    """Seconds of training of one phase that came to one end, over so many trainings."""

    phase: str
    fate: str
    seconds: float
    trainings: int


class BudgetsInfo(NamedTuple):
    """What `plot_budgets` draws; `seconds` is all training, on the walk and beside it."""

    name: str
    budgets: tuple[Budget, ...]
    spent: tuple[Spent, ...]
    seconds: float


def plot_budgets(studies: StoredStudies) -> go.Figure:
    """What was each candidate given, and where did the time go?

    Left: epochs of each step. Right: seconds of training by phase and by what they led to. The
    time of a worker that was lost is not known, and not counted.

    Examples:
        >>> from optuna_egnas import load_linked_studies, visualization
        >>> studies = load_linked_studies(name="digits")
        >>> visualization.plot_budgets(studies).write_html("budgets.html")
    """
    return _figure(_budgets_info(studies))


def _budgets_info(studies: StoredStudies) -> BudgetsInfo:
    listed = entries(studies)
    budgets = tuple(
        Budget(
            place=entry.place,
            phase=entry.phase,
            fate=entry.fate,
            epochs=entry.epochs or len(entry.curve),
            seconds=entry.seconds,
            name=entry.name,
        )
        for entry in listed
        if entry.place is not None
    )
    sums: dict[tuple[str, str], Spent] = {}
    for entry in listed:
        key = (entry.phase, entry.fate)
        before = sums.get(key, Spent(*key, 0.0, 0))
        sums[key] = Spent(*key, before.seconds + entry.seconds, before.trainings + 1)
    return BudgetsInfo(
        name=studies.name,
        budgets=budgets,
        spent=tuple(sums.values()),
        seconds=sum(entry.seconds for entry in listed),
    )


def _figure(info: BudgetsInfo) -> go.Figure:
    figure = make_subplots(
        rows=1,
        cols=2,
        column_widths=[0.55, 0.45],
        horizontal_spacing=0.12,
        subplot_titles=("epochs of each candidate", "seconds of training, by what became of them"),
    )
    phases = list(dict.fromkeys(budget.phase for budget in info.budgets))
    for fate, look in LOOKS.items():
        given = [budget for budget in info.budgets if budget.fate == fate]
        used = {spent.phase: spent for spent in info.spent if spent.fate == fate}
        bar = {
            "name": look.label,
            "legendgroup": fate,
            "marker": hatched(look.colour, look.hatch),
        }
        if given:
            figure.add_bar(
                x=[budget.place for budget in given],
                y=[budget.epochs for budget in given],
                customdata=[[budget.name, budget.seconds] for budget in given],
                hovertemplate="%{customdata[0]}: %{y} epochs, %{customdata[1]:.1f} s"
                "<extra></extra>",
                **bar,
                row=1,
                col=1,
            )
        if any(spent.seconds for spent in used.values()):
            figure.add_bar(
                y=phases,
                x=[used[phase].seconds if phase in used else 0.0 for phase in phases],
                customdata=[used[phase].trainings if phase in used else 0 for phase in phases],
                hovertemplate="%{x:.1f} s, %{customdata} trainings<extra></extra>",
                orientation="h",
                showlegend=not given,
                **bar,
                row=1,
                col=2,
            )
    _add_totals(figure, info, phases)
    figure.update_layout(barmode="stack", bargap=0.15)
    figure.update_xaxes(title="step of the walk", tickformat="d", row=1, col=1)
    figure.update_yaxes(title="epochs", row=1, col=1)
    figure.update_xaxes(title="seconds", row=1, col=2)
    figure.update_yaxes(autorange="reversed", row=1, col=2)
    if not info.budgets:
        nothing_yet(figure, "nothing trained yet")
    return dressed(figure, title=f"{info.name}: what it cost ({info.seconds:,.0f} s of training)")


def _add_totals(figure: go.Figure, info: BudgetsInfo, phases: list[str]) -> None:
    """Write each phase's share of the whole at the end of its bar."""
    for phase in phases:
        seconds = sum(spent.seconds for spent in info.spent if spent.phase == phase)
        if not seconds:
            continue
        figure.add_annotation(
            x=seconds,
            y=phase,
            text=f"{100 * seconds / info.seconds:.0f} %",
            showarrow=False,
            xanchor="left",
            xshift=4,
            font={"color": BLUE},
            row=1,
            col=2,
        )
