"""The micro search of policy `sound`: whole blocks of layers."""

from __future__ import annotations

import pytest
from walking import in_turn, micro, walk_with

from optuna_egnas import Architecture, MicroSpace, Operation
from optuna_egnas._methods.egnas.operations import OPERATIONS
from optuna_egnas._methods.egnas.words import name_candidate
from optuna_egnas.methods import Done, Failed, Step, Trained


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
        (
            [500, 500, 500, 500],
            ["ssssss 333333", "ccccss 333333", "ccssss 333333", "ssssss 333355"],
        ),
        ([500, 600, 500], ["ssssss 333333", "ccccss 333333", "ccccss 333355"]),
        (
            [500, 500, 600, 700, 800],
            [
                "ssssss 333333",
                "ccccss 333333",
                "ccssss 333333",
                "ccssss 333355",
                "ccssss 335555",  # two thirds at most
            ],
        ),
    ],
)
def test_operations_from_the_front_in_large_blocks_kernels_from_the_back_in_small_ones(
    scores: list[int], asked: list[str]
) -> None:
    walk = walk_with(sound(), in_turn(*scores))

    assert changes(walk.steps) == asked


@pytest.mark.parametrize(
    ("depth", "asked"),
    [
        (1, ["s 3", "c 3", "s 5"]),
        (2, ["ss 33", "cs 33", "ss 35"]),
        (3, ["sss 333", "ccs 333", "css 333", "sss 335"]),
        (5, ["sssss 33333", "ccsss 33333", "cssss 33333", "sssss 33335"]),
    ],
)
def test_a_few_layers_are_divided_as_well(depth: int, asked: list[str]) -> None:
    walk = walk_with(sound(depth=depth), in_turn(*[500] * len(asked)))

    assert changes(walk.steps) == asked


@pytest.mark.parametrize("n_valid", [1000, None])
def test_any_gain_passes_and_a_tie_is_none(n_valid: int | None) -> None:
    for gain, verdict in ((0.0, "refused"), (0.001, "accepted")):
        answers = in_turn(Trained(score=0.5), Trained(score=0.5 + gain))
        walk = walk_with(sound(n_valid=n_valid, level=0.01), answers)
        assert walk.steps[1].verdict.value == verdict


def test_every_network_keeps_to_the_budget_of_its_pass() -> None:
    space = sound(depth=9, width=24, param_slack=500)

    walk = walk_with(space, in_turn(500, 500, 500, 500))

    limit = space.params(Architecture.chain(depth=9, width=24)) + 500
    ops = [s.proposal.candidate.architecture for s in walk.steps if s.proposal.phase == "ops"]
    assert len(ops) == 3
    assert all(space.params(network) <= limit for network in ops)
    assert ops[1].width < 24


def test_all_are_trained_equally_long_and_the_result_is_not_trained_again_for_that() -> None:
    same = walk_with(sound(epochs=5, confirm_epochs=5), in_turn(500, 600, 1))
    longer = walk_with(sound(epochs=5, confirm_epochs=9), in_turn(500, 600, 1, 900))

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

    walk = walk_with(space, in_turn(500, 600, 500, 700, 500))

    assert changes(walk.steps) == [
        "sss 333",
        "pps 333",
        "ccs 333",
        "cps 333",
        "cps 337",
    ]


def test_a_block_is_named_by_its_layers() -> None:
    walk = walk_with(sound(), in_turn(500, 600, 500))

    names = [name_candidate(step.proposal) for step in walk.steps[1:]]
    assert names[0].startswith("layers 0 to 3: conv, width ")
    assert names[1].startswith("layers 4 to 5: kernel 5, width ")
