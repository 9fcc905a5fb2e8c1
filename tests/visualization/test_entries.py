from __future__ import annotations

import math
from itertools import pairwise

import optuna
import pytest

from optuna_egnas import LinkedStudies
from optuna_egnas.replay import Trace
from optuna_egnas.visualization._entries import entries, standard_error


def test_the_entries_are_the_walk_in_its_order(digits: LinkedStudies, trace: Trace) -> None:
    listed = entries(digits)

    assert [entry.place for entry in listed[: len(trace.candidates)]] == [
        *range(1, len(trace.candidates) + 1)
    ]
    for entry, recorded in zip(listed, trace.candidates, strict=False):
        assert entry.phase == recorded.phase
        assert entry.architecture == recorded.architecture
        assert entry.params == recorded.params
        assert entry.epochs == recorded.epochs
        assert entry.score == max(recorded.valid_correct) / trace.n_valid
        assert entry.curve == tuple(right / trace.n_valid for right in recorded.valid_correct)
        assert entry.seconds == recorded.seconds


def test_the_best_is_the_incumbents_score_and_starts_anew_with_each_baseline(
    digits: LinkedStudies,
) -> None:
    listed = [entry for entry in entries(digits) if entry.phase != "confirm"]

    for before, after in pairwise(listed):
        assert after.best == (after.score if after.kept else before.best)
    assert [entry.best for entry in listed if entry.fate == "baseline"] == [
        entry.score for entry in listed if entry.fate == "baseline"
    ]


def test_what_the_walk_never_asked_for_stands_beside_it(
    by_four: LinkedStudies, digits: LinkedStudies
) -> None:
    listed = entries(by_four)
    walk = [entry for entry in listed if entry.place is not None]
    beside = [entry for entry in listed if entry.place is None]

    alone = [entry for entry in entries(digits) if entry.place is not None]
    assert [(entry.architecture, entry.words) for entry in walk] == [
        (entry.architecture, entry.words) for entry in alone
    ]
    assert beside
    assert {entry.fate for entry in beside} <= {"ahead", "stopped"}
    assert all("not asked for" in entry.words for entry in beside if entry.fate == "ahead")
    own = {(entry.role, entry.number) for entry in walk}
    assert own.isdisjoint((entry.role, entry.number) for entry in beside)


@pytest.mark.parametrize(
    ("state", "attributes", "fate", "words"),
    [
        ("FAIL", {"error": "RuntimeError: no memory"}, "failed", "no memory"),
        ("FAIL", {}, "lost", "its worker was lost"),
        ("FAIL", {"dropped": "stopped by its user"}, "lost", "stopped by its user"),
        ("PRUNED", {"stopped_by": "premise", "stopped": "it failed"}, "stopped", "it failed"),
        ("RUNNING", {}, "running", "in training"),
    ],
)
def test_each_end_beside_the_walk_has_its_words(
    untouched: LinkedStudies, state: str, attributes: dict[str, str], fate: str, words: str
) -> None:
    trial = untouched.macro.ask()
    trial.suggest_int("depth", 10, 100)
    for key, value in attributes.items():
        trial.set_user_attr(key, value)
    if state != "RUNNING":
        untouched.macro.tell(trial, state=optuna.trial.TrialState[state])

    (entry,) = entries(untouched)

    assert (entry.place, entry.fate, entry.score) == (None, fate, None)
    assert words in entry.words


def test_an_untouched_search_has_no_entries(untouched: LinkedStudies) -> None:
    assert entries(untouched) == ()


@pytest.mark.parametrize(
    ("score", "n_valid", "expected"),
    [
        (0.9, 100, 0.03),
        (1.0, 100, 0.0),
        (0.5, 10_000, 0.005),
        (0.9, None, None),
        (None, 100, None),
        (-1.5, 100, None),  # A score of another unit is no share of anything.
    ],
)
def test_the_standard_error_is_that_of_a_share(
    score: float | None, n_valid: int | None, expected: float | None
) -> None:
    error = standard_error(score, n_valid)

    assert error == expected if expected is None else math.isclose(error or 0, expected)
