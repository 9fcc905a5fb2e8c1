"""`egnas --help`, `egnas doctor`, and what a shell completes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from commands import Shell

from optuna_egnas import load_linked_studies
from optuna_egnas._cli._help import GROUPS
from optuna_egnas._storage.claims import CLAIM


def checks(ran: dict[str, Any], area: str) -> list[tuple[str, str]]:
    return [(each["state"], each["said"]) for each in ran["checks"] if each["area"] == area]


def test_the_help_tells_all_on_one_screen(egnas: Shell) -> None:
    ran = egnas("--help")

    lines = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert len(lines) <= 23, "and a prompt, on 24 lines"
    assert max(map(len, lines)) <= 80
    assert "Type first: egnas search digits" in ran.out
    for group, commands in GROUPS.items():
        assert group in lines
        for command in commands:
            assert sum(line.startswith(f"  {command} ") for line in lines) == 1
            assert egnas(command, "--help").code == 0


def test_without_arguments_the_help_is_shown(egnas: Shell) -> None:
    ran = egnas()

    assert ran.code == 2
    assert "Type first" in ran.out + ran.err


def test_a_doctor_finds_nothing_wrong_before_the_first_search_and_changes_nothing(
    egnas: Shell,
) -> None:
    record = egnas("doctor", "--json").record

    assert record["well"] is True
    assert {each["area"] for each in record["checks"]} == {
        "installation",
        "device",
        "storage",
        "artifacts",
        "data",
    }
    assert checks(record, "storage") == [
        ("ok", "sqlite:///egnas.db does not exist yet: the first search makes it")
    ]
    assert egnas.files() == {}


def test_a_doctor_sees_searches_and_what_dead_workers_have_left(searched: Shell) -> None:
    studies = load_linked_studies(storage=f"sqlite:///{searched.folder}/egnas.db", name="tiny")
    trial = studies.macro.ask()
    state, said = checks(searched("doctor", "--json").record, "storage")[1]
    assert (state, said.split(",")[0]) == ("ok", "search tiny: finished"), "its worker lives"
    frozen = optuna.load_study(
        study_name="tiny/macro", storage=f"sqlite:///{searched.folder}/egnas.db"
    ).trials[trial.number]
    dead = {**frozen.system_attrs[CLAIM], "pid": 2**22 + 1}
    studies.macro._storage.set_trial_system_attr(trial._trial_id, CLAIM, dead)

    ran = searched("doctor", "--json").record

    state, said = checks(ran, "storage")[1]
    assert (state, said.split(", ")[-1]) == ("warn", "1 left by dead workers")
    assert ran["well"] is True, "a search repairs that by itself"


def test_a_torchvision_that_does_not_fit_is_broken(
    egnas: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("torchvision.ops.nms", missing)

    ran = egnas("doctor")

    assert ran.code == 1
    assert "torchvision does not fit torch: operator torchvision::nms" in ran.out
    assert "-> pip install --upgrade torch torchvision" in ran.out


def test_damaged_data_are_broken_and_absent_data_are_not(egnas: Shell) -> None:
    for part in ("images-idx3", "labels-idx1"):
        egnas.write(f"data/KMNIST/raw/train-{part}-ubyte", b"nonsense")

    ran = egnas("doctor", "--json", "--data-root", "data")

    assert ran.code == 1
    assert '"well": false' in ran.out
    assert "kmnist: an idx file of this kind must begin with" in ran.out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("egnas.db", "no database", "file is not a database"), ("other.db", "", "holds no studies")],
)
def test_a_storage_that_is_none_is_broken(
    name: str, content: str, said: str, egnas: Shell
) -> None:
    egnas.write(name, content)

    ran = egnas("doctor", "--storage", f"sqlite:///{name}")

    assert ran.code == 1
    assert said in " ".join(ran.out.split())


def test_bad_input_is_refused(egnas: Shell) -> None:
    egnas.refuses("doctor", "--storage", "nothing", saying=("A storage must be a URL",))
    egnas.refuses("doctor", "--strict", saying=("--strict",))


def completed(folder: Path, words: str) -> list[str]:
    """What bash is offered after these words."""
    environment = {
        **os.environ,
        "_EGNAS_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    script = Path(sys.executable).with_name("egnas")
    ran = subprocess.run(
        [script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return ran.stdout.split()


def test_a_shell_completes_commands_and_the_names_of_searches(searched: Shell) -> None:
    assert completed(searched.folder, "egnas de") == ["delete"]
    assert completed(searched.folder, "egnas show t") == ["tiny"]
    assert completed(searched.folder, "egnas delete --storage sqlite:///no.db t") == []
    shown = subprocess.run(
        [Path(sys.executable).with_name("egnas"), "--show-completion", "bash"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "_EGNAS_COMPLETE=complete_bash" in shown.stdout
