"""Accuracy against parameters and multiply-accumulates, with the Pareto front of each study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .._core.proposal import CONFIRM
from .._core.text import html
from ._entries import entries
from ._style import (
    BLACK,
    GREY,
    STUDIES,
    dressed,
    group_of,
    groups_of,
    nothing_yet,
    percent,
)

if TYPE_CHECKING:
    from .._storage.studies import StoredStudies


Cost = Literal["params", "macs"]
COSTS: tuple[tuple[Cost, str], ...] = (
    ("params", "parameters"),
    ("macs", "multiply-accumulates per image"),
)


class Network(NamedTuple):
    """One trained network: parameters, multiply-accumulates, validation accuracy (fraction)."""

    params: int
    macs: int
    score: float
    text: str


class Field(NamedTuple):
    """The networks of a study, their fronts, and the network found, where its score compares.

    In the first study's field that is the score of the result's last training.
    """

    role: str
    networks: tuple[Network, ...]
    params_front: tuple[Network, ...]
    macs_front: tuple[Network, ...]
    found: Network | None


class ParetoInfo(NamedTuple):
    """What `plot_pareto` draws: a field per study that has trained something."""

    name: str
    roles: tuple[str, ...]
    fields: tuple[Field, ...]


def plot_pareto(studies: StoredStudies) -> go.Figure:
    """What does accuracy cost, and is there a smaller network that is as good?

    Validation accuracy (percent) over parameters and over multiply-accumulates of all networks
    that were trained to the end, on the walk or beside it. A front joins those that no other one
    of their study beats in both. The studies have an axis each, since their budgets differ; the
    network found appears among those of the first study by its last training, which compares.

    Examples:
        >>> from optuna_egnas import load_linked_studies, visualization
        >>> studies = load_linked_studies(name="digits")
        >>> visualization.plot_pareto(studies).write_html("pareto.html")
    """
    return _figure(_pareto_info(studies))


def _pareto_info(studies: StoredStudies) -> ParetoInfo:
    found = studies.result().architecture
    networks: dict[str, list[Network]] = {group: [] for group in groups_of(studies)}
    star: dict[str, Network] = {}
    for entry in entries(studies):
        if entry.score is None:
            continue
        text = f"{html(entry.name)}<br>{entry.epochs} epochs<br>{html(entry.words)}"
        network = Network(params=entry.params, macs=entry.macs, score=entry.score, text=text)
        networks[group_of(entry)].append(network)
        if entry.architecture == found and entry.place is not None:
            star[group_of(entry)] = network
    star.update({studies.roles[0]: star[CONFIRM]} if CONFIRM in star else {})
    fields = tuple(
        Field(
            role=role,
            networks=tuple(networks[role]),
            params_front=pareto_front(networks[role], "params"),
            macs_front=pareto_front(networks[role], "macs"),
            found=star.get(role),
        )
        for role in studies.roles
        if networks[role]
    )
    return ParetoInfo(name=studies.name, roles=studies.roles, fields=fields)


def pareto_front(networks: Sequence[Network], cost: Cost) -> tuple[Network, ...]:
    """The networks that no other one equals or beats in both cost and score, by growing cost."""
    front: list[Network] = []
    for network in sorted(networks, key=lambda each: (getattr(each, cost), -each.score)):
        if not front or network.score > front[-1].score:
            front.append(network)
    return tuple(front)


def _figure(info: ParetoInfo) -> go.Figure:
    rows = max(1, len(info.fields))
    figure = make_subplots(
        rows=rows,
        cols=2,
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.04,
        vertical_spacing=0.06,
    )
    for row, field in enumerate(info.fields, start=1):
        for column, (cost, _) in enumerate(COSTS, start=1):
            look = STUDIES[info.roles.index(field.role) % len(STUDIES)]
            _add_panel(figure, field, cost, look, {"row": row, "col": column})
        figure.update_yaxes(title=f"{field.role}: accuracy, %", row=row, col=1)
    for column, (cost, title) in enumerate(COSTS, start=1):
        values = [getattr(each, cost) for field in info.fields for each in field.networks]
        ticks = _ticks(values)
        labels = [_short(tick) for tick in ticks]
        figure.update_xaxes(type="log", tickvals=ticks, ticktext=labels, col=column)
        figure.update_xaxes(title=title, row=rows, col=column)
    if not info.fields:
        nothing_yet(figure, "nothing trained yet")
    return dressed(figure, title=f"{info.name}: what accuracy costs", height=160 + 250 * rows)


def _ticks(values: Sequence[int]) -> list[float]:
    """1, 2, 5, 10, 20 ... from just below the least to just above the greatest value."""
    if not values:
        return []
    steps = [digit * 10**power for power in range(15) for digit in (1, 2, 5)]
    first = max(index for index, step in enumerate(steps) if step <= min(values))
    last = min(index for index, step in enumerate(steps) if step >= max(values))
    return [float(step) for step in steps[first : last + 1]]


def _short(value: float) -> str:
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _add_panel(
    figure: go.Figure, field: Field, cost: Cost, look: tuple[str, str], place: dict[str, int]
) -> None:
    front = field.params_front if cost == "params" else field.macs_front
    once = place["row"] == 1 and place["col"] == 1
    figure.add_scatter(
        x=[getattr(network, cost) for network in front],
        y=[percent(network.score) for network in front],
        mode="lines",
        line={"color": GREY, "width": 1.5, "shape": "hv", "dash": "dash"},
        name="Pareto front",
        legendgroup="front",
        showlegend=once,
        hoverinfo="skip",
        **place,
    )
    colour, symbol = look
    edge = colour if symbol.endswith("open") else "white"
    dots = {"color": colour, "symbol": symbol, "size": 9, "line": {"width": 1.2, "color": edge}}
    _add_points(figure, field.networks, cost, f"{field.role} search", dots, place)
    if field.found is not None:
        star = {"color": BLACK, "symbol": "star", "size": 15}
        _add_points(figure, (field.found,), cost, "the network found", star, place)


def _add_points(
    figure: go.Figure,
    networks: Sequence[Network],
    cost: Cost,
    name: str,
    marker: dict[str, Any],
    place: dict[str, int],
) -> None:
    figure.add_scatter(
        x=[getattr(network, cost) for network in networks],
        y=[percent(network.score) for network in networks],
        text=[network.text for network in networks],
        hovertemplate="%{y:.2f} %, %{x:,}<br>%{text}<extra></extra>",
        mode="markers",
        name=name,
        legendgroup=name,
        # A name is in the legend once, though it is drawn in several panels.
        showlegend=name not in {trace.name for trace in figure.data},
        marker=marker,
        **place,
    )
