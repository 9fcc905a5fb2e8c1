"""The micro search of policy `sound`: whole blocks of layers."""

from __future__ import annotations

import pytest
from walking import in_turn, micro, walk_with

from optuna_egnas import Architecture, MicroSpace
from optuna_egnas._core.history import Failed, Trained
from optuna_egnas._core.operations import OPERATIONS, Operation
from optuna_egnas._core.proposal import Step
from optuna_egnas._core.walk import Done
from optuna_egnas._core.words import name_candidate


def sound(**values: object) -> MicroSpace:
    return micro(**{"policy": "sound", "depth": 6, **values})


def changes(steps: tuple[Step, ...]) -> list[str]:
    """Each network by the operations and kernels of its layers: "ccssss 333333"."""
    networks = [step.proposal.candidate.architecture for step in steps]
    return [
        "".join(op[0] for op in network.ops) + " " + "".join(map(str, network.kernels))
        for network in networks
    ]


@pytest.mark.parametrize(
    ("scores", "asked"),
    [
        ([500, 500], ["ssssss 333333", "ccssss 333333", "ssssss 333355"]),
        (
            [500, 600, 500, 700, 800],
            [
                "ssssss 333333",
                "ccssss 333333",
                "ccccss 333333",
                "ccssss 333355",
                "ccssss 335555",  # two thirds at most
            ],
        ),
    ],
)
def test_blocks_from_the_front_for_operations_and_from_the_back_for_kernels(
    scores: list[int], asked: list[str]
) -> None:
    walk = walk_with(sound(), in_turn(*scores))

    assert changes(walk.steps) == asked


def test_a_change_must_gain_more_than_chance_gives() -> None:
    # 0.674 standard errors of 2.2 points are 15.1 answers.
    for gain, verdict in ((15, "refused"), (16, "accepted")):
        walk = walk_with(sound(), in_turn(500, 500 + gain))
        assert walk.steps[1].verdict.value == verdict
    equal = walk_with(sound(level=0.5), in_turn(500, 500))
    assert equal.steps[1].verdict.value == "refused", "a change for nothing is none"


def test_without_a_count_of_images_any_gain_passes() -> None:
    answers = in_turn(Trained(score=0.5), Trained(score=0.5001))

    assert walk_with(sound(n_valid=None), answers).steps[1].verdict.value == "accepted"


def test_every_network_keeps_to_the_budget_of_its_pass() -> None:
    space = sound(depth=9, width=24, param_slack=500)
    rising = iter(range(100, 1000, 100))

    walk = walk_with(space, lambda proposal: next(rising))

    limit = space.params(Architecture.chain(depth=9, width=24)) + 500
    ops = [s.proposal.candidate.architecture for s in walk.steps if s.proposal.phase == "ops"]
    assert len(ops) == 3
    assert all(space.params(network) <= limit for network in ops)
    assert ops[1].width < 24


def test_all_are_trained_equally_long_and_the_result_is_not_trained_again_for_that() -> None:
    same = walk_with(sound(epochs=5, confirm_epochs=5), in_turn(500, 600, 1, 1))
    longer = walk_with(sound(epochs=5, confirm_epochs=9), in_turn(500, 600, 1, 1, 900))

    assert {step.proposal.candidate.epochs for step in same.steps} == {5}
    assert isinstance(same.next, Done) and same.next.found is not None
    assert (same.next.found.score, same.next.found.epochs) == (0.6, 5)
    last = longer.steps[-1].proposal
    assert (last.phase, last.candidate.epochs) == ("confirm", 9)
    assert isinstance(longer.next, Done) and longer.next.found is not None
    assert longer.next.found.confirmed == 0.9


def test_a_failed_baseline_leaves_the_bar_open() -> None:
    walk = walk_with(sound(), in_turn(Failed(reason="broken", final=True), 3, 2))

    assert [step.verdict.value for step in walk.steps[:3]] == ["refused", "accepted", "refused"]


def test_each_further_choice_has_a_pass_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = Operation(name="point", weights=lambda p, c, k: p * c, module="unused:unused")
    monkeypatch.setitem(OPERATIONS, "point", cheap)
    space = sound(depth=3, operations=("point", "sep", "conv"), kernels=(7, 3))

    walk = walk_with(space, in_turn(500, 600, 500, 700, 500, 500))

    assert changes(walk.steps) == [
        "sss 333",
        "pss 333",
        "pps 333",
        "css 333",
        "ccs 333",
        "css 337",
    ]


def test_a_block_is_named_by_its_layers() -> None:
    walk = walk_with(sound(), in_turn(500, 500))

    names = [name_candidate(step.proposal) for step in walk.steps[1:]]
    assert names[0].startswith("layers 0 to 1: conv, width ")
    assert names[1].startswith("layers 4 to 5: kernel 5, width ")
