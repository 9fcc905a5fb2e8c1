"""What pruners would have saved of a recorded search: its walk goes on, whatever they say."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import optuna
import pytest
from commands import Shell
from folders import TRACES, needs

from optuna_egnas._methods.egnas.replay.pruned import PRUNERS, compared, stops_of
from optuna_egnas.errors import InvalidSpace
from optuna_egnas.pruners import BudgetPruner
from optuna_egnas.replay import Trace, pruned_replay, read_trace

FILES = sorted(TRACES.glob("*.json"))
pytestmark = needs(TRACES)


@pytest.fixture(scope="module")
def trace() -> Trace:
    return read_trace(FILES[-1])


@pytest.mark.parametrize("pruner", PRUNERS)
def test_the_walk_is_the_recorded_one_whatever_the_pruner_says(trace: Trace, pruner: str) -> None:
    shown = pruned_replay(trace, pruner=pruner).to_json()

    assert shown["match"]
    epochs = {index: recorded.epochs for index, recorded in compared(trace)}
    assert all(1 <= trained <= epochs[index] for index, trained in shown["stops"])
    saved = sum(epochs[index] - trained for index, trained in shown["stops"])
    assert shown["epochs_saved"] == saved
    assert shown["epochs_compared"] == sum(epochs.values())
    assert shown["epochs_saved_share"] == pytest.approx(saved / sum(epochs.values()), abs=1e-6)
    assert (saved == 0) == (pruner == "none")


def test_the_accepted_are_those_of_the_record_with_its_first(trace: Trace) -> None:
    shown = pruned_replay(trace, pruner="none")
    best, bars = 0, {"depth": trace.n_valid // 1000, "width": 0}
    expected = set()
    for index, recorded in compared(trace):
        score = max(recorded.valid_correct)
        if not expected or score >= best + bars[recorded.phase]:
            expected.add(index)
            best = score
    assert shown.accepted == expected
    assert shown.accepted_stopped == 0


def test_ours_stops_few_of_the_accepted_and_saves_some_epochs() -> None:
    shown = [pruned_replay(read_trace(file), pruner="budget") for file in FILES]
    stopped = sum(each.accepted_stopped for each in shown)
    assert stopped / sum(len(each.accepted) for each in shown) <= 3 / 130
    saved = sum(each.epochs_saved for each in shown)
    assert saved / sum(each.epochs for each in shown) >= 0.04


def test_a_stopped_candidates_later_epochs_stay_hidden(tmp_path: Path) -> None:
    """Another end of those curves, below the recorded best, changes no decision."""
    record = json.loads(FILES[-1].read_text())
    stops, _ = stops_of(read_trace(FILES[-1]), BudgetPruner(risk=0.05))
    assert stops
    other = copy.deepcopy(record)
    for index, trained in stops.items():
        curve: list[int] = other["candidates"][index]["valid_correct"]
        best = max(curve)
        curve[trained:] = [best if each == best else 1 for each in curve[trained:]]
    (tmp_path / "other.json").write_text(json.dumps(other))

    again, _ = stops_of(read_trace(tmp_path / "other.json"), BudgetPruner(risk=0.05))

    assert again == stops


def test_nothing_later_is_looked_at(tmp_path: Path) -> None:
    """Cut the record after a stop: what was decided before stays."""
    record: dict[str, Any] = json.loads(FILES[-1].read_text())
    stops, _ = stops_of(read_trace(FILES[-1]), BudgetPruner())
    first = min(stops)
    del record["candidates"][first + 1 :]
    (tmp_path / "cut.json").write_text(json.dumps(record))

    again, _ = stops_of(read_trace(tmp_path / "cut.json"), BudgetPruner())

    assert again == {first: stops[first]}


def test_optunas_pruners_have_a_study_for_each_phase(trace: Trace) -> None:
    """The median pruner begins with five trials that it never stops, in either phase."""
    stops, _ = stops_of(trace, optuna.pruners.MedianPruner())
    for phase in ("depth", "width"):
        indices = [index for index, recorded in compared(trace) if recorded.phase == phase]
        assert not stops.keys() & set(indices[:5])
        assert stops.keys() & set(indices[5:])


def test_an_unknown_pruner_is_refused(trace: Trace) -> None:
    with pytest.raises(InvalidSpace, match="`pruner` must be one of none, budget, median"):
        pruned_replay(trace, pruner="best")


def test_the_command_prints_it(egnas: Shell) -> None:
    ran = egnas("replay", str(FILES[-1]), "--pruner", "budget", "--json")
    assert {"match", "epochs_saved", "accepted", "accepted_stopped", "stops"} <= ran.record.keys()
    assert "saves" in egnas("replay", str(FILES[-1]), "--pruner", "patient").out
    wrong = egnas("replay", str(FILES[-1]), "--pruner", "best")
    assert (wrong.code, len(wrong.err.splitlines())) == (2, 1)
    both = egnas("replay", str(FILES[-1]), "--pruner", "none", "--workers", "2")
    assert both.code == 2
    assert "together" in both.err
