"""Recorded searches are replayed to the same end, or to the first difference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pytest
from commands import Shell
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from tracing import N_VALID, Record, changed, replayed, searched

import optuna_egnas._methods.egnas.replay.replay as replaying
from optuna_egnas import load_linked_studies
from optuna_egnas.errors import SearchError
from optuna_egnas.replay import read_trace, replay, write_trace


@pytest.fixture(scope="module")
def trace() -> Record:
    """An invented search as a trace; not to be changed."""
    return write_trace(searched(epochs_per_layer=0, epochs_per_width_step=0, base_epochs=1))


def test_the_recorded_searches_match_to_the_last_network(recorded: list[Path]) -> None:
    assert len(recorded) == 5
    for path in recorded:
        record = json.loads(path.read_text())
        seen = replay(read_trace(path))

        final = {key: record["final"][key] for key in ("depth", "width", "ops", "kernels")}
        assert seen.first_difference is None, path.name
        assert seen.match
        assert seen.final == {**final, "params": record["final"]["params"]}
        assert seen.candidates == len(record["candidates"])
        assert seen.epochs == sum(each["epochs"] for each in record["candidates"])


def test_an_altered_record_of_a_recorded_search_differs(
    recorded: list[Path], tmp_path: Path
) -> None:
    for path in recorded:
        record = json.loads(path.read_text())
        perfect = [record["n_valid"]]

        seen = replayed(changed(record, ("candidates", 1, "valid_correct"), perfect), tmp_path)

        assert not seen.match, path.name
        assert seen.first_difference is not None
        assert seen.first_difference["index"] == 2, "the depth phase ends at the target"


def test_the_command_prints_one_object_with_these_fields(egnas: Shell, trace: Record) -> None:
    egnas.write("own.json", json.dumps(trace))

    ran = egnas("replay", "own.json", "--json")

    assert (ran.err, ran.out.count("\n")) == ("", 1)
    assert ran.record == {
        "match": True,
        "candidates": len(trace["candidates"]),
        "epochs": sum(each["epochs"] for each in trace["candidates"]),
        "final": {k: trace["final"][k] for k in ("depth", "width", "ops", "kernels", "params")},
        "first_difference": None,
    }
    assert "are the recorded ones" in egnas("replay", "own.json").out
    assert set(egnas.files()) == {"own.json"}, "all was in memory"


DIFFERENCES: dict[str, tuple[tuple[str | int, ...], object]] = {
    "width": (("candidates", 3, "width"), 7),
    "depth alone": (("candidates", 3, "depth"), 99),
    "parameters": (("candidates", 3, "params"), 1),
    "epochs": (("candidates", 3, "epochs"), 77),
    "phase": (("candidates", 3, "phase"), "width"),
    "an operation": (("candidates", 3, "ops", 0), "conv"),
    "a kernel": (("candidates", 3, "kernels", 0), 5),
}


@pytest.mark.parametrize("what", DIFFERENCES)
def test_an_altered_candidate_is_the_first_difference(
    trace: Record, egnas: Shell, what: str
) -> None:
    place, value = DIFFERENCES[what]
    egnas.write("own.json", json.dumps(changed(trace, place, value)))

    seen = egnas("replay", "own.json", "--json").record

    named = ("phase", "depth", "width", "ops", "kernels", "epochs", "params")
    proposed = {key: trace["candidates"][3][key] for key in named}
    expected = changed({"candidates": [{}, {}, {}, proposed]}, place, value)["candidates"][3]
    assert seen["match"] is False
    assert seen["candidates"] == 3
    assert seen["final"] is None
    assert seen["first_difference"] == {"index": 3, "expected": expected, "proposed": proposed}
    ran = egnas("replay", "own.json")
    assert ran.code == 0
    assert "First difference at candidate 3 (from 0)" in ran.out


def test_an_altered_count_changes_what_is_asked_for_later(trace: Record, tmp_path: Path) -> None:
    seen = replayed(changed(trace, ("candidates", 2, "valid_correct"), [N_VALID]), tmp_path)

    assert not seen.match
    assert seen.candidates == 3
    assert seen.first_difference is not None
    assert seen.first_difference["index"] == 3
    assert seen.first_difference["proposed"]["phase"] == "width", "the target is reached"


def test_a_record_that_is_too_short_or_too_long_differs_at_its_end(
    trace: Record, tmp_path: Path
) -> None:
    count = len(trace["candidates"])
    short = {**trace, "candidates": trace["candidates"][:-1]}
    long = {**trace, "candidates": [*trace["candidates"], trace["candidates"][0]]}

    for record, index, missing in ((short, count - 1, "expected"), (long, count, "proposed")):
        seen = replayed(record, tmp_path)
        assert not seen.match
        assert seen.first_difference is not None
        assert seen.first_difference["index"] == index
        assert seen.first_difference[missing] is None


@pytest.mark.parametrize("field", ["depth", "width", "params"])
def test_another_result_differs_after_the_last_candidate(
    trace: Record, tmp_path: Path, field: str
) -> None:
    seen = replayed(changed(trace, ("final", field), 3), tmp_path)

    assert not seen.match
    assert seen.final is not None
    assert seen.first_difference is not None
    assert seen.first_difference["index"] == len(trace["candidates"])
    assert seen.first_difference["expected"][field] == 3
    assert seen.first_difference["proposed"] == seen.final


# Kept in a storage


def test_a_storage_keeps_the_replay_and_a_second_one_finds_it(egnas: Shell, trace: Record) -> None:
    egnas.write("own.json", json.dumps(trace))
    command = ("replay", "own.json", "--storage", "sqlite:///r.db", "--json")
    first = egnas(*command).record
    studies = load_linked_studies(storage=f"sqlite:///{egnas.folder}/r.db", name="replay-own")
    count = len(studies.macro.trials) + len(studies.micro.trials)

    again = egnas(*command).record

    assert first == again
    assert first["match"]
    assert count == len(trace["candidates"])
    assert len(studies.macro.trials) + len(studies.micro.trials) == count
    shown = egnas("show", "replay-own", "--storage", "sqlite:///r.db", "--json").record
    assert shown["architecture"]["depth"] == first["final"]["depth"]


def test_an_interrupted_replay_goes_on(
    trace: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, left = InMemoryStorage(), iter(range(5))
    finish = replaying._finish_trial

    def interrupted(*arguments: Any) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        finish(*arguments)

    monkeypatch.setattr(replaying, "_finish_trial", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replayed(trace, tmp_path, storage=storage)
    monkeypatch.setattr(replaying, "_finish_trial", finish)
    open_trial = optuna.load_study(study_name="replay-bars/macro", storage=storage).trials[-1]
    assert open_trial.state is TrialState.RUNNING
    storage.set_trial_state_values(open_trial._trial_id, state=TrialState.FAIL)

    assert replayed(trace, tmp_path, storage=storage).match


def test_another_record_under_the_same_name_is_refused(trace: Record, tmp_path: Path) -> None:
    storage = InMemoryStorage()
    assert replayed(trace, tmp_path, storage=storage).match
    other = changed(trace, ("candidates", 1, "valid_correct"), [0])

    with pytest.raises(SearchError, match="'replay-bars' exists and is another one: trace is"):
        replayed(other, tmp_path, storage=storage)


def test_a_record_that_differs_does_so_again_and_again(trace: Record, tmp_path: Path) -> None:
    storage, record = InMemoryStorage(), changed(trace, ("candidates", 3, "width"), 7)

    seen = [replayed(record, tmp_path, storage=storage) for _ in range(5)]

    assert all(each == seen[0] for each in seen)
    assert not seen[0].match
    walk = load_linked_studies(storage=storage, name="replay-bars").walk("macro")
    assert walk is not None
    assert len(walk.steps) == 3, "a candidate that differs is no lost worker"
