from __future__ import annotations

import re

import pytest
from walking import in_turn, micro, walk_with

from optuna_egnas import Architecture, MicroSpace
from optuna_egnas._core.history import Failed
from optuna_egnas._core.operations import OPERATIONS, Operation
from optuna_egnas._core.proposal import Step
from optuna_egnas._core.walk import Done
from optuna_egnas.errors import InvalidSpace


def networks(steps: tuple[Step, ...], phase: str) -> list[Architecture]:
    return [step.proposal.candidate.architecture for step in steps if step.proposal.phase == phase]


def test_the_published_walk_in_small() -> None:
    # Baseline 500; the second layer's convolution helps; the first layer's 5x5 kernel helps.
    answers = in_turn(500, 500, 501, 400, 502, 502, 100)

    walk = walk_with(micro(), answers)

    ops, kernels = networks(walk.steps, "ops"), networks(walk.steps, "kernels")
    assert [network.ops for network in ops] == [
        ("sep", "sep", "sep"),
        ("conv", "sep", "sep"),
        ("sep", "conv", "sep"),
        ("sep", "conv", "conv"),
    ]
    assert [network.kernels for network in kernels] == [(5, 3, 3), (5, 5, 3), (5, 3, 5)]
    assert all(network.ops == ("sep", "conv", "sep") for network in kernels)
    assert isinstance(walk.next, Done)
    assert walk.next.found is not None
    assert walk.next.found.architecture == kernels[0]
    assert walk.next.found.score == 0.502, "the kernel phase goes on from the score of the ops"


def test_every_width_starts_anew_from_the_phase_and_keeps_to_its_budget() -> None:
    space = micro(depth=6, width=24, param_slack=500)
    rising = iter(range(100, 1000))

    walk = walk_with(space, lambda proposal: next(rising))

    first = Architecture.chain(depth=6, width=24)
    for phase, start in (("ops", first), ("kernels", networks(walk.steps, "ops")[-1])):
        budget = space.params(start) + 500
        for network in networks(walk.steps, phase):
            wider = Architecture(width=network.width + 1, ops=network.ops, kernels=network.kernels)
            assert space.params(network) <= budget
            assert network.width == start.width or space.params(wider) > budget


def test_the_limit_caps_the_budget() -> None:
    start = Architecture.chain(depth=3, width=8)
    limit = micro().params(start) + 50
    space = micro(max_params=limit)

    walk = walk_with(space, in_turn(500))

    assert all(space.params(s.proposal.candidate.architecture) <= limit for s in walk.steps)


def test_a_start_that_does_not_fit_is_narrowed() -> None:
    space = micro(max_macs=60_000, width=64)

    walk = walk_with(space, in_turn(500))

    assert walk.steps[0].proposal.candidate.architecture.width < 64
    assert all(space.macs(s.proposal.candidate.architecture) <= 60_000 for s in walk.steps)


def test_more_than_two_choices_are_tried_in_order_against_the_incumbent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cheap = Operation(name="point", weights=lambda p, c, k: p * c, module="unused:unused")
    monkeypatch.setitem(OPERATIONS, "point", cheap)
    space = micro(depth=2, operations=("point", "sep", "conv"), kernels=(7, 5, 3))

    walk = walk_with(space, in_turn(500, 501, 502, 1, 1, 503, 504, 505, 1))

    assert [network.ops for network in networks(walk.steps, "ops")] == [
        ("sep", "sep"),
        ("point", "sep"),
        ("conv", "sep"),
        ("conv", "point"),
        ("conv", "conv"),
    ]
    assert [network.kernels for network in networks(walk.steps, "kernels")] == [
        (7, 3),
        (5, 3),
        (5, 7),
        (5, 5),
    ]
    assert isinstance(walk.next, Done)
    assert walk.next.found is not None
    assert walk.next.found.architecture.kernels == (5, 7)


def test_the_result_is_trained_once_more_where_that_is_asked_for() -> None:
    walk = walk_with(micro(depth=1, confirm_epochs=9), in_turn(500, 501, 1, 900))

    assert [step.proposal.phase for step in walk.steps] == ["ops", "ops", "kernels", "confirm"]
    last = walk.steps[-1].proposal.candidate
    assert (last.epochs, last.architecture.ops) == (9, ("conv",))
    assert isinstance(walk.next, Done)
    assert walk.next.found is not None
    assert (walk.next.found.score, walk.next.found.confirmed) == (0.501, 0.9)


def test_a_failed_baseline_leaves_the_bar_open() -> None:
    walk = walk_with(micro(depth=1), in_turn(Failed(reason="broken", final=True), 3, 2))

    assert [step.verdict.value for step in walk.steps] == ["refused", "accepted", "refused"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"operations": ("conv",)}, "`operations` must hold 'sep', with which the search starts"),
        ({"kernels": (5, 7)}, "`kernels` must hold 3, with which the search starts"),
        ({"kernels": (3, 3)}, "`kernels` must not repeat a choice, but got (3, 3)."),
        ({"kernels": (3, 4)}, "must be odd, 1 to 255, but got 4."),
        ({"operations": ("sep", "pool")}, "must be one of conv, sep, but got 'pool'."),
        ({"epochs": 0}, "`epochs` must be at least 1, but got epochs=0."),
        ({"param_slack": -1}, "`param_slack` must be at least 0, but got param_slack=-1."),
        ({"max_params": 50}, "No network fits max_params=50: the smallest one"),
    ],
)
def test_impossible_spaces_are_refused_at_birth(values: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidSpace, match=re.escape(message)):
        micro(**values)


def test_json_reads_back_as_the_same_space() -> None:
    space = micro(kernels=(3, 5, 7), confirm_epochs=None)

    assert MicroSpace.from_json(space.to_json()) == space
