"""Who inherits from whom, for how long, and what that is compared with."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from test_frontier import after, ahead, with_running
from walking import in_turn, macro, micro, walk_with

from optuna_egnas import Architecture, MacroSpace, MicroSpace
from optuna_egnas._core.words import verdict_words
from optuna_egnas._methods.egnas.words import name_candidate
from optuna_egnas.errors import InvalidSpace
from optuna_egnas.methods import (
    Candidate,
    Done,
    Failed,
    History,
    Proposal,
    Running,
    Space,
    Trained,
    Verdict,
    Walk,
    inheriting,
)

SPACE = macro(inherit=0.5, base_epochs=4, max_depth=5)
BROKEN = Failed(reason="NaN", final=True)


def told(walk: Walk) -> list[str]:
    """Each step: the network, its epochs, whose weights it begins with, and the verdict."""
    return [
        f"{name_candidate(step.proposal)}, {step.proposal.candidate.epochs} epochs"
        f"{parent_of(step.proposal.candidate)}: {verdict_words(step, SPACE)}"
        for step in walk.steps
    ]


def parent_of(candidate: Candidate) -> str:
    parent = candidate.parent
    if parent is None:
        return ""
    return f" from depth {parent.architecture.depth}, width {parent.architecture.width}"


def test_each_incumbent_is_trained_on_before_others_are_compared_with_it() -> None:
    walk = walk_with(SPACE, in_turn(800, 810, 805, 820, 830, 830, 829))

    assert told(walk)[:7] == [
        "depth 3, width 8, 4 epochs: baseline",
        "depth 3, width 8, trained on, 2 epochs from depth 3, width 8: baseline",
        "depth 4, width 8, 2 epochs from depth 3, width 8: refused: -0.50 points against depth 3",
        "depth 5, width 8, 3 epochs from depth 3, width 8: accepted: +1.00 points over depth 3",
        "depth 5, width 8, trained on, 4 epochs from depth 5, width 8: baseline",
        "depth 5, width 6, 4 epochs from depth 5, width 8: accepted: +0.00 points over width 8",
        "depth 5, width 6, trained on, 5 epochs from depth 5, width 6: baseline",
    ]


@pytest.mark.parametrize(
    ("answers", "story"),
    [
        ((800, 700, 750), "accepted: +5.00 points over depth 3"),
        ((800, 850, 849), "refused: -0.10 points against depth 3"),
        ((800, BROKEN, 799), "refused: -0.10 points against depth 3"),
        ((800, BROKEN, 801), "accepted: +0.10 points over depth 3"),
    ],
    ids=["a lucky incumbent", "one that learns on", "its own score", "if that is all there is"],
)
def test_the_bar_is_what_the_incumbent_gets_by_the_same_epochs(
    answers: tuple[Any, ...], story: str
) -> None:
    walk = walk_with(SPACE, in_turn(*answers))

    assert verdict_words(walk.steps[2], SPACE) == story


def test_while_nothing_was_trained_to_its_end_there_is_nothing_to_inherit() -> None:
    walk = walk_with(SPACE, in_turn(BROKEN, 800, 800, 700))

    parents = [step.proposal.candidate.parent for step in walk.steps[:4]]
    assert parents == [None, None, *[walk.steps[1].proposal.candidate] * 2]


def test_a_lineage_begins_from_scratch_and_grows_with_each_acceptance() -> None:
    walk = walk_with(SPACE, in_turn(800, 800, 810, 810, 820))
    grandchild = walk.steps[4].proposal.candidate

    assert grandchild.parent == walk.steps[2].proposal.candidate
    assert grandchild.parent and grandchild.parent.parent == walk.steps[0].proposal.candidate
    assert grandchild.parent.parent and grandchild.parent.parent.parent is None
    record = json.loads(json.dumps(grandchild.to_json()))
    assert Candidate.from_json(record, Architecture.from_json) == grandchild


@pytest.mark.parametrize("policy", ["paper", "sound"])
def test_the_micro_search_measures_afresh_and_confirms_from_scratch(policy: str) -> None:
    space = micro(inherit=0.25, policy=policy, epochs=8, confirm_epochs=8)
    walk = walk_with(space, in_turn(800, 800, 810))
    first, *rest, last = [step.proposal for step in walk.steps]

    assert (first.candidate.parent, first.candidate.epochs) == (None, 8)
    assert (last.phase, last.candidate.parent, last.candidate.epochs) == ("confirm", None, 8)
    assert {proposal.candidate.epochs for proposal in rest} == {2}
    assert all(proposal.candidate.parent for proposal in rest)


def test_the_result_says_the_whole_budget_of_its_network() -> None:
    walk = walk_with(SPACE, in_turn(800, 800, 801, 801))
    best = walk.steps[2].proposal.candidate

    assert isinstance(walk.next, Done) and walk.next.found
    assert walk.next.found.architecture == best.architecture
    assert (best.epochs, walk.next.found.epochs) == (2, 5)


def test_without_it_the_rules_are_untouched() -> None:
    rules = macro().begin()

    assert inheriting(rules, None) is rules


# Look-ahead


def test_who_still_trains_has_no_children_yet() -> None:
    history = with_running(SPACE, after(SPACE, 800), 1)

    running = next(c for c, outcome in history.outcomes.items() if outcome == Running())
    assert running.is_trained_on
    for proposal in ahead(SPACE, history, 10):
        parent = proposal.candidate.parent
        assert parent is not None and isinstance(history.outcome(parent), Trained)


def test_a_child_of_another_parent_is_not_what_the_walk_asks_for() -> None:
    outcomes = after(SPACE, 800, 800)
    fourth = SPACE.follow(History(outcomes)).next
    assert isinstance(fourth, Proposal)
    flying = History({**outcomes, fourth.candidate: Running()})
    guessed = ahead(SPACE, flying, 1)[0].candidate  # depth 5 from depth 3, as if 4 were refused
    outcomes |= {guessed: Trained(score=0.999), fourth.candidate: Trained(score=0.9)}

    asked = SPACE.follow(History(outcomes)).next

    assert guessed.architecture.depth == 5 and guessed.parent != fourth.candidate
    assert isinstance(asked, Proposal) and asked.candidate.is_trained_on
    outcomes[asked.candidate] = Trained(score=0.9)
    asked = SPACE.follow(History(outcomes)).next
    assert isinstance(asked, Proposal) and asked.likely is Verdict.ACCEPTED
    assert asked.candidate == replace(guessed, parent=fourth.candidate), "the same, and not it"


def test_one_that_says_no_epochs_was_trained_from_scratch() -> None:
    architecture = Architecture.chain(depth=3, width=8)
    history = History({Candidate(architecture=architecture, epochs=None): Trained(score=0.5)})
    scratch = Candidate(architecture=architecture, epochs=4)

    assert history.outcome(scratch) == Trained(score=0.5)
    assert history.outcome(replace(scratch, epochs=2, parent=scratch)) is None


@pytest.mark.parametrize("kind", [MacroSpace, MicroSpace])
@pytest.mark.parametrize("share", [0, 0.0, 1.01, -0.5, float("nan"), True, "half"])
def test_a_share_is_above_nought_and_at_most_one(kind: type[Space], share: Any) -> None:
    with pytest.raises(InvalidSpace, match="`inherit` must be "):
        kind(inherit=share)
