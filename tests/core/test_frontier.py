"""Looking ahead: what is handed out while answers are missing, and that it decides nothing."""

from __future__ import annotations

import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from test_walk import SEEDS, SPACES, world
from walking import Outcome, macro, micro, walk_with

from optuna_egnas import MacroSpace, MicroSpace
from optuna_egnas._core.frontier import HAND_OUT, WANTED
from optuna_egnas._core.history import Event, Lost, Observation
from optuna_egnas._core.odds import Experience
from optuna_egnas.methods import (
    Candidate,
    Done,
    Failed,
    History,
    Proposal,
    Running,
    Trained,
    Verdict,
)

Space = MacroSpace | MicroSpace


def ahead(space: Space, history: History, k: int) -> tuple[Proposal, ...]:
    found = space.frontier(history, k)
    assert isinstance(found, tuple)
    return found


def after(space: Space, *answers: int) -> dict[Candidate, Outcome]:
    """The outcomes of a walk's first candidates; each answer counts right ones of 1,000."""
    outcomes: dict[Candidate, Outcome] = {}
    for answer in answers:
        proposal = space.follow(History(outcomes)).next
        assert isinstance(proposal, Proposal)
        outcomes[proposal.candidate] = Trained(score=answer / 1000)
    return outcomes


def with_running(space: Space, outcomes: dict[Candidate, Outcome], count: int) -> History:
    """The same with the next `count` in flight."""
    running = ahead(space, History(outcomes), count)
    assert len(running) == count
    return History({**outcomes, **{each.candidate: Running() for each in running}})


def shape(proposal: Proposal) -> tuple[str, int, int]:
    architecture = proposal.candidate.architecture
    return proposal.phase, architecture.depth, architecture.width


# Any number of workers


class Fire:
    """Workers that are lost, fail, or are stopped where the walk has no more use for them."""

    def __init__(self, space: Space, seed: int, order: int) -> None:
        self.space, self.draw, self.outcome = space, random.Random(order), world(seed)
        self.events: list[Observation] = []
        self.running: list[Candidate] = []
        self.started: list[Candidate] = []

    @property
    def history(self) -> History:
        flying = [self._seen(each, Running(), float("inf")) for each in self.running]
        return History.of([*self.events, *flying])

    def start(self, candidate: Candidate) -> None:
        assert candidate not in self.running
        assert self.history.outcome(candidate) is None
        self.running.append(candidate)
        self.started.append(candidate)

    def arrive(self) -> None:
        """One of those in flight ends, somehow."""
        arrived = self.running.pop(self.draw.randrange(len(self.running)))
        before = sum(each.candidate == arrived for each in self.events)
        fate = self.draw.random()
        event: Event = self.outcome(arrived)
        if fate < 0.1 and before < 1:
            event = Lost()
        elif fate < 0.2 and before < 1:
            event = Failed(reason="out of memory")
        self.events.append(self._seen(arrived, event, float(len(self.events))))

    def stop_what_is_not_wanted(self) -> None:
        """As the pruner does: a stop says nothing of its candidate."""
        use = self.space.wanted(self.history, self.running)
        asked = self.space.follow(self.history).next
        if isinstance(asked, Proposal) and asked.candidate in self.running:
            assert asked.candidate in use, "what the walk asks for now is never stopped"
        self.running = [each for each in self.running if each in use]

    def _seen(self, candidate: Candidate, event: Event, at: float) -> Observation:
        number = len(self.events) if at < float("inf") else 10_000
        return Observation(number=number, candidate=candidate, event=event, finished=at)


@settings(deadline=None)
@given(space=SPACES, seed=SEEDS, workers=st.integers(1, 20), order=SEEDS)
def test_any_number_of_workers_in_any_order_makes_the_same_walk(
    space: Space, seed: int, workers: int, order: int
) -> None:
    alone = walk_with(space, lambda proposal: world(seed)(proposal.candidate))
    fire = Fire(space, seed, order)
    while True:
        found = space.frontier(fire.history, fire.draw.randint(1, 4))
        if isinstance(found, Done):
            break
        asked = space.follow(fire.history).next
        assert isinstance(asked, Proposal)
        if asked.candidate not in fire.running:
            assert found[0] == asked, "what the walk asks for now comes first"
        if found and len(fire.running) < workers:
            fire.start(found[0].candidate)
            continue
        fire.arrive()
        if fire.draw.random() < 0.7:
            fire.stop_what_is_not_wanted()

    assert space.follow(fire.history) == alone


