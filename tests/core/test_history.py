from __future__ import annotations

import pytest
from walking import Outcome

from optuna_egnas import Architecture
from optuna_egnas._core.history import Event, Lost, Observation, Observations
from optuna_egnas.methods import Candidate, Failed, History, Running, Stopped, Trained

ONE = Candidate(architecture=Architecture.chain(depth=3, width=8), epochs=5)
GOOD, BETTER = Trained(score=0.5), Trained(score=0.6)
BROKEN, NAN = Failed(reason="broken"), Failed(reason="NaN", final=True)
KILLED = Failed(reason="its worker was lost 3 times", final=True)


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([], None),
        ([(Running(), None)], Running()),
        ([(GOOD, 9.0)], GOOD),
        ([(GOOD, 9.0), (BETTER, 8.0)], BETTER),  # the earlier end counts
        ([(GOOD, 9.0), (BETTER, 9.0)], GOOD),  # then the lower number
        ([(Stopped(reason="slow"), 3.0), (GOOD, 9.0)], Stopped(reason="slow")),
        ([(Running(), None), (GOOD, 9.0)], GOOD),
        ([(BROKEN, 1.0)], None),  # tried again once
        ([(BROKEN, 1.0), (Running(), None)], Running()),
        ([(BROKEN, 1.0), (BROKEN, 2.0)], BROKEN),
        ([(BROKEN, 1.0), (GOOD, 2.0)], GOOD),
        ([(NAN, 1.0)], NAN),  # same seed, same NaN
        ([(Lost(), 1.0)], None),
        ([(Lost(), 1.0), (Lost(), 2.0)], None),
        ([(Lost(), 1.0), (Lost(), 2.0), (Lost(), None)], KILLED),
        ([(Lost(), 1.0), (BROKEN, 2.0)], None),
    ],
)
def test_several_trials_of_one_candidate_read_as_one_outcome(
    events: list[tuple[Event, float | None]], outcome: Outcome | None
) -> None:
    observations = [
        Observation(
            number=number,
            candidate=ONE,
            event=event,
            finished=float("inf") if finished is None else finished,
        )
        for number, (event, finished) in enumerate(events)
    ]

    assert History.of(observations).outcome(ONE) == outcome
    assert History.of(reversed(observations)).outcome(ONE) == outcome


def test_a_trial_that_does_not_say_its_epochs_stands_for_any() -> None:
    unsaid = Candidate(architecture=ONE.architecture, epochs=None)

    history = History.of([Observation(number=0, candidate=unsaid, event=GOOD, finished=1.0)])

    assert history.outcome(ONE) == GOOD
    assert history.with_outcome(ONE, BETTER).outcome(ONE) == BETTER


def test_budget_and_replicate_tell_candidates_apart() -> None:
    history = History({ONE: GOOD})

    for other in (
        Candidate(architecture=ONE.architecture, epochs=6),
        Candidate(architecture=ONE.architecture, epochs=5, replicate=1),
    ):
        assert history.outcome(other) is None


@pytest.mark.parametrize(
    ("event", "outcome"),
    [(BROKEN, None), (NAN, None), (GOOD, GOOD), (Stopped(reason="slow"), Stopped(reason="slow"))],
)
def test_failures_alone_are_forgotten(event: Event, outcome: Outcome | None) -> None:
    ledger = Observations()
    for number in range(2):
        ledger.write(Observation(number=number, candidate=ONE, event=event, finished=1.0))
    assert ledger.history(()).outcome(ONE) == event

    ledger.forgotten.update(range(2))

    assert ledger.history(()).outcome(ONE) == outcome
