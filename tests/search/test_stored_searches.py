"""Searches that version 0.1.0 has stored are shown, used and gone on with by this version."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Shell
from folders import STORED, needs
from PIL import Image
from sklearn.datasets import load_digits

FINISHED = ("--storage", "sqlite:///finished.db")
UNFINISHED = ("--storage", "sqlite:///unfinished.db")
STEPS = 31
"""Steps that are decided in the search that was cut off."""

pytestmark = needs(STORED)


@pytest.fixture
def old(egnas: Shell) -> Shell:
    """A shell in a folder with both databases."""
    for path in STORED.iterdir():
        copy = shutil.copytree if path.is_dir() else shutil.copyfile
        copy(path, egnas.folder / path.name)
    for path in (egnas.folder, *egnas.folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return egnas


def trained(file: Path) -> dict[int, Any]:
    """The trials of a database that are complete: study, end, value and parameters of each."""
    with sqlite3.connect(file) as database:
        rows = database.execute(
            "SELECT trial_id, study_id, datetime_complete, value, "
            "(SELECT group_concat(param_name || '=' || param_value) FROM "
            "(SELECT * FROM trial_params ORDER BY param_name) AS sorted "
            "WHERE sorted.trial_id = trials.trial_id) "
            "FROM trials JOIN trial_values USING (trial_id) WHERE state = 'COMPLETE'"
        )
        return {row[0]: row[1:] for row in rows}


def test_a_finished_search_is_shown_and_used(old: Shell) -> None:
    digits = load_digits().images
    Image.fromarray((digits[0] * 15.9).astype(np.uint8)).save(old.folder / "0.png")

    shown = old("show", *FINISHED)
    found = old("show", *FINISHED, "--json").record
    plotted = old("plot", *FINISHED, "--out", "plots")
    exported = old("export", *FINISHED, "--format", "state-dict", "--out", "network.pt")
    predicted = [
        old("predict", "0.png", *FINISHED),
        old("predict", "0.png", "--from", "network.pt"),
    ]

    assert "98.33 +- 0.00 % (2 seeds)" in shown.out
    assert "begun by version 0.1.0" in shown.out
    assert (found["params"], found["candidates"], found["valid_accuracy"]) == (
        33238,
        33,
        283 / 288,
    )
    assert plotted.code == exported.code == 0
    assert (old.folder / "plots" / "walk.html").is_file()
    for ran in predicted:
        assert ran.out.startswith("0.png: 0 99.6 %"), ran
        assert "reads images as version 0.1.0 did" in ran.err


def test_a_finished_search_is_trained_anew(old: Shell) -> None:
    old.refuses("train", *FINISHED, "--epochs", "1", saying=("epochs was 4, but got 1",))

    ran = old("train", *FINISHED, "--epochs", "1", "--again", "--json")

    assert ran.record["epochs"] == 1
    assert "read and divided as that version did it" in ran.err


def test_an_unfinished_search_goes_on_and_trains_nothing_again(old: Shell) -> None:
    file = old.folder / "unfinished.db"
    before = trained(file)

    ran = old("search", "digits", "--seed", "5", *UNFINISHED, "--json")

    after = trained(file)
    assert ran.record["resumed"] == STEPS
    assert after.keys() > before.keys()
    assert {number: after[number] for number in before} == before
    assert len({(study, params) for study, *_, params in after.values()}) == len(after)
    assert "read and divided as that version did it" in ran.err
