"""The finalists of a search by policy `sound`: who they are, what they cost, who wins."""

from __future__ import annotations

from collections.abc import Callable
from math import nan

import pytest
from walking import EGNAS

from optuna_egnas import Architecture, MicroSpace
from optuna_egnas.methods import Done, Found, History, Trained, Walk

TASK = {"input_shape": (1, 8, 8), "classes": 10, "n_valid": 100}
LARGEST = (8, 16)


def space(**values: object) -> MicroSpace:
    given = {
        "policy": "sound",
        "depth": 4,
        "width": 8,
        "epochs": 3,
        "finalists": 6,
        "largest": LARGEST,
        "earlier_epochs": 30,
    }
    return MicroSpace(**{**TASK, **given, **values})  # type: ignore[arg-type]


Score = Callable[[str, Architecture], float]
START = Architecture.chain(depth=4, width=8)


def always(score: float) -> Score:
    return lambda phase, network: score


def walked(micro: MicroSpace, score: Score) -> Walk:
    """The whole walk, with a score for each phase and network."""
    history = History()
    while True:
        walk = micro.follow(history)
        if isinstance(walk.next, Done):
            return walk
        candidate = walk.next.candidate
        network = candidate.architecture
        assert isinstance(network, Architecture)
        outcome = Trained(score=score(walk.next.phase, network))
        history = history.with_outcome(candidate, outcome)


def finals(walk: Walk) -> list[tuple[int, int]]:
    """Depth and epochs of each training of a finalist."""
    return [
        (step.proposal.candidate.architecture.depth, step.proposal.candidate.epochs or 0)
        for step in walk.steps
        if step.proposal.phase == "final"
    ]


def found(walk: Walk) -> Found:
    assert isinstance(walk.next, Done) and walk.next.found is not None
    return walk.next.found


def test_all_of_a_round_train_equally_long_and_each_round_one_epoch_longer() -> None:
    walk = walked(space(earlier_epochs=300), always(0.5))

    listed = finals(walk)
    assert {epochs for _, epochs in listed} == {4, 5, 6}
    for epochs in (4, 5, 6):
        assert [depth for depth, each in listed if each == epochs] == [4, 8]


@pytest.mark.parametrize("earlier", [0, 5, 9, 30, 60])
def test_they_cost_a_quarter_of_all_epochs_at_most_and_none_is_alone(earlier: int) -> None:
    walk = walked(space(earlier_epochs=earlier), always(0.5))

    spent = sum(epochs for _, epochs in finals(walk))
    every = earlier + sum(step.proposal.candidate.epochs or 0 for step in walk.steps)
    assert spent <= every / 4
    assert len(finals(walk)) != 1


def test_the_largest_that_fits_wins_where_it_is_better() -> None:
    walk = walked(space(), lambda _, network: 0.9 if network.depth == 8 else 0.5)

    assert found(walk).architecture == Architecture.chain(depth=8, width=16)
    assert found(walk).score == 0.9


def test_of_equals_the_smaller_network_wins() -> None:
    walk = walked(space(), always(0.7))

    assert found(walk).architecture == START


def test_a_network_of_the_way_that_is_better_when_trained_anew_wins() -> None:
    """A change was accepted by luck; trained anew, the network before it is better."""

    def score(phase: str, network: Architecture) -> float:
        if phase == "final":
            return 0.6 if network == START else 0.4
        return 0.52 if 5 in network.kernels else 0.5

    walk = walked(space(earlier_epochs=300, largest=None), score)

    accepted = [step for step in walk.steps if step.proposal.phase == "kernels" and step.passed]
    assert accepted
    assert (found(walk).architecture, found(walk).score) == (START, 0.6)


def test_there_are_none_where_none_are_asked_for_or_weights_are_inherited() -> None:
    for values in ({"finalists": 0}, {"inherit": 0.25}):
        assert not finals(walked(space(**values), always(0.5)))


def test_failed_finalists_leave_what_was_found() -> None:
    walk = walked(space(), lambda phase, _: nan if phase == "final" else 0.5)

    assert found(walk).architecture == START


def test_a_finalist_without_a_finite_score_does_not_win() -> None:
    def score(phase: str, network: Architecture) -> float:
        return nan if phase == "final" and network == START else 0.5

    walk = walked(space(), score)

    assert found(walk).architecture == Architecture.chain(depth=8, width=16)


def test_a_search_by_sound_has_finalists_and_the_published_one_has_none() -> None:
    for policy, count in (("sound", 6), ("paper", 0)):
        spaces = EGNAS.spaces(
            dict(TASK), profile="quick", given={"macro": {"policy": policy, "max_params": 9_000}}
        )
        micro = spaces["micro"]
        assert isinstance(micro, MicroSpace)
        assert micro.finalists == count
        assert (micro.largest is not None) == bool(count)
        if micro.largest is not None:
            depth, width = micro.largest
            assert micro.fits(Architecture.chain(depth=depth, width=width))


def test_stored_spaces_without_finalists_are_as_before() -> None:
    record = MicroSpace(**TASK).to_json()  # type: ignore[arg-type]

    assert not {"finalists", "largest", "earlier_epochs"} & set(record)
    assert MicroSpace.from_json(space().to_json()) == space()
