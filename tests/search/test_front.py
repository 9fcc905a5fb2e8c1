"""The networks that no other one beats, with the latency that is measured here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from linking import create, train
from perceptrons import Perceptron
from walking import EGNAS

from optuna_egnas import Architecture, LinkedStudies
from optuna_egnas._search import front as _front
from optuna_egnas._search.front import FrontNetwork, measured_front, non_dominated
from optuna_egnas._search.scored import Scored, scored_networks
from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation.engine.latency import (
    Latency,
    measured_latencies,
    network_latencies,
)


@pytest.fixture(scope="module")
def ended() -> LinkedStudies:
    """A search that has ended, with invented scores."""
    return train(train(create(), "macro"), "micro")


def network(units: int, *, quick: tuple[float, float] = (1.0, 2.0), **values: Any) -> FrontNetwork:
    """A network of so many units; `quick` are its latencies in seconds."""
    scored = Scored(
        name=f"trial:population/{units}",
        words="",
        architecture=Perceptron(units),
        score=0.9,
        standard_error=0.01,
        epochs=1,
        trainings=1,
        params=100,
        macs=1000,
    )
    latencies = tuple(
        Latency(batch=batch, runs=3, median=seconds, p95=seconds)
        for batch, seconds in zip((1, 64), quick, strict=True)
    )
    return FrontNetwork(scored=replace(scored, **values), latencies=latencies)


USUAL = network(0)


@pytest.mark.parametrize(
    ("other", "kept"),
    [
        (network(1, score=0.91), {1}),
        (network(1, params=99), {1}),
        (network(1, macs=999), {1}),
        (network(1, quick=(0.9, 2.0)), {1}),
        (network(1, quick=(1.0, 1.8)), {1}),
        (network(1, score=0.91, params=101), {0, 1}),
        (network(1, score=0.89, quick=(1.0, 1.8)), {0, 1}),
        (network(1, score=0.89, macs=999), {0, 1}),
        (network(1), {0, 1}),
        (network(1, score=0.89, quick=(0.97, 1.95)), {0}),
        (network(1, score=0.91, quick=(1.04, 2.08)), {1}),
        (network(1, score=0.91, quick=(1.06, 2.0)), {0, 1}),
    ],
    ids=[
        "more accurate",
        "smaller",
        "fewer operations",
        "quicker with one image",
        "quicker with many",
        "more accurate, but larger",
        "quicker, but less accurate",
        "fewer operations, but less accurate",
        "equal in everything",
        "less accurate, and quicker by chance only",
        "more accurate, and slower by chance only",
        "more accurate, and slower",
    ],
)
def test_what_another_one_beats_in_everything_is_left_out(
    other: FrontNetwork, kept: set[int]
) -> None:
    for listed in ((USUAL, other), (other, USUAL)):
        front = non_dominated(listed)
        assert {each.scored.architecture.to_json()["units"] for each in front} == kept


def test_it_is_ordered_by_parameters() -> None:
    listed = [network(units, params=units, score=0.5 + units / 100) for units in (30, 10, 20)]

    assert [each.scored.params for each in non_dominated(listed)] == [10, 20, 30]


def test_the_front_of_a_search_is_that_of_all_that_it_trained(
    ended: LinkedStudies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With latencies that are known: the deeper, the slower."""

    def known(*arguments: Any, **_: Any) -> tuple[Latency, ...]:
        seconds = 1.0 * arguments[1].depth
        return tuple(
            Latency(batch=batch, runs=1, median=seconds, p95=seconds) for batch in (1, 64)
        )

    monkeypatch.setattr(_front, "network_latencies", known)

    front = ended.front()

    assert front.trained == scored_networks(ended)
    listed = [each.scored for each in front.networks]
    assert 1 < len(listed) < len(front.trained)

    def beats(one: Scored, other: Scored) -> bool:
        signs = [
            one.score - other.score,
            other.params - one.params,
            other.macs - one.macs,
            other.architecture.to_json()["depth"] - one.architecture.to_json()["depth"],
        ]
        return min(signs) >= 0 and max(signs) > 0

    for each in front.trained:
        assert (each in listed) != any(beats(other, each) for other in front.trained), each


def test_it_is_measured_here() -> None:
    front = measured_front(train(create(), "macro", most=2), device="cpu")

    assert (front.device, front.threads) == ("cpu", 1)
    for each in front.networks:
        one, many = each.latencies
        assert (one.batch, many.batch) == (1, 64)
        assert 0 < one.median <= one.p95 and 0 < many.median <= many.p95
    record = front.to_json()
    assert record["trained"] == 2 and len(record["front"]) == len(front.networks)
    assert record["front"][0]["latencies"][1]["batch"] == 64
    assert front.within(100).params == min(each.params for each in front.trained)


def test_before_anything_is_trained_there_is_none() -> None:
    with pytest.raises(SearchError, match="A candidate of 's' must be trained to the end first"):
        create().front()
    with pytest.raises(SearchError, match=r"`device` must be auto or .*, but got 'toaster'"):
        create().front(device="toaster")


def test_a_latency_is_the_median_of_runs_after_a_warm_up() -> None:
    asked: list[int] = []

    found = measured_latencies(
        lambda images: asked.append(len(images)), torch.zeros(64, 1), most=4
    )

    assert [(each.batch, each.runs) for each in found] == [(1, 4), (64, 4)]
    assert asked == 7 * [1] + 7 * [64], "three runs to warm up, and four that count"


def test_slow_networks_are_measured_five_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optuna_egnas.evaluation.engine.latency.ENOUGH", 0.0)

    found = measured_latencies(lambda images: images + 1, torch.zeros(64, 1))

    assert [each.runs for each in found] == [5, 5]


def test_measuring_changes_neither_threads_nor_random_numbers() -> None:
    torch.manual_seed(0)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    place = {"input_shape": (1, 8, 8), "classes": 10, "device": torch.device("cpu")}

    network_latencies(EGNAS, Architecture.chain(depth=1, width=4), **place)  # type: ignore[arg-type]

    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), before)
