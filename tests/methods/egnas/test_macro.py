from __future__ import annotations

import re

import pytest
from walking import in_turn, macro, walk_with

from optuna_egnas import MacroSpace
from optuna_egnas._methods.egnas.paper_macro import attempt_epochs
from optuna_egnas.errors import InvalidSpace
from optuna_egnas.methods import Done, Failed, Step, Stopped, Trained


def asked(steps: tuple[Step, ...]) -> list[tuple[str, int, int, int | None]]:
    """Phase, depth, width and epochs of each step."""
    return [
        (
            step.proposal.phase,
            step.proposal.candidate.architecture.depth,
            step.proposal.candidate.architecture.width,
            step.proposal.candidate.epochs,
        )
        for step in steps
    ]


def verdicts(steps: tuple[Step, ...]) -> list[str]:
    return [step.verdict.value for step in steps]


def test_the_published_walk_in_small() -> None:
    # 1,000 validation images: accepted from +1 answer, neutral at 0, refused from -1.
    answers = in_turn(800, 801, 801, 700, 700, 700, 801, 700, 801, 700)

    walk = walk_with(macro(max_width=16, min_width=4), answers)

    assert asked(walk.steps) == [
        ("depth", 3, 16, 2),
        ("depth", 4, 16, 3),
        ("depth", 5, 16, 4),
        ("depth", 6, 16, 5),
        ("depth", 7, 16, 6),
        ("depth", 8, 16, 7),
        ("width", 4, 14, 9),
        ("width", 4, 12, 11),
        ("width", 4, 10, 13),
        ("width", 4, 8, 15),
        ("width", 4, 6, 17),
        ("width", 4, 4, 19),
    ]
    assert verdicts(walk.steps) == [
        "baseline",
        "accepted",
        "neutral",
        *["refused"] * 3,
        *["accepted", "refused", "accepted"],
        *["refused"] * 3,
    ]
    assert isinstance(walk.next, Done)
    assert walk.next.found is not None
    assert walk.next.found.architecture.width == 10
    assert walk.next.found.epochs == 13


@pytest.mark.parametrize(
    ("n_valid", "score", "verdict"),
    [
        (10_000, 0.8010, "accepted"),  # exactly +0.10 points
        (10_000, 0.8009, "neutral"),
        (10_000, 0.7995, "neutral"),  # exactly -0.05 points
        (10_000, 0.7994, "refused"),
        (None, 0.8 + 0.001 - 1e-12, "accepted"),  # a tie up to rounding
        (None, 0.8 + 0.001 - 1e-6, "neutral"),
        (288, 231 / 288, "accepted"),  # one answer more of 288 is over 0.10 points
    ],
)
def test_ties_with_a_threshold_are_decided_exactly(
    n_valid: int | None, score: float, verdict: str
) -> None:
    first = 230 / 288 if n_valid == 288 else 0.8
    answers = in_turn(Trained(score=first), Trained(score=score))

    walk = walk_with(macro(n_valid=n_valid, max_depth=4, min_width=8), answers)

    assert walk.steps[1].verdict.value == verdict


def test_a_neutral_attempt_neither_counts_as_a_fail_nor_forgives_one() -> None:
    walk = walk_with(macro(max_depth=30), in_turn(800, 1, 800, 1, 800, 1, 800))

    depths = [step for step in walk.steps if step.proposal.phase == "depth"]
    assert verdicts(tuple(depths)) == [
        "baseline",
        "refused",
        "neutral",
        "refused",
        "neutral",
        "refused",
    ]


@pytest.mark.parametrize(
    "perfect",
    [Trained(score=0.999), Trained(score=0.5, train_accuracy=1.0)],
    ids=["target reached", "training data known by heart"],
)
def test_the_depth_phase_ends_early(perfect: Trained) -> None:
    walk = walk_with(macro(), in_turn(perfect))

    assert [step.proposal.phase for step in walk.steps] == ["depth", "width", "width"]


