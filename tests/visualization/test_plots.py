"""The data behind each plot; that each figure draws them; a search that has not begun."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from walking import EGNAS

from optuna_egnas import LinkedStudies, visualization
from optuna_egnas._methods.egnas.plots.depth_width import _depth_width_info
from optuna_egnas._methods.egnas.plots.macro_micro import _macro_micro_info
from optuna_egnas.errors import SearchError
from optuna_egnas.replay import Trace
from optuna_egnas.visualization._budgets import _budgets_info
from optuna_egnas.visualization._entries import entries
from optuna_egnas.visualization._files import PLOTS
from optuna_egnas.visualization._learning_curves import _learning_curves_info
from optuna_egnas.visualization._pareto import Network, _pareto_info, _ticks, pareto_front
from optuna_egnas.visualization._style import LOOKS
from optuna_egnas.visualization._walk import _walk_info


def test_the_walk_has_a_panel_for_each_set_of_scores_that_compare(digits: LinkedStudies) -> None:
    info = _walk_info(digits)

    shown = {panel.group: [stretch.phase for stretch in panel.stretches] for panel in info.panels}
    assert shown["macro"] == ["depth", "width"]
    assert shown["micro"] == ["ops", "kernels"]
    stretches = [stretch for panel in info.panels for stretch in panel.stretches]
    assert stretches[0].first == 1
    for before, after in pairwise(stretches):
        assert after.first == before.last + 1, "no step is left out"
    points = [point for panel in info.panels for point in panel.points]
    assert [point.x for point in points] == list(range(1, stretches[-1].last + 1))


def test_trainings_beside_the_walk_stand_between_its_steps(by_four: LinkedStudies) -> None:
    points = [point for panel in _walk_info(by_four).panels for point in panel.points]

    beside = [point for point in points if point.fate == "ahead"]
    assert beside
    assert all(point.x % 1 == 0.5 for point in beside)
    assert all(point.x % 1 == 0 for point in points if point.fate != "ahead")


def test_depths_and_widths_are_those_that_were_tried(digits: LinkedStudies, trace: Trace) -> None:
    info = _depth_width_info(digits)

    depths = [each.depth for each in trace.candidates if each.phase == "depth"]
    widths = [each.architecture.width for each in trace.candidates if each.phase == "width"]
    assert [point.size for point in info.depths] == depths
    # The width phase goes on from the last network that the depth phase kept.
    assert [point.size for point in info.widths] == [trace.macro.max_width, *widths]
    assert info.n_valid == trace.n_valid
    assert (info.depth, info.width) == (7, 16)
    for point in (*info.depths, *info.widths):
        expected = (point.score * (1 - point.score) / trace.n_valid) ** 0.5
        assert point.error == pytest.approx(expected)


def test_curves_run_over_each_candidates_own_budget(digits: LinkedStudies, trace: Trace) -> None:
    info = _learning_curves_info(digits)

    assert [phase for _, phase in info.phases][:4] == ["depth", "width", "ops", "kernels"]
    for curve, recorded in zip(info.curves, trace.candidates, strict=False):
        epochs = recorded.epochs
        assert curve.progress == tuple(epoch / epochs for epoch in range(1, epochs + 1))
        assert curve.phase == recorded.phase


def _network(params: int, score: float) -> Network:
    return Network(params=params, macs=1, score=score, text="")


@pytest.mark.parametrize(
    ("networks", "front"),
    [
        ([], []),
        ([(5, 0.9)], [(5, 0.9)]),
        ([(5, 0.9), (4, 0.9)], [(4, 0.9)]),  # As good and smaller.
        ([(5, 0.9), (5, 0.8)], [(5, 0.9)]),  # As small and better.
        ([(5, 0.9), (4, 0.8), (6, 0.85)], [(4, 0.8), (5, 0.9)]),
        ([(5, 0.9), (5, 0.9)], [(5, 0.9)]),
    ],
)
def test_the_front_holds_what_nothing_beats(
    networks: list[tuple[int, float]], front: list[tuple[int, float]]
) -> None:
    found = pareto_front([_network(*each) for each in networks], "params")

    assert [(each.params, each.score) for each in found] == front


def test_accuracy_and_cost_of_both_studies_and_of_the_result(
    digits: LinkedStudies, by_four: LinkedStudies
) -> None:
    info, result = _pareto_info(digits), digits.result()

    assert [field.role for field in info.fields] == ["macro", "micro"]
    found = info.fields[1].found
    assert found is not None
    assert (found.params, found.macs) == (result.params, result.macs)
    trained = sum(len(field.networks) for field in info.fields)
    more = sum(len(field.networks) for field in _pareto_info(by_four).fields)
    assert more > trained, "what was trained beside the walk counts too"


@pytest.mark.parametrize(
    ("values", "ticks"),
    [([], []), ([3], [2, 5]), ([12, 180], [10, 20, 50, 100, 200]), ([1, 1], [1])],
)
def test_ticks_enclose_the_values(values: list[int], ticks: list[float]) -> None:
    assert _ticks(values) == ticks


def test_all_seconds_of_training_are_accounted_for(by_four: LinkedStudies) -> None:
    info = _budgets_info(by_four)

    assert info.seconds == pytest.approx(by_four.result().seconds)
    assert sum(spent.seconds for spent in info.spent) == pytest.approx(info.seconds)
    assert sum(spent.trainings for spent in info.spent) == len(entries(by_four))
    walk = [entry for entry in entries(by_four) if entry.place is not None]
    assert [budget.epochs for budget in info.budgets] == [entry.epochs for entry in walk]


def test_what_the_micro_search_changed_is_marked(digits: LinkedStudies) -> None:
    info, result = _macro_micro_info(digits), digits.result()

    assert info.macro.architecture.ops == ("sep",) * 7
    assert info.micro is not None and result.architecture is not None
    assert info.micro.architecture == result.architecture
    layers = zip(result.architecture.ops, result.architecture.kernels, strict=True)
    changed = {1 + index for index, layer in enumerate(layers) if layer != ("sep", 3)}
    assert info.changed == changed
    assert changed, "the example shows it"


@pytest.mark.parametrize("name", sorted(PLOTS))
def test_each_figure_draws_something_that_can_be_read(by_four: LinkedStudies, name: str) -> None:
    figure = PLOTS[name](by_four)

    assert figure.layout.title.text.startswith("digits: ")
    assert any(len(trace.x) for trace in figure.data)
    axes = [*figure.select_xaxes(), *figure.select_yaxes()]
    assert any(axis.title.text for axis in axes) or name == "network"
    # In black and white, names in the legend differ by more than their colour.
    styles: dict[Any, str] = {}
    for drawn in figure.data:
        if drawn.showlegend is not False and drawn.name:
            said = {**drawn.to_plotly_json(), "x": 0, "y": 0}
            marker = said.get("marker", {})
            hatch = marker.get("pattern", {}).get("shape")
            is_black = marker.get("color") == "#000000"
            style = (said.get("mode"), marker.get("symbol"), hatch, is_black, _dash(said))
            assert styles.setdefault(style, drawn.name) == drawn.name, name


def _dash(said: dict[str, Any]) -> str | None:
    line: dict[str, Any] = said.get("line", {})
    return line.get("dash")


def test_all_fates_look_different_in_black_and_white() -> None:
    assert len({look.symbol for look in LOOKS.values()}) == len(LOOKS)


@pytest.mark.parametrize("name", sorted(PLOTS))
def test_a_search_without_a_training_is_an_empty_plot_or_an_error_that_says_so(
    untouched: LinkedStudies, name: str
) -> None:
    if name in ("network", "macro-micro"):
        with pytest.raises(SearchError, match="trained a network"):
            PLOTS[name](untouched)
        return
    said = [annotation.text for annotation in PLOTS[name](untouched).layout.annotations]
    assert "nothing trained yet" in said


def test_all_plots_are_public_and_documented() -> None:
    assert {f"plot_{name.replace('-', '_')}" for name in (*PLOTS, *EGNAS.plots)} | {
        "network_svg"
    } == set(visualization.__all__)
    for name in visualization.__all__:
        assert "?" in getattr(visualization, name).__doc__ or name == "network_svg"
