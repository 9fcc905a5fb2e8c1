"""A search that is killed, stopped, starved or cheated ends as the unbroken one does."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import optuna
import pytest
import torch
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from searching import NAME, At, bars, elsewhere, options, searched, story, url
from torch import nn
from walking import macro, micro

from optuna_egnas import _alive, _cli, create_linked_studies, load_linked_studies
from optuna_egnas._claims import OWNER, SIGN, fail_dead, fail_trial, is_alive, write_claim
from optuna_egnas._core.history import History, Lost, Observation
from optuna_egnas._link import read_places
from optuna_egnas._search import prepare, run
from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation import _network
from optuna_egnas.evaluation._account import Progress
from optuna_egnas.samplers._walk import WalkSampler


@contextmanager
def in_memory() -> Iterator[Path]:
    """A folder in memory where there is one: SQLite waits for a disk at each commit."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


@pytest.fixture(scope="module")
def unbroken() -> list[dict[str, Any]]:
    with in_memory() as folder:
        return story(searched(folder))


def left_over(folder: Path) -> list[str]:
    place = folder / "artifacts"
    return [file.name for file in place.iterdir()] if place.exists() else []


def check_ended_well(folder: Path, unbroken: list[dict[str, Any]]) -> None:
    studies = load_linked_studies(storage=url(folder), name=NAME)
    assert story(studies) == unbroken
    assert studies.result().finished
    assert left_over(folder) == [], "old checkpoints are gone"
    states = {trial.state for trial in [*studies.macro.trials, *studies.micro.trials]}
    assert TrialState.RUNNING not in states


def test_killed_again_and_again(folder: Path, unbroken: list[dict[str, Any]]) -> None:
    kill = signal.SIGKILL
    assert elsewhere(folder, At(2, 3, kill)) == -kill
    assert len(left_over(folder)) == 2
    assert elsewhere(folder, At(0, 1, kill)) == -kill, "at the first sign of the same candidate"
    assert elsewhere(folder, At(3, 2, kill)) == -kill

    studies = searched(folder)

    check_ended_well(folder, unbroken)
    trials = studies.macro.trials
    killed, again, after = trials[2:5]
    assert (killed.state, again.state) == (TrialState.FAIL, TrialState.FAIL)
    assert killed.params == again.params == after.params
    resumed = [trial.user_attrs.get("resumed_from") for trial in (killed, again, after)]
    assert resumed == [None, 2, 2], "it went on from its checkpoint"
    done = sum(trial.state is TrialState.COMPLETE for trial in [*trials, *studies.micro.trials])
    assert done == len(unbroken), "nothing was trained to its end twice"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_in_order(
    number: int, code: int, folder: Path, unbroken: list[dict[str, Any]]
) -> None:
    assert elsewhere(folder, At(1, 2, number)) == code

    stopped = load_linked_studies(storage=url(folder), name=NAME).macro.trials[-1]
    assert stopped.state is TrialState.FAIL
    assert stopped.user_attrs["dropped"] == "stopped by its user"
    assert len(left_over(folder)) == 2
    studies = searched(folder)

    check_ended_well(folder, unbroken)
    assert studies.macro.trials[stopped.number + 1].user_attrs["resumed_from"] == 2, (
        "no epoch lost"
    )