@settings(deadline=None)
@given(space=SPACES, seed=SEEDS, share=st.floats(0, 1), flying=st.integers(0, 5))
def test_a_longer_frontier_begins_as_a_shorter_one_and_repeats_nothing(
    space: Space, seed: int, share: float, flying: int
) -> None:
    walk = walk_with(space, lambda proposal: world(seed)(proposal.candidate))
    steps = walk.steps[: int(share * (len(walk.steps) - 1))]
    known = {s.proposal.candidate: world(seed)(s.proposal.candidate) for s in steps}
    for each in ahead(space, History(known), flying):
        known[each.candidate] = Running()
    history = History(known)

    found = ahead(space, history, 20)

    assert found == ahead(space, History(dict(known)), 20), "a function of its arguments"
    for k in range(20):
        assert ahead(space, history, k) == found[:k]
    candidates = [each.candidate for each in found]
    assert len(set(candidates)) == len(candidates)
    assert not any(history.outcome(each) for each in candidates)
    chances = space.prospects(history, 20)
    if isinstance(chances, Done):
        # Where weights are inherited for whole trainings, the first steps may decide the rest.
        assert not found
        return
    assert [each.chance for each in chances] == sorted((c.chance for c in chances), reverse=True)
    assert all(HAND_OUT <= each.chance <= 1 for each in chances)


@settings(deadline=None)
@given(space=SPACES, seed=SEEDS, share=st.floats(0, 1))
def test_what_is_handed_out_is_wanted(space: Space, seed: int, share: float) -> None:
    walk = walk_with(space, lambda proposal: world(seed)(proposal.candidate))
    steps = walk.steps[: int(share * (len(walk.steps) - 1))]
    known = {s.proposal.candidate: world(seed)(s.proposal.candidate) for s in steps}
    found = [each.candidate for each in ahead(space, History(known), 10)]
    history = History({**known, **dict.fromkeys(found, Running())})

    assert space.wanted(history, found) == frozenset(found)


def test_work_that_was_ahead_is_used_when_the_walk_comes_to_it() -> None:
    space = micro()
    first, second, third = ahead(space, History(), 3)
    both = next(
        each
        for each in ahead(space, History(), 20)
        if each.candidate.architecture.ops == ("conv", "conv", "sep")
    )
    trained = after(space, 500)
    trained[both.candidate] = Trained(score=0.6)

    accepted = History({**trained, second.candidate: Trained(score=0.55)})

    walk = space.follow(accepted)
    assert [step.verdict for step in walk.steps[1:]] == [Verdict.ACCEPTED] * 2
    assert walk.steps[2].proposal.candidate == both.candidate, "it was not asked for again"
    refused = History({**trained, second.candidate: Trained(score=0.4)})
    left = space.follow(refused).next
    assert isinstance(left, Proposal)
    assert left.candidate == third.candidate
    assert first.candidate in trained


# What is likely


def test_idle_workers_hedge_on_both_outcomes_of_a_layer() -> None:
    space = micro(depth=6)

    found = ahead(space, with_running(space, {}, 1), 8)

    switched = [
        tuple(layer for layer, op in enumerate(each.candidate.architecture.ops) if op == "conv")
        for each in found
    ]
    assert switched[:2] == [(0,), (1,)]
    assert {(2,), (0, 1)} <= set(switched)
    assert switched.index((1,)) < switched.index((0, 1)), "the first one is probably refused"


def test_before_the_depth_phase_may_end_its_end_is_prepared() -> None:
    # Depth 3, then accepted up to depth 12; now two fails: one more ends the phase.
    space = macro(max_depth=40)
    answers = [500 + 20 * step for step in range(10)]
    outcomes = after(space, *answers, 600, 600)

    found = ahead(space, with_running(space, outcomes, 1), 12)

    widths = [shape(each) for each in found if each.phase == "width"]
    assert widths[:2] == [("width", 12, 6), ("width", 12, 4)]
    # And the other answer is prepared for too: one layer more.
    assert ("depth", 16, 8) in [shape(each) for each in found]
    assert {each.candidate.epochs for each in found if shape(each) == ("width", 12, 6)} == {
        2 + 12 + 2
    }


