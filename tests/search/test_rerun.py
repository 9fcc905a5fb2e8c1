"""A stored trial is trained again, and agrees with what was stored of it or does not."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from folders import in_memory
from searching import MACRO_OF_ONE, searched, url

from optuna_egnas import _cli, load_linked_studies

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
    # Google's client warns when it is imported without all of grpc (see pyproject.toml).
    warnings = ["-W", "error", "-W", "ignore::ImportWarning"]
    command = [sys.executable, *warnings, "-c", code, *arguments]
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
            # After the forecast, the first training.
            said = next((line for line in process.stderr if " epochs " in line), "")
            assert said.startswith("depth"), process.stderr.read()
            process.send_signal(number)
            _, said = process.communicate(timeout=60)
            assert process.returncode == code, said
            assert said.endswith("Stopped. The same command goes on from here.\n")
        command, streams = egnas("search", "study.toml", "--json")
        ended = subprocess.run(command, cwd=folder, timeout=100, **streams)
        assert ended.returncode == 0, ended.stderr
        assert load_linked_studies(storage=url(folder), name="digits").result().finished
        assert [file.suffix for file in (folder / "egnas-artifacts").iterdir()] == [".owners"]
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

            record = json.loads(said)
            assert (code, record["agrees"], record["threads"]) == (0, True, 1), said
            assert record["epochs"] == len(studies.study(role).trials[-1].intermediate_values)

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
        assert "given as tensors, and it stores the place of named data only" in said
