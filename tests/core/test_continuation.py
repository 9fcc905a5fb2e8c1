"""Drawn continuations of a walk: what may still be asked for."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest
from walking import macro, micro, walk_with

from optuna_egnas import MacroSpace, MicroSpace
from optuna_egnas.methods import Continuation, History, Proposal, Running, Trained

SPACES = {
    "macro": macro(),
    "micro": micro(confirm_epochs=4),
    "sound macro": macro(policy="sound"),
    "sound micro": micro(policy="sound"),
}


def drawn(
    space: MacroSpace | MicroSpace, history: History, count: int = 30, seed: int = 0
) -> list[Continuation]:
    return list(islice(space.continuations(history, Random(seed)), count))


@pytest.mark.parametrize("name", SPACES)
def test_continuations_differ_and_ask_for_nothing_twice(name: str) -> None:
    space = SPACES[name]

    found = drawn(space, History())

    assert len({continuation.left for continuation in found}) > 1
    assert all(len(set(continuation.left)) == len(continuation.left) for continuation in found)
    assert all(
        space.fits(each.architecture) for continuation in found for each in continuation.left
    )
    assert all(continuation.found is not None for continuation in found)
    assert found == drawn(space, History()), "the same generator, the same continuations"


@pytest.mark.parametrize("name", SPACES)
def test_nothing_is_left_of_a_walk_that_has_ended(name: str) -> None:
    space = SPACES[name]
    walk = walk_with(space, lambda _: 500)
    history = History({step.proposal.candidate: Trained(score=0.5) for step in walk.steps})

    assert {continuation.left for continuation in drawn(space, history)} == {()}


def test_what_is_trained_is_not_left_and_what_is_in_flight_is() -> None:
    space = macro()
    first = space.follow(History()).next
    assert isinstance(first, Proposal)

    flying = drawn(space, History({first.candidate: Running()}))
    trained = drawn(space, History({first.candidate: Trained(score=0.5)}))

    assert all(continuation.left[0] == first.candidate for continuation in flying)
    assert not any(first.candidate in continuation.left for continuation in trained)


def test_few_images_may_be_known_by_heart_which_ends_the_depth_phase() -> None:
    space = macro(max_depth=40, depth_patience=30, n_valid=200)

    depths = {
        max(each.architecture.depth for each in continuation.left)
        for continuation in drawn(space, History(), 60)
    }

    assert max(depths) >= 30
    assert min(depths) < 20
