"""The walks that are kept in studies/ still come out of the rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from optuna_egnas._search.study_file import read_study_file
from optuna_egnas.replay import read_trace, replay

STUDIES = Path(__file__).parents[1] / "studies"
WALKS = sorted(STUDIES.glob("*/walk.json"))


def test_there_are_walks_to_replay() -> None:
    assert "digits" in {walk.parent.name for walk in WALKS}


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.parent.name)
def test_a_kept_walk_is_walked_again(walk: Path) -> None:
    shown = replay(read_trace(walk))

    assert shown.first_difference is None
    assert shown.match


@pytest.mark.parametrize("file", sorted(STUDIES.glob("*/study.toml")), ids=lambda f: f.parent.name)
def test_each_study_file_can_be_read_and_has_its_report(file: Path) -> None:
    assert read_study_file(file).dataset
    assert (file.parent / "REPORT.md").exists()