def test_refusals_count_as_fails_and_a_first_one_leaves_the_bar_open() -> None:
    out_of_memory = Failed(reason="OutOfMemoryError", final=True)
    stopped = Stopped(reason="hopeless")

    walk = walk_with(macro(min_width=8), in_turn(out_of_memory, 100, stopped, 99, 98))

    assert verdicts(walk.steps) == ["refused", "accepted", *["refused"] * 3]
    assert isinstance(walk.next, Done)
    assert walk.next.found is not None
    assert walk.next.found.architecture.depth == 4


def test_nothing_is_found_where_everything_fails() -> None:
    walk = walk_with(macro(), lambda proposal: Failed(reason="broken", final=True))

    assert walk.next == Done(found=None)
    assert len(walk.steps) == 4, "the first one and three fails"


def test_widths_start_at_the_widest_that_fits_and_depths_end_where_none_does() -> None:
    free = macro(max_depth=20)
    limit = free.params(walk_with(free, in_turn(1)).steps[2].proposal.candidate.architecture)
    space = macro(max_depth=20, max_params=limit)
    rising = iter(range(500, 1000))

    walk = walk_with(space, lambda proposal: next(rising))

    depths = [step for step in walk.steps if step.proposal.phase == "depth"]
    for step in walk.steps:
        assert space.params(step.proposal.candidate.architecture) <= limit
    for step in depths:
        architecture = step.proposal.candidate.architecture
        wider = type(architecture).chain(depth=architecture.depth, width=architecture.width + 1)
        assert architecture.width == 8 or space.params(wider) > limit
    deeper = type(architecture).chain(
        depth=depths[-1].proposal.candidate.architecture.depth + 1, width=4
    )
    assert space.params(deeper) > limit
    assert any(a.proposal.candidate.architecture.width % 2 for a in depths), "odd widths too"
    widths = [s.proposal.candidate.architecture.width for s in walk.steps if s not in depths]
    assert all(width >= 4 for width in widths)


def test_multiply_accumulates_are_a_limit_too() -> None:
    space = macro(max_macs=25_000)

    walk = walk_with(space, in_turn(500))

    assert all(space.macs(s.proposal.candidate.architecture) <= 25_000 for s in walk.steps)
    assert walk.steps[0].proposal.candidate.architecture.width < 8


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"min_depth": 0}, "`min_depth` must be at least 1, but got min_depth=0."),
        ({"min_depth": 9}, "`max_depth` must be at least min_depth=9, but got max_depth=8."),
        ({"max_width": 2}, "`max_width` must be at least min_width=4, but got max_width=2."),
        ({"width_step": 0}, "`width_step` must be at least 1"),
        ({"max_width": 8.5}, "`max_width` must be a whole number, but got max_width=8.5."),
        ({"depth_gain": -0.1}, "`depth_gain` must be at least 0, but got depth_gain=-0.1."),
        ({"depth_slack": float("nan")}, "`depth_slack` must be a number, but got"),
        ({"policy": "best"}, "`policy` must be one of paper, sound, but got 'best'."),
        ({"classes": 1}, "`classes` must be at least 2, but got classes=1."),
        ({"max_params": 0}, "`max_params` must be at least 1, but got max_params=0."),
        (
            {"max_params": 100},
            "No network fits max_params=100: the smallest one of this space (depth 3, width 4) "
            "has 686 parameters and ",
        ),
        ({"max_macs": 100}, "No network fits max_macs=100: the smallest one"),
    ],
)
def test_impossible_spaces_are_refused_at_birth(values: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidSpace, match=re.escape(message)):
        macro(**values)


def test_json_reads_back_as_the_same_space() -> None:
    space = macro(max_params=5000)

    assert MacroSpace.from_json(space.to_json()) == space


@pytest.mark.parametrize(
    ("change", "message"),
    [({"version": 2}, "version 1, but got 2"), ({"magic": 1}, "no field named 'magic'")],
)
def test_a_stored_space_of_another_kind_is_refused(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidSpace, match=message):
        MacroSpace.from_json({**macro().to_json(), **change})


def test_the_published_counter_counts_every_attempt() -> None:
    assert attempt_epochs(base=10, depth_attempts=0, per_depth_attempt=1) == 10
    assert (
        attempt_epochs(
            base=10,
            depth_attempts=20,
            per_depth_attempt=1,
            width_attempts=3,
            per_width_attempt=2,
        )
        == 36
    )
