"""Properties of walks and of their frontier, on invented outcomes."""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from walking import Outcome, macro, micro, walk_with

from optuna_egnas import MacroSpace, MicroSpace
from optuna_egnas.methods import (
    Candidate,
    Done,
    Failed,
    History,
    Proposal,
    Running,
    Stopped,
    Trained,
)

SPACES = st.sampled_from(
    [
        macro(),
        macro(min_width=5, max_width=9, max_params=4_000),
        macro(n_valid=None, epochs_per_layer=0, epochs_per_width_step=0),
        micro(),
        micro(depth=5, kernels=(3, 5, 7), confirm_epochs=4),
        micro(depth=4, width=20, max_macs=200_000, param_slack=100),
        macro(policy="sound", max_depth=40, max_width=24, n_valid=100),
        macro(policy="sound", min_width=5, max_width=9, max_params=4_000, level=0.5),
        macro(policy="sound", n_valid=None, max_macs=60_000),
        micro(policy="sound", depth=9),
        micro(policy="sound", depth=5, kernels=(3, 5, 7), confirm_epochs=4, level=0.5),
        micro(policy="sound", depth=4, width=20, max_macs=200_000, n_valid=None),
        micro(policy="sound", depth=1, confirm_epochs=2),
        macro(inherit=0.5),
        macro(inherit=0.1, policy="sound", max_depth=40, max_width=24, n_valid=100),
        micro(inherit=0.5, depth=5, kernels=(3, 5, 7), confirm_epochs=4),
        micro(inherit=1.0, policy="sound", depth=9, confirm_epochs=2),
    ]
)
SEEDS = st.integers(0, 10_000)


def world(seed: int) -> Callable[[Candidate], Outcome]:
    """A fixed outcome for every candidate: mostly scores close to each other."""

    def outcome(candidate: Candidate) -> Outcome:
        draw = random.Random(f"{seed} {candidate}")
        kind = draw.random()
        if kind < 0.05:
            return Failed(reason="broken", final=True)
        if kind < 0.1:
            return Stopped(reason="hopeless")
        return Trained(score=draw.randint(490, 510) / 1000, train_accuracy=draw.random())

    return outcome


@settings(deadline=None)
@given(space=SPACES, seed=SEEDS)
def test_a_walk_ends_within_its_limits_and_asks_for_nothing_twice(
    space: MacroSpace | MicroSpace, seed: int
) -> None:
    outcome = world(seed)

    walk = walk_with(space, lambda proposal: outcome(proposal.candidate))

    assert isinstance(walk.next, Done)
    asked = [step.proposal.candidate for step in walk.steps]
    # What was found may have been trained from scratch just so: then that is its confirmation.
    compared = [s.proposal.candidate for s in walk.steps if s.proposal.phase != "confirm"]
    assert len(set(compared)) == len(compared)
    assert all(space.fits(candidate.architecture) for candidate in asked)
    assert all((candidate.epochs or 0) <= space.max_epochs for candidate in asked)
    assert not any(step.guessed for step in walk.steps)


@settings(deadline=None)
@given(space=SPACES, seed=SEEDS, extra=SEEDS)
def test_what_is_off_the_path_never_matters(
    space: MacroSpace | MicroSpace, seed: int, extra: int
) -> None:
    outcome = world(seed)
    walk = walk_with(space, lambda proposal: outcome(proposal.candidate))
    other = walk_with(space, lambda proposal: world(extra)(proposal.candidate))
    mixed = {s.proposal.candidate: outcome(s.proposal.candidate) for s in other.steps}
    mixed |= {s.proposal.candidate: outcome(s.proposal.candidate) for s in walk.steps}

    assert space.follow(History(mixed)) == walk


@settings(deadline=None)
@given(space=SPACES, seed=SEEDS, workers=st.integers(1, 6), order=SEEDS)
def test_any_number_of_workers_in_any_order_makes_the_same_walk(
    space: MacroSpace | MicroSpace, seed: int, workers: int, order: int
) -> None:
    outcome, draw = world(seed), random.Random(order)
    alone = walk_with(space, lambda proposal: outcome(proposal.candidate))
    finished: dict[Candidate, Outcome] = {}
    running: list[Candidate] = []
    while True:
        known = History({**finished, **{candidate: Running() for candidate in running}})
        ahead = space.frontier(known, 1)
        if isinstance(ahead, Done):
            break
        if ahead and len(running) < workers:
            assert ahead[0].candidate not in finished
            running.append(ahead[0].candidate)
            continue
        arrived = running.pop(draw.randrange(len(running)))
        if draw.random() < 0.9:  # else its worker is lost, and it is asked for again
            finished[arrived] = outcome(arrived)

    assert space.follow(History(finished)) == alone


@settings(deadline=None)
@given(space=SPACES, seed=SEEDS, share=st.floats(0, 1))
def test_the_frontier_begins_with_what_is_asked_for_and_grows_with_k(
    space: MacroSpace | MicroSpace, seed: int, share: float
) -> None:
    outcome = world(seed)
    walk = walk_with(space, lambda proposal: outcome(proposal.candidate))
    steps = walk.steps[: int(share * (len(walk.steps) - 1))]
    known = History({s.proposal.candidate: outcome(s.proposal.candidate) for s in steps})

    ahead = [space.frontier(known, k) for k in (1, 2, 5)]

    assert isinstance(ahead[0], tuple)
    assert ahead[0] == (space.follow(known).next,)
    assert isinstance(ahead[2], tuple)
    assert ahead[1] == ahead[2][:2]
    candidates = [proposal.candidate for proposal in ahead[2]]
    assert len(set(candidates)) == len(candidates)


def test_a_second_worker_gets_the_next_depth_and_a_third_the_one_after() -> None:
    space = macro()
    first = space.follow(History()).next
    assert isinstance(first, Proposal)

    ahead = space.frontier(History({first.candidate: Running()}), 3)

    assert isinstance(ahead, tuple)
    assert [proposal.candidate.architecture.depth for proposal in ahead] == [4, 5, 6]


def test_the_micro_search_bets_on_refusal() -> None:
    space = micro()
    first = space.follow(History()).next
    assert isinstance(first, Proposal)

    ahead = space.frontier(History({first.candidate: Running()}), 2)

    assert isinstance(ahead, tuple)
    assert [proposal.candidate.architecture.ops for proposal in ahead] == [
        ("conv", "sep", "sep"),
        ("sep", "conv", "sep"),
    ]


def test_nothing_is_left_to_take_while_the_last_one_is_in_flight() -> None:
    space = macro(max_depth=3, min_width=8)
    only = space.follow(History()).next
    assert isinstance(only, Proposal)

    assert space.frontier(History({only.candidate: Running()}), 3) == ()
    assert isinstance(space.frontier(History({only.candidate: Trained(score=0.5)})), Done)
