"""The macro search of policy `sound`: its ladders, its budgets, its bars."""

from __future__ import annotations

import re

import pytest
from walking import in_turn, macro, walk_with

from optuna_egnas import MacroSpace
from optuna_egnas.errors import InvalidSpace
from optuna_egnas.methods import Done, Failed, Step, Trained


def sound(**values: object) -> MacroSpace:
    wide: dict[str, object] = {"max_depth": 40, "max_width": 32, "min_width": 4}
    return macro(**{"policy": "sound", **wide, **values})


def sizes(steps: tuple[Step, ...], phase: str) -> list[int]:
    """The depths of the depth phase, or the widths of the width phase."""
    networks = [s.proposal.candidate.architecture for s in steps if s.proposal.phase == phase]
    return [network.depth if phase == "depth" else network.width for network in networks]


@pytest.mark.parametrize(
    ("scores", "depths"),
    [
        ([500, 600, 500, 500], [3, 6, 12, 9]),  # refused: half the way; less is in the noise
        ([500, 600, 500, 700], [3, 6, 12, 9]),
        ([500, 600, 700, 500, 500, 500], [3, 6, 12, 24, 18, 15]),
        ([500, 600, 700, 500, 800, 700], [3, 6, 12, 24, 18]),  # 3 more of 18 are too few
        ([500, 600, 700, 800, 900], [3, 6, 12, 24, 40]),  # as deep as it may be
        ([500, 1, 1], [3, 6, 4]),
    ],
)
def test_depths_double_while_they_pass_and_are_then_searched_between(
    scores: list[int], depths: list[int]
) -> None:
    walk = walk_with(sound(), in_turn(*scores))

    assert sizes(walk.steps, "depth") == depths


@pytest.mark.parametrize(
    ("scores", "widths", "found"),
    [
        ([501], [24], 32),  # in doubt the wider one stays
        ([600, 499], [24, 16], 24),  # 4 less of 24 are too few
        ([600, 700, 800, 900], [24, 16, 8, 4], 4),  # to the narrowest of the space
    ],
)
def test_widths_fall_by_quarters_while_that_gains(
    scores: list[int], widths: list[int], found: int
) -> None:
    walk = walk_with(sound(min_depth=3, max_depth=3), in_turn(500, *scores))

    assert sizes(walk.steps, "width") == widths
    assert isinstance(walk.next, Done)
    assert walk.next.found is not None
    assert walk.next.found.architecture.width == found


@pytest.mark.parametrize(("width", "narrower"), [(18, 14), (17, 13), (9, 7), (8, 6)])
def test_a_quarter_is_rounded_down(width: int, narrower: int) -> None:
    space = sound(min_depth=3, max_depth=3, max_width=width)

    assert sizes(walk_with(space, in_turn(500, 1)).steps, "width")[:1] == [narrower]


@pytest.mark.parametrize("n_valid", [1000, None])
def test_a_deeper_network_passes_with_any_gain(n_valid: int | None) -> None:
    for gain, verdict in ((0, "refused"), (1, "accepted")):
        answers = in_turn(Trained(score=0.5), Trained(score=0.5 + gain / 1000))
        walk = walk_with(sound(n_valid=n_valid, level=0.01), answers)
        assert walk.steps[1].verdict.value == verdict


@pytest.mark.parametrize(
    ("n_valid", "level", "gain", "verdict"),
    [
        (1000, 0.25, 15, "refused"),  # 0.674 standard errors of 2.2 points
        (1000, 0.25, 16, "accepted"),
        (1000, 0.05, 36, "refused"),  # 1.645 of them
        (1000, 0.05, 38, "accepted"),
        (1000, 0.5, 0, "refused"),  # a tie gains nothing
        (1000, 0.5, 1, "accepted"),
        (100_000, 0.25, 3, "accepted"),
        (None, 0.25, 0, "refused"),
        (None, 0.25, 1, "accepted"),  # not known: any gain
    ],
)
def test_a_narrower_network_must_gain_more_than_chance_gives(
    n_valid: int | None, level: float, gain: float, verdict: str
) -> None:
    space = sound(max_depth=3, n_valid=n_valid, level=level)
    answers = in_turn(Trained(score=0.5), Trained(score=0.5 + gain / 1000))

    step = walk_with(space, answers).steps[1]

    assert (step.proposal.phase, step.verdict.value) == ("width", verdict)


