"""The command line: searches from start to end, and interruptions."""

from __future__ import annotations

import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from commands import TINY, Ran, Shell

from optuna_egnas import load_linked_studies
from optuna_egnas.evaluation.data import labelled as _data

KEYS = {
    "method",
    "rivals",
    "name",
    "architecture",
    "params",
    "macs",
    "valid_accuracy",
    "candidates",
    "epochs",
    "seconds",
    "resumed",
    "studies",
}


def walk(folder: Path, name: str = "tiny") -> list[tuple[str, dict[str, Any], float | None]]:
    """Phase, network and score of every step of both studies."""
    studies = load_linked_studies(storage=f"sqlite:///{folder}/egnas.db", name=name)
    walks = [studies.walk("macro"), studies.walk("micro")]
    return [
        (step.proposal.phase, step.proposal.candidate.architecture.to_json(), step.score)
        for walked in walks
        if walked is not None
        for step in walked.steps
    ]


def trials(folder: Path) -> list[tuple[Any, ...]]:
    with sqlite3.connect(folder / "egnas.db") as database:
        found = database.execute("select study_id, number, state from trials").fetchall()
    database.close()
    return found


# A search from start to end


def test_the_result_is_one_json_object_and_progress_goes_to_stderr(
    unbroken: tuple[Path, Ran],
) -> None:
    _, ran = unbroken

    assert ran.record.keys() == KEYS
    assert ran.out.count("\n") == 1
    assert ran.record["architecture"].keys() == {"depth", "width", "ops", "kernels"}
    assert ran.record["name"] == "tiny"
    assert ran.record["studies"] == {"macro": "tiny/macro", "micro": "tiny/micro"}
    assert ran.record["resumed"] == 0
    assert ran.record["seconds"] > 0
    steps = walk(unbroken[0])
    assert ran.record["candidates"] == len([phase for phase, *_ in steps if phase != "confirm"])
    assert ran.record["epochs"] == ran.record["candidates"], "one epoch for each of them"
    assert ran.record["valid_accuracy"] == steps[-1][2]
    assert ran.err.startswith("Space: "), "the forecast comes first"
    first = next(line for line in ran.err.splitlines() if line.startswith("depth"))
    for part in ("depth", "depth 2, width 6", "1 epochs", "%", "baseline", "spent", "left"):
        assert part in first


def test_a_finished_search_does_nothing_when_it_is_run_again(
    searched: Shell, unbroken: tuple[Path, Ran]
) -> None:
    before = trials(searched.folder)

    again = searched("search", "tiny.toml", "--json")

    assert trials(searched.folder) == before
    assert again.err == ""
    assert again.record == {**unbroken[1].record, "resumed": len(before)}


def test_show_prints_the_same_from_the_storage(
    searched: Shell, unbroken: tuple[Path, Ran]
) -> None:
    before = searched.files()
    shown_again = searched("show", "--json").record

    assert shown_again == {**unbroken[1].record, "resumed": len(trials(searched.folder))}
    named = searched("show", "tiny", "--storage", "sqlite:///egnas.db")
    assert "tiny: the network found" in named.out
    for phase, _, score in walk(searched.folder):
        assert phase in named.out
        assert score is None or f"{100 * score:.2f} %" in named.out
    assert "baseline" in named.out
    assert "against" in named.out, "a verdict in words"
    assert searched.files() == before, "looking changes nothing"


def test_the_table_says_what_to_type_next(searched: Shell) -> None:
    ran = searched("search", "tiny.toml", "--name", "tiny")

    lines = ran.out.splitlines()
    commands = [line.strip() for line in lines[lines.index("Next:") + 1 :]]
    assert commands[0] == "egnas show tiny --storage sqlite:///egnas.db"
    assert searched(*commands[0].split()[1:]).code == 0


def test_the_storage_holds_every_choice_as_whole_numbers_and_strings(
    unbroken: tuple[Path, Ran],
) -> None:
    studies = load_linked_studies(storage=f"sqlite:///{unbroken[0]}/egnas.db", name="tiny")
    depth = unbroken[1].record["architecture"]["depth"]
    layers = [f"{kind}_{layer:02d}" for kind in ("op", "kernel") for layer in range(depth)]

    for trial in studies.macro.trials:
        assert set(trial.params) == {"depth", "width", "epochs"}
    for trial in studies.micro.trials:
        assert set(trial.params) == {"depth", "width", "epochs", *layers}
    for trial in [*studies.macro.trials, *studies.micro.trials]:
        assert {type(value) for value in trial.params.values()} <= {int, str}
        assert {"phase", "params", "macs", "train_accuracy", "verdict"} <= set(trial.user_attrs)


def test_a_name_may_hold_what_a_shell_or_a_table_would_read_as_a_sign(searched: Shell) -> None:
    name = "it's [/red] :smile:"
    ran = searched("search", "tiny.toml", "--name", name)

    assert ran.code == 0
    assert f"{name}: the network found" in ran.out
    command = next(line for line in ran.out.splitlines() if "egnas show" in line)
    assert searched(*shlex.split(command)[1:]).code == 0


# Interruptions


def start(folder: Path) -> subprocess.Popen[str]:
    """The real script, up to its first finished candidate."""
    script = Path(sys.executable).with_name("egnas")
    process = subprocess.Popen(
        [script, "search", "tiny.toml", "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    # What is forecast comes first.
    assert any("epochs" in line for line in iter(process.stderr.readline, ""))
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_an_interrupted_and_then_killed_search_makes_the_walk_of_an_unbroken_one(
    egnas: Shell, unbroken: tuple[Path, Ran]
) -> None:
    egnas.write("tiny.toml", TINY)

    interrupted = start(egnas.folder)
    interrupted.send_signal(signal.SIGINT)
    out, err = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130, err
    assert out == ""
    assert err.splitlines()[-1] == "Stopped. The same command goes on from here."
    assert "Traceback" not in err

    killed = start(egnas.folder)
    killed.kill()
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    left = len(trials(egnas.folder))
    assert left < len(trials(unbroken[0])), "it was stopped in the middle"

    resumed = egnas("search", "tiny.toml", "--json").record
    assert resumed["resumed"] == left
    assert walk(egnas.folder) == walk(unbroken[0])
    ignored = {"resumed", "seconds"}
    assert {key: value for key, value in resumed.items() if key not in ignored} == {
        key: value for key, value in unbroken[1].record.items() if key not in ignored
    }


def test_control_c_before_the_search_has_begun_ends_in_order_too(
    egnas: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("optuna_egnas._search.plan.load_training", interrupted)

    assert egnas("search").code == 130
    assert egnas.files() == {}


def test_a_study_that_is_deleted_under_a_running_search_is_one_line(
    searched: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deleted(*_: object) -> None:
        optuna.delete_study(study_name="tiny/macro", storage="sqlite:///egnas.db")

    monkeypatch.setattr("optuna_egnas._search.plan.load_training", _data.load_training)
    monkeypatch.setattr("optuna_egnas._cli._show_search.Display.following", deleting(deleted))
    ran = searched("search", "tiny.toml")

    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "renamed or deleted meanwhile" in ran.err


def deleting(action: Callable[[], None]) -> Any:
    from contextlib import contextmanager

    @contextmanager
    def following(*_: object) -> Any:
        action()
        yield

    return following