def test_what_all_futures_ask_for_is_certain() -> None:
    # Three fails end the phase, so that two more layers are tried in any case.
    space = macro(max_depth=40)
    found = space.prospects(History(after(space, 500)), 6)

    assert isinstance(found, tuple)
    assert [each.is_certain for each in found[:4]] == [True, True, True, False]
    assert [each.proposal.candidate.architecture.depth for each in found[:4]] == [4, 5, 6, 7]


def test_a_search_that_goes_otherwise_than_foreseen_is_believed_in_the_end() -> None:
    space = micro(depth=30)

    def chance_that_the_next_is_accepted(outcomes: dict[Candidate, Outcome]) -> float:
        experience = Experience.of(space.follow(History(outcomes)).steps, space.priors)
        return experience.odds("ops", len(outcomes))[Verdict.ACCEPTED]

    foreseen = chance_that_the_next_is_accepted(after(space, 500, 501, *[400] * 24))
    otherwise = chance_that_the_next_is_accepted(after(space, *range(500, 526)))

    assert foreseen < 0.05
    assert otherwise > 0.5


def test_a_score_below_what_its_bar_must_be_is_refused_before_the_bar_is_known() -> None:
    # Depth 4 still trains. Depth 5 is there: less than depth 3 had, so refused in any case.
    space = macro(max_depth=40, width_step=1)
    start = after(space, 500)
    fourth, fifth = ahead(space, History(start), 2)
    low = {**start, fourth.candidate: Running(), fifth.candidate: Trained(score=0.4)}
    high = {**start, fourth.candidate: Running(), fifth.candidate: Trained(score=0.6)}

    def of_seven(outcomes: dict[Candidate, Outcome]) -> float:
        found = space.prospects(History(outcomes), 9)
        assert isinstance(found, tuple)
        return next(each.chance for each in found if shape(each.proposal) == ("depth", 7, 8))

    assert of_seven(low) < of_seven(high)


# What is no longer wanted


def test_a_failed_premise_is_seen() -> None:
    space = micro(depth=6)
    outcomes = after(space, 500)
    flying = [each.candidate for each in ahead(space, History(outcomes), 6)]
    running: dict[Candidate, Outcome] = dict.fromkeys(flying, Running())
    history = History({**outcomes, **running})
    assert space.wanted(history, flying) == frozenset(flying)

    accepted = History({**outcomes, **running, flying[0]: Trained(score=0.6)})

    use = space.wanted(accepted, flying)
    assert use == {each for each in flying[1:] if each.architecture.ops[0] == "conv"}
    assert len(use) < len(flying) - 1


def test_what_another_trial_has_answered_is_not_wanted() -> None:
    space = macro()
    outcomes = after(space, 500)
    (asked,) = ahead(space, History(outcomes), 1)
    answered = {**outcomes, asked.candidate: Trained(score=0.6)}

    assert space.wanted(History(answered), [asked.candidate]) == frozenset()
    assert space.wanted(History(outcomes), [asked.candidate]) == {asked.candidate}


def test_nothing_is_wanted_of_a_walk_that_has_ended() -> None:
    space = macro(max_depth=3, min_width=8)
    (only,) = ahead(space, History(), 1)
    other = ahead(macro(), History(after(macro(), 500)), 1)[0].candidate
    outcomes: dict[Candidate, Outcome] = {only.candidate: Trained(score=0.5), other: Running()}

    assert space.wanted(History(outcomes), [other]) == frozenset()


def test_what_is_barely_possible_is_stopped_later_than_it_is_handed_out() -> None:
    # Else a worker would start and stop the same training again and again.
    assert WANTED < HAND_OUT


def test_looking_ahead_is_fast() -> None:
    space = MicroSpace(depth=50, width=64, n_valid=1000)
    draw = random.Random(0)
    outcomes = after(space, *(draw.randint(490, 510) for _ in range(60)))

    def seconds() -> float:
        began = time.process_time()
        ahead(space, History(outcomes), 32)
        return time.process_time() - began

    # About 0.01 on the machine of the authors; a walk of 101 steps, 41 of them ahead.
    assert min(seconds() for _ in range(5)) < 0.1
