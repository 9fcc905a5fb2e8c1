"""Simulated workers on recorded searches: the same walk, and what it gains."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from commands import Shell
from linking import trials_of
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from optuna_egnas import load_linked_studies
from optuna_egnas.errors import InvalidSpace, SearchError
from optuna_egnas.replay import Trace, read_trace, replay, simulate

DIGITS = Path(__file__).parents[4] / "studies" / "digits" / "walk.json"
Record = dict[str, Any]


@pytest.fixture(scope="module")
def digits() -> Trace:
    return read_trace(DIGITS)


@pytest.fixture
def altered(tmp_path: Path) -> Trace:
    """The same search, but for one score: from there on it would have gone another way."""
    record = json.loads(DIGITS.read_text())
    record["candidates"][9]["valid_correct"][:] = [1] * record["candidates"][9]["epochs"]
    path = tmp_path / "altered.json"
    path.write_text(json.dumps(record))
    return read_trace(path)


def shown(trace: Trace, workers: int) -> Record:
    return simulate(trace, workers=workers).to_json()


def test_one_worker_takes_as_long_as_the_search_did(digits: Trace) -> None:
    seen = shown(digits, 1)

    assert seen["match"]
    assert seen["speedup"] == pytest.approx(1.0)
    assert seen["makespan_s"] == pytest.approx(seen["sequential_s"])
    assert seen["wasted_trials"] == 0
    assert {**replay(digits).to_json(), **seen} == seen, "all that a replay says, and more"
    assert set(seen) - set(replay(digits).to_json()) == {
        "workers",
        "makespan_s",
        "sequential_s",
        "speedup",
        "wasted_trials",
    }


@pytest.mark.parametrize("workers", [2, 3, 8, 50])
def test_more_workers_walk_the_same_way_in_less_time(workers: int, digits: Trace) -> None:
    seen = shown(digits, workers)

    assert seen["match"]
    assert seen["first_difference"] is None
    assert 1.0 < seen["speedup"] <= workers
    assert seen == shown(digits, workers), "nothing is random"


@pytest.mark.parametrize("workers", [1, 4])
def test_a_record_that_the_rules_would_not_make_differs_at_the_same_place(
    workers: int, altered: Trace
) -> None:
    seen = shown(altered, workers)

    alone = replay(altered)
    assert alone.first_difference is not None
    assert not seen["match"]
    assert seen["first_difference"] == alone.first_difference
    assert seen["candidates"] == alone.candidates


def test_all_trials_have_ended_and_those_in_vain_say_why(digits: Trace) -> None:
    storage = InMemoryStorage()

    seen = simulate(digits, workers=8, storage=storage, name="many")

    trials = trials_of(load_linked_studies(storage=storage, name="many"))
    assert all(trial.state.is_finished() for trial in trials)
    stopped = [trial for trial in trials if trial.state is TrialState.PRUNED]
    assert {trial.user_attrs["stopped_by"] for trial in stopped} == {"premise"}
    assert all("another way" in trial.user_attrs["stopped"] for trial in stopped)
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    assert len(complete) == len(digits.candidates)
    assert seen.wasted == len(trials) - len(complete) == len(stopped)


def test_a_simulation_begins_at_the_beginning(digits: Trace) -> None:
    storage = InMemoryStorage()
    simulate(digits, workers=2, storage=storage, name="twice")
    count = len(trials_of(load_linked_studies(storage=storage, name="twice")))

    with pytest.raises(SearchError, match=f"must begin with no trials, but 'twice' has {count}"):
        simulate(digits, workers=2, storage=storage, name="twice")

    assert len(trials_of(load_linked_studies(storage=storage, name="twice"))) == count


def test_it_takes_at_least_one_worker(digits: Trace) -> None:
    with pytest.raises(InvalidSpace, match="must be at least 1, but got workers=0"):
        simulate(digits, workers=0)


def test_the_command_line_simulates(tmp_path: Path, digits: Trace) -> None:
    egnas = Shell(tmp_path)

    ran = egnas("replay", str(DIGITS), "--workers", "3", "--json")
    printed = egnas("replay", str(DIGITS), "--workers", "3")

    assert ran.record == shown(digits, 3)
    assert "3 simulated workers need" in printed.out
    assert f"{ran.record['speedup']:.2f} times as fast" in printed.out
    egnas.refuses("replay", str(DIGITS), "--workers", "0", "--json", saying=("workers=0",))


@pytest.mark.parametrize(("workers", "least"), [(2, 1.85), (4, 3.3), (8, 5.5), (16, 7.7)])
def test_recorded_searches_gain_what_they_should(
    recorded: list[Path], workers: int, least: float
) -> None:
    seen = [shown(read_trace(file), workers) for file in recorded]

    assert all(one["match"] for one in seen), seen
    assert math.prod(one["speedup"] for one in seen) ** (1 / len(seen)) >= least
