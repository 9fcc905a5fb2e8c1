"""A search that ends at a limit keeps what it has, and goes on from there later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from commands import TINY, Shell
from linking import trials_of
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from searching import MACRO, NAME, Progress, bars, options, searched, story, url

from optuna_egnas import LinkedStudies, load_linked_studies, search
from optuna_egnas._core.duration import read_duration
from optuna_egnas._storage import studies as _studies
from optuna_egnas._storage.limits import Spent, epochs_of, limit_reached
from optuna_egnas._storage.link import read_link
from optuna_egnas.errors import SearchError


def bounded(folder: Path, *, workers: int = 1, watch: Any = None, **limits: Any) -> LinkedStudies:
    return search(
        bars(),
        storage=url(folder),
        name=NAME,
        options=options(folder, **limits),
        workers=workers,
        watch=watch,
    )


def total(studies: LinkedStudies) -> int:
    return sum(epochs_of(trial) for trial in trials_of(studies))


@pytest.mark.parametrize("most", [1, 4, 10, 17])
def test_no_more_epochs_are_trained_than_asked_and_the_walk_goes_on(
    most: int, tmp_path: Path
) -> None:
    (tmp_path / "whole").mkdir()
    whole = searched(tmp_path / "whole")

    studies = bounded(tmp_path, max_total_epochs=most)

    assert total(studies) == most, "each run stops at the end of that very epoch"
    assert not studies.result().finished
    assert (studies.result().architecture is None) == (most < 3), "the first takes three epochs"
    assert limit_reached(studies.macro) == f"the limit of {most} epochs in all is reached"

    studies = bounded(tmp_path)

    assert limit_reached(studies.macro) is None
    assert story(studies) == story(whole)
    assert total(studies) == total(whole), "no epoch is trained twice"


def test_a_trial_that_a_limit_stopped_says_so_and_is_no_outcome(tmp_path: Path) -> None:
    studies = bounded(tmp_path, max_total_epochs=4)

    stopped = studies.macro.trials[-1]
    assert stopped.state is TrialState.PRUNED
    assert stopped.user_attrs["stopped_by"] == "limit"
    assert stopped.user_attrs["stopped"] == "the limit of 4 epochs in all is reached"
    walk = studies.walk("macro")
    assert walk is not None and len(walk.steps) == 1


def test_a_limit_that_is_reached_already_trains_nothing(tmp_path: Path) -> None:
    bounded(tmp_path, max_total_epochs=4)
    before = len(trials_of(bounded(tmp_path, max_total_epochs=4)))

    studies = bounded(tmp_path, max_total_epochs=2)

    assert len(trials_of(studies)) == before


def test_time_ends_a_search_at_the_end_of_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("optuna_egnas._storage.limits.time.time", lambda: clock[0])

    def pass_time(event: Progress) -> None:
        clock[0] += 1.0 if event.epoch and event.verdict is None else 0.0

    studies = bounded(tmp_path, time_limit=5.0, watch=pass_time)

    assert total(studies) == 5
    assert limit_reached(studies.macro) == "the time limit is reached"


def test_the_limit_holds_over_all_workers(tmp_path: Path) -> None:
    studies = bounded(tmp_path, workers=2, max_total_epochs=8)

    assert 8 <= total(studies) <= 9, "the other one ends its epoch"
    states = {trial.state for trial in trials_of(studies)}
    assert TrialState.RUNNING not in states
    assert not load_linked_studies(storage=url(tmp_path), name=NAME).result().finished


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90.0), ("90s", 90.0), ("30m", 1800.0), ("1h30m", 5400.0), ("1.5d", 129600.0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "2x", "h", "-1", "1h 30m", "1e3", "m5"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(SearchError, match="must be like 90s, 30m, 2h or 1h30m"):
        read_duration(text)


def test_the_command_line_says_why_it_ended_and_goes_on(tmp_path: Path) -> None:
    egnas = Shell(tmp_path)
    egnas.write("tiny.toml", TINY)

    ran = egnas("search", "tiny.toml", "--max-total-epochs", "1", "--json")
    shown = egnas("show", "--json").record

    assert ran.err.endswith(
        "Ended early: the limit of 1 epochs in all is reached. "
        "The same command goes on from here.\n"
    )
    assert ran.record["candidates"] == shown["candidates"] == 1
    assert "Ended early" not in egnas("search", "tiny.toml", "--time-limit", "1h").err


def test_a_limit_that_is_none_is_refused(tmp_path: Path) -> None:
    egnas = Shell(tmp_path)

    egnas.refuses("search", "--time-limit", "soon", saying=("30m", "'soon'"))
    egnas.refuses("search", "--max-total-epochs", "0", saying=("`max_total_epochs`", "at least 1"))


class Counting(InMemoryStorage):
    """Counts how often all studies, or all trials of one, are read."""

    def __init__(self) -> None:
        super().__init__()
        self.studies = self.trials = 0

    def get_all_studies(self) -> Any:
        self.studies += 1
        return super().get_all_studies()

    def get_all_trials(self, *arguments: Any, **named: Any) -> Any:
        self.trials += 1
        return super().get_all_trials(*arguments, **named)


def reads(folder: Path, epochs: int, **limits: Any) -> tuple[int, int, int]:
    """Trials of a whole search; how often it reads all studies, and all trials of one."""
    storage = Counting()
    spaces = {"macro": {**MACRO, "base_epochs": epochs}, "micro": {"epochs": epochs}}
    studies = search(
        bars(), storage=storage, name=NAME, options=options(folder, **spaces, **limits)
    )
    assert studies.result().finished
    counted = storage.studies, storage.trials
    return len(trials_of(studies)), *counted


def test_with_a_limit_no_epoch_reads_all_trials_or_all_studies(tmp_path: Path) -> None:
    for epochs in (2, 6):
        trials, *free = reads(tmp_path, epochs)
        same, *limited = reads(tmp_path, epochs, max_total_epochs=10_000)

        studies, all_trials = (after - before for before, after in zip(free, limited, strict=True))
        assert same == trials
        assert 0 < studies <= trials, "once a trial, where it does not look for them anyway"
        assert 0 < all_trials <= 2 * (trials + 2), "of both studies, once a trial and once a walk"


def test_epochs_of_trials_that_come_and_end_between_two_looks_count() -> None:
    study = optuna.create_study()
    spent = Spent(lambda: [study])
    assert spent.epochs() == 0

    running = study.ask()
    running.report(0.5, 3)
    assert spent.epochs() == 3
    ended = study.ask()
    ended.report(0.5, 4)
    study.tell(ended, 0.5)
    assert spent.epochs() == 7
    running.report(0.5, 5)
    assert spent.epochs() == 9
    study.tell(running, 0.5)
    assert spent.epochs() == 9


def test_a_search_reads_its_link_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bounded(tmp_path, max_total_epochs=4).result()
    asked: list[str] = []
    monkeypatch.setattr(_studies, "read_link", lambda found: asked.append("") or read_link(found))

    again = load_linked_studies(storage=url(tmp_path), name=NAME)
    for _ in range(3):
        assert (again.method.name, again.result()) == ("egnas", whole)

    assert len(asked) == len(again.roles)