def test_equal_depths_have_equal_budgets_whatever_came_before() -> None:
    space = sound(base_epochs=10)
    rising = iter(range(100, 1000, 50))
    walks = [
        walk_with(space, in_turn(500, 600, 400, 700)),
        walk_with(space, lambda proposal: next(rising)),
    ]

    budgets: dict[int, set[int | None]] = {}
    for step in (step for walk in walks for step in walk.steps):
        candidate = step.proposal.candidate
        budgets.setdefault(candidate.architecture.depth, set()).add(candidate.epochs)
    assert all(len(epochs) == 1 for epochs in budgets.values())
    assert budgets[6] == {10}, "the base is that of twice the least depth"
    assert min(budgets[12]) > 10 > min(budgets[3])


def test_it_trains_far_less_than_the_published_rules() -> None:
    # A world that saturates at about depth 20, in which every lost channel costs a little.
    def epochs(policy: str) -> int:
        space = MacroSpace(policy=policy, n_valid=10_000)
        walk = walk_with(
            space,
            lambda proposal: round(
                950
                - 3000 / proposal.candidate.architecture.depth**2
                - 100 / proposal.candidate.architecture.width
            ),
        )
        return sum(step.proposal.candidate.epochs or 0 for step in walk.steps)

    assert epochs("paper") > 4 * epochs("sound")


def test_a_failed_first_network_is_passed_by() -> None:
    broken = Failed(reason="broken", final=True)
    walk = walk_with(sound(), in_turn(broken, 500, 1, 1))

    assert sizes(walk.steps, "depth") == [3, 6, 12, 9]
    assert isinstance(walk.next, Done)
    assert walk.next.found is not None
    assert walk.next.found.architecture.depth == 6


def test_nothing_is_found_where_everything_fails() -> None:
    walk = walk_with(sound(), lambda proposal: Failed(reason="broken", final=True))

    assert sizes(walk.steps, "depth") == [3, 6, 12]
    assert walk.next == Done(found=None)


def test_a_limit_bounds_the_ladder() -> None:
    free = sound()
    limit = free.params(
        walk_with(free, in_turn(500, 600)).steps[1].proposal.candidate.architecture
    )
    rising = iter(range(100, 1000, 50))

    walk = walk_with(sound(max_params=limit), lambda proposal: next(rising))

    networks = [step.proposal.candidate.architecture for step in walk.steps]
    assert all(free.params(network) <= limit for network in networks)
    assert networks[0].width == 32
    assert min(network.width for network in networks) < 32


@pytest.mark.parametrize("perfect", [Trained(score=0.999), Trained(score=0.5, train_accuracy=1.0)])
def test_the_depth_phase_ends_early(perfect: Trained) -> None:
    assert sizes(walk_with(sound(), in_turn(perfect)).steps, "depth") == [3]


@pytest.mark.parametrize("level", [0, -0.1, 0.6, float("nan")])
def test_a_level_that_is_no_chance_is_refused(level: float) -> None:
    with pytest.raises(InvalidSpace, match=re.escape("`level` must be")):
        sound(level=level)


def test_a_space_that_was_stored_before_there_was_a_choice_is_the_published_one() -> None:
    stored = {key: value for key, value in macro().to_json().items() if key != "level"}

    assert MacroSpace.from_json(stored) == macro()
    assert MacroSpace().policy == "paper"
    assert MacroSpace.from_json(sound().to_json()) == sound()