def test_interrupted_while_a_trial_is_made(
    folder: Path, unbroken: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(WalkSampler, "_claim", interrupted)
        with pytest.raises(KeyboardInterrupt):
            searched(folder)

    (trial,) = load_linked_studies(storage=url(folder), name=NAME).macro.trials
    assert trial.state is TrialState.FAIL, "in a live process nobody else would end it"
    searched(folder)
    check_ended_well(folder, unbroken)


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_trial_that_others_end_is_dropped(
    epoch: int, folder: Path, unbroken: list[dict[str, Any]]
) -> None:
    ended: list[int] = []

    def watch(event: Progress) -> None:
        if event.epoch == epoch and event.verdict is None and not ended:
            study = load_linked_studies(storage=url(folder), name=NAME).macro
            ended.append(study.trials[-1].number)
            fail_trial(study, study.trials[-1])

    studies = searched(folder, watch=watch)

    assert studies.macro.trials[ended[0]].state is TrialState.FAIL
    check_ended_well(folder, unbroken)


class Spoilt(nn.Module):
    """A convolution that fails in its own way where it has so many channels."""

    kind = "nan"
    channels = 8
    """Those of the first layer at width 4, which doubles them."""
    calls = 0

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.spoilt = outputs == Spoilt.channels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.inner(images)
        if not (self.spoilt and self.training):
            return features
        Spoilt.calls += 1
        if Spoilt.kind == "nan":
            return features * float("nan")
        raise RuntimeError(Spoilt.kind)


@pytest.mark.parametrize(
    ("kind", "trials", "reason", "calls"),
    [
        ("nan", 1, "NonFiniteLoss: The loss must stay finite, but got nan in epoch 1.", None),
        ("a broken kernel", 2, "RuntimeError: a broken kernel", 2),
        ("CUDA out of memory.\nTry less", 2, "RuntimeError: CUDA out of memory. Try less", 6),
    ],
    ids=["nan", "exception", "memory"],
)
def test_a_candidate_that_fails_is_refused_with_its_reason(
    kind: str,
    trials: int,
    reason: str,
    calls: int | None,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_network, "separable", Spoilt)
    monkeypatch.setattr(Spoilt, "kind", kind)
    monkeypatch.setattr(Spoilt, "calls", 0)
    changes = {"macro": {**MACRO_OF_ONE, "min_width": 4}, "micro": {"epochs": 1}}

    studies = searched(folder, **changes)

    failed = [trial for trial in studies.macro.trials if trial.state is TrialState.FAIL]
    assert [trial.user_attrs["error"] for trial in failed] == [reason] * trials
    assert len({json.dumps(trial.params) for trial in failed}) == 1
    walk = studies.walk("macro")
    assert walk is not None and walk.steps[-1].verdict.value == "refused"
    assert studies.result().finished
    assert left_over(folder) == []
    assert calls is None or Spoilt.calls == calls, "16, 8 and 4 images at each attempt"


MACRO_OF_ONE = {"min_depth": 2, "max_depth": 2, "min_width": 6, "max_width": 6, "base_epochs": 2}


class TestSignsOfLife:
    """A trial of another machine, whose process cannot be seen from here."""

    def claimed(self, **changes: Any) -> tuple[optuna.Study, optuna.trial.FrozenTrial]:
        studies = create_linked_studies(
            storage=InMemoryStorage(), name="s", macro=macro(), micro=micro()
        )
        study = studies.macro
        assert isinstance(study.sampler, WalkSampler)
        study.sampler.patience = 900.0
        trial = study.ask()
        owner = {**_alive.owner(900.0), "machine": "elsewhere", **changes}
        study._storage.set_trial_system_attr(trial._trial_id, OWNER, owner)
        return study, study.trials[0]

    def ago(self, seconds: float) -> str:
        return (datetime.now(timezone.utc) - timedelta(seconds=seconds)).isoformat()

    @pytest.mark.parametrize(
        ("changes", "sign", "alive"),
        [
            ({}, None, True),
            ({"at": 1000.0}, None, False),
            ({"at": 1000.0, "patience": None}, None, True),
            ({"at": 1000.0}, {"at": 10.0, "patience": 900.0}, True),
            ({"at": 9000.0}, {"at": 1000.0, "patience": 900.0}, False),
            ({"at": 9000.0}, {"at": 1000.0, "patience": None}, True),
            ({"at": 9000.0}, {"at": 1000.0, "patience": 4 * 600.0}, True),
        ],
        ids=[
            "just begun",
            "silent since it began",
            "never promised signs",
            "was heard",
            "silent",
            "has a heartbeat instead",
            "has long epochs",
        ],
    )
    def test_silence(
        self, changes: dict[str, Any], sign: dict[str, Any] | None, alive: bool
    ) -> None:
        for record in (changes, sign or {}):
            if "at" in record:
                record["at"] = self.ago(record["at"])
        study, trial = self.claimed(**changes)
        if sign is not None:
            study._storage.set_trial_user_attr(trial._trial_id, SIGN, sign)

        assert is_alive(study.trials[0]) is alive

        fail_dead(study)
        assert (study.trials[0].state is TrialState.RUNNING) is alive
        proposed = study.sampler.frontier(study)  # type: ignore[attr-defined]
        assert (proposed[0].candidate.architecture.depth == 3) is not alive, "proposed again"

    @pytest.mark.parametrize(
        ("changes", "alive"),
        [
            ({}, True),
            ({"pid": 2**22 + 1}, False),
            ({"started": 1.0}, False),
            ({"boot": "before"}, False),
            ({"boot": "before", "space": "pid:[1]"}, True),
            ({"space": "pid:[1]", "pid": 2**22 + 1}, True),
        ],
        ids=[
            "this one",
            "no such process",
            "its number was used again",
            "the machine was started again",
            "another container, which may live on another machine",
            "another container",
        ],
    )
    def test_on_this_machine(
        self, changes: dict[str, Any], alive: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here = {**_alive._process(1), **_alive.owner(None), "space": _alive.FIRST_SPACE}
        monkeypatch.setattr(_alive, "_process", lambda pid: here)

        assert _alive.is_alive({**here, **changes}, None) is alive

    def test_a_trial_that_said_nothing_is_ended_after_a_while(self) -> None:
        study, _ = self.claimed()
        study._storage.create_new_trial(study._study_id)
        silent = optuna.trial.create_trial(state=TrialState.RUNNING)
        silent.datetime_start = datetime.now() - timedelta(minutes=2)
        study._storage.create_new_trial(study._study_id, template_trial=silent)

        fail_dead(study)

        assert [trial.state.name for trial in study.trials] == ["RUNNING", "RUNNING", "FAIL"]

    def test_they_are_written_while_a_search_trains(self, folder: Path) -> None:
        setup = prepare(bars(), storage=InMemoryStorage(), name=NAME, options=options(folder))
        run(setup)

        signs = [trial.user_attrs["sign_of_life"] for trial in setup.studies.macro.trials]
        assert {sign["patience"] for sign in signs} == {900.0}

    def test_a_database_has_heartbeats_instead(self, folder: Path) -> None:
        studies = searched(folder, macro=MACRO_OF_ONE, micro={"epochs": 1})

        assert studies.macro.trials[0].user_attrs["sign_of_life"]["patience"] is None
        with sqlite3.connect(folder / "egnas.db") as database:
            (beats,) = database.execute("select count(*) from trial_heartbeats").fetchone()
        database.close()
        assert beats == len([*studies.macro.trials, *studies.micro.trials])


@pytest.mark.parametrize(
    ("by", "kept"), [("premise", True), ("limit", True), (None, False)], ids=str
)
def test_a_stop_that_is_no_verdict_keeps_its_checkpoint(
    by: str | None, kept: bool, folder: Path
) -> None:
    class Stopper(optuna.pruners.NopPruner):
        def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
            if by is not None:
                study._storage.set_trial_user_attr(trial._trial_id, "stopped_by", by)
            return trial.last_step == 2

    setup = prepare(bars(), storage=url(folder), name=NAME, options=options(folder))
    setup.studies.macro.pruner = Stopper()

    setup.studies.macro.optimize(setup.objective, n_trials=1)

    assert setup.studies.macro.trials[0].state is TrialState.PRUNED
    assert bool(left_over(folder)) is kept
    setup.objective.forget(setup.studies.macro)
    assert left_over(folder) == []


def test_losses_count_only_where_the_worker_got_no_further() -> None:
    space = macro()
    candidate = space.begin().proposal.candidate

    def outcome(*starts: int) -> object:
        return History.of(
            Observation(number=number, candidate=candidate, event=Lost(start=start))
            for number, start in enumerate(starts)
        ).outcome(candidate)

    assert outcome(0, 4, 9, 9, 12) is None, "each time it got ahead"
    assert "lost 4 times" in str(outcome(0, 9, 9, 9))


class TestPlaces:
    def test_a_resumed_search_follows_or_says_that_it_moves(self, folder: Path) -> None:
        def prepared(artifacts: str | None) -> Any:
            chosen = options(folder, artifacts=artifacts)
            return prepare(bars(), storage=url(folder), name=NAME, options=chosen)

        first = prepared(str(folder / "one"))
        assert read_places(first.studies.micro) == {"artifacts": str(folder / "one")}
        assert first.moved_from is None
        assert prepared(None).moved_from is None
        assert read_places(prepared(None).studies.macro) == {"artifacts": str(folder / "one")}

        moved = prepared(str(folder / "two"))

        assert moved.moved_from == str(folder / "one")
        assert read_places(moved.studies.macro) == {"artifacts": str(folder / "two")}

    def test_another_way_of_training_is_another_search(self, folder: Path) -> None:
        searched(folder, macro=MACRO_OF_ONE, micro={"epochs": 1})

        with pytest.raises(SearchError, match="deterministic is False there, but got True"):
            searched(folder, macro=MACRO_OF_ONE, micro={"epochs": 1}, deterministic=True)


STUDY = """
dataset = "digits"
subset = 60
deterministic = true
checkpoint_seconds = 0
[macro]
min_depth = 2
max_depth = 3
min_width = 4
max_width = 6
base_epochs = 8
[micro]
epochs = 4
"""


def egnas(*arguments: str) -> tuple[list[str], dict[str, Any]]:
    code = "from optuna_egnas._cli import main; main()"
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    return command, {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


@pytest.fixture(scope="module")
def stored() -> Iterator[Path]:
    """A search on the command line that was stopped by both signals, then ended."""
    with in_memory() as folder:
        (folder / "study.toml").write_text(STUDY)
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            command, streams = egnas("search", "study.toml")
            process = subprocess.Popen(command, cwd=folder, **streams)
            assert process.stderr is not None
            line = process.stderr.readline()
            assert "epochs" in line, line
            process.send_signal(number)
            _, said = process.communicate(timeout=60)
            assert process.returncode == code, said
            assert said.endswith("Stopped. The same command goes on from here.\n")
        command, streams = egnas("search", "study.toml", "--json")
        ended = subprocess.run(command, cwd=folder, timeout=100, **streams)
        assert ended.returncode == 0, ended.stderr
        assert load_linked_studies(storage=url(folder), name="digits").result().finished
        assert [*(folder / "egnas-artifacts").iterdir()] == []
        yield folder


class TestCommandLine:
    def show(
        self, folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str
    ) -> tuple[object, str]:
        storage = url(folder)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(sys, "argv", ["egnas", "show", "--storage", storage, *arguments])
            with pytest.raises(SystemExit) as ended:
                _cli.main()
        said = capsys.readouterr()
        return ended.value.code, said.out + said.err

    def test_a_rerun_agrees(self, stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
        studies = load_linked_studies(storage=url(stored), name="digits")
        for role in ("macro", "micro"):
            last = studies.study(role).trials[-1].number

            code, said = self.show(
                stored, capsys, "--trial", f"{role}/{last}", "--rerun", "--json"
            )

            told = json.loads(said)
            assert (code, told["agrees"], told["threads"]) == (0, True, 1), said
            assert told["epochs"] == len(studies.study(role).trials[-1].intermediate_values)

    def test_a_rerun_finds_what_was_changed(
        self, stored: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        change = "set intermediate_value = intermediate_value + {} where step = 2 and trial_id = 1"
        before = self.show(stored, capsys, "--trial", "macro/0", "--rerun")
        database = sqlite3.connect(stored / "egnas.db")
        with database:
            database.execute(f"update trial_intermediate_values {change.format(1e-9)}")
        database.close()

        code, said = self.show(stored, capsys, "--trial", "macro/0", "--rerun")

        assert before[0] == 0 and "agrees in every epoch, bit for bit" in before[1]
        assert code == 1
        assert "First difference: valid_accuracy of epoch 2 is" in " ".join(said.split())

    @pytest.mark.parametrize(
        ("trial", "words"),
        [
            ("macro/999", "must be less than"),
            ("mini/1", "must be named macro/N or micro/N, but got 'mini/1'"),
        ],
    )
    def test_refusals(
        self, trial: str, words: str, stored: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, said = self.show(stored, capsys, "--trial", trial, "--rerun")

        assert code == 2
        assert words in said

    def test_tensors_are_not_stored(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        searched(folder, macro=MACRO_OF_ONE, micro={"epochs": 1})

        code, said = self.show(folder, capsys, "--trial", "macro/0", "--rerun")

        assert code == 2
        assert "given as tensors, and only named data are stored" in said


def test_a_claim_says_whose_it_is_where_no_owner_was_written() -> None:
    study = create_linked_studies(
        storage=InMemoryStorage(), name="s", macro=macro(), micro=micro()
    ).macro
    study.ask()
    trial = study.trials[0]

    assert OWNER not in trial.system_attrs
    assert is_alive(trial)
    write_claim(study, trial, None)
    assert is_alive(study.trials[0])
