"""Searches whose candidates inherit weights: stopped, crowded, robbed of files, trained again."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import TINY, Shell
from folders import in_memory
from linking import trials_of
from optuna.trial import FrozenTrial
from searching import (
    NAME,
    At,
    Progress,
    bars,
    elsewhere,
    left_over,
    options,
    prepare,
    searched,
    story,
    url,
)

from optuna_egnas import LinkedStudies, MacroSampler, MacroSpace, load_linked_studies, search
from optuna_egnas._core.inheriting import SHARE
from optuna_egnas.errors import InvalidSpace, SearchError
from optuna_egnas.evaluation import objective as _objective
from optuna_egnas.replay import write_trace

SIZES = {
    "policy": "paper",
    "min_depth": 3,
    "max_depth": 4,
    "min_width": 4,
    "max_width": 6,
    "base_epochs": 4,
}
INHERIT: dict[str, Any] = {
    "macro": {**SIZES, "inherit": 0.5},
    "micro": {"epochs": 2, "kernels": (3,)},
    "deterministic": True,
}


@pytest.fixture(scope="module")
def unbroken() -> list[dict[str, Any]]:
    with in_memory() as folder:
        return story(searched(folder, **INHERIT))


def trained_again(studies: LinkedStudies) -> list[FrozenTrial]:
    """The trials that found no weights of their parent."""
    return [t for t in trials_of(studies) if "parent_trained_again" in t.user_attrs]


def first_of(steps: list[dict[str, Any]], generations: int) -> int:
    """The place of the first candidate with so many ancestors."""
    return next(i for i, step in enumerate(steps) if ancestors(step["candidate"]) == generations)


def ancestors(candidate: dict[str, Any]) -> int:
    parent = candidate["parent"]
    return 0 if parent is None else 1 + ancestors(parent)


class AtBeginning:
    """A watcher that does something once, when the n-th candidate begins."""

    def __init__(self, candidate: int, action: Callable[[], None]) -> None:
        self.left, self.action = candidate, action

    def __call__(self, event: Progress) -> None:
        if event.epoch == 0 and event.verdict is None:
            if self.left == 0:
                self.action()
            self.left -= 1


def test_the_walk_has_a_lineage(unbroken: list[dict[str, Any]]) -> None:
    generations = [ancestors(step["candidate"]) for step in unbroken]

    assert max(generations) >= 2, "else nothing is tested here"
    assert generations[0] == generations[-1] == 0
    assert all(step["value"] is not None for step in unbroken)


def test_a_trial_says_from_whom_it_inherits(folder: Path) -> None:
    studies = searched(folder, **INHERIT)

    said = [trial.user_attrs.get("inherits_from") for trial in studies.macro.trials[:3]]
    assert said == [None, "depth 3, width 6", "depth 3, width 6"]
    assert trained_again(studies) == [], "all were kept as long as they were needed"


def test_killed_again_and_again(folder: Path, unbroken: list[dict[str, Any]]) -> None:
    kill = signal.SIGKILL
    assert elsewhere(folder, At(1, 2, kill), **INHERIT) == -kill
    assert elsewhere(folder, At(0, 1, kill), **INHERIT) == -kill
    assert elsewhere(folder, At(3, 2, kill), **INHERIT) == -kill
    assert len([name for name in left_over(folder) if name.endswith(".weights")]) in (1, 2)

    studies = searched(folder, **INHERIT)

    assert story(studies) == unbroken
    assert trained_again(studies) == []
    assert left_over(folder) == []


def test_two_workers_walk_as_one(folder: Path, unbroken: list[dict[str, Any]]) -> None:
    studies = search(
        bars(), storage=url(folder), name=NAME, options=options(folder, **INHERIT), workers=2
    )

    assert story(studies) == unbroken
    assert left_over(folder) == []


def test_in_memory_weights_are_kept_in_memory(
    tmp_path: Path, unbroken: list[dict[str, Any]]
) -> None:
    given = options(tmp_path, **INHERIT, artifacts=None)
    studies = search(bars(), storage=None, options=given)

    assert story(studies) == unbroken
    assert trained_again(studies) == []


@pytest.mark.parametrize("generations", [1, 2])
def test_weights_that_are_gone_are_trained_again(
    generations: int, folder: Path, unbroken: list[dict[str, Any]]
) -> None:
    candidate = first_of(unbroken, generations)
    gone = AtBeginning(candidate, lambda: shutil.rmtree(folder / "artifacts"))

    studies = searched(folder, watch=gone, **INHERIT)

    assert story(studies) == unbroken
    assert len(trained_again(studies)) == 1, "and kept from then on"


@pytest.mark.parametrize("content", [b"", b"egnas-weights/1\nand then something else"])
def test_damaged_weights_are_not_used(
    content: bytes, folder: Path, unbroken: list[dict[str, Any]]
) -> None:
    def damage() -> None:
        for file in (folder / "artifacts").glob("*.weights"):
            file.write_bytes(content)

    studies = searched(folder, watch=AtBeginning(2, damage), **INHERIT)

    assert story(studies) == unbroken
    assert len(trained_again(studies)) == 1


def test_weights_of_another_candidate_are_not_used(
    folder: Path, unbroken: list[dict[str, Any]]
) -> None:
    def exchange() -> None:
        (older, newer) = (folder / "artifacts").glob("*.weights")
        content = older.read_bytes()
        older.write_bytes(newer.read_bytes())
        newer.write_bytes(content)

    two_kept = first_of(unbroken, 2)

    studies = searched(folder, watch=AtBeginning(two_kept, exchange), **INHERIT)

    assert story(studies) == unbroken
    assert len(trained_again(studies)) == 1


def test_a_limit_ends_the_training_of_a_parent_too(
    folder: Path, unbroken: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[str] = []
    monkeypatch.setattr(_objective, "limit_reached", lambda *_: reached.pop() if reached else None)

    def rob_and_stop() -> None:
        shutil.rmtree(folder / "artifacts")
        reached.append("enough")

    studies = searched(folder, watch=AtBeginning(2, rob_and_stop), **INHERIT)

    stopped = studies.macro.trials[2]
    assert (stopped.user_attrs["stopped"], stopped.intermediate_values) == ("enough", {})
    assert story(studies) == unbroken


def test_a_search_stays_with_what_it_is(folder: Path) -> None:
    prepare(bars(), storage=url(folder), name=NAME, options=options(folder, inherit=True))

    prepare(bars(), storage=url(folder), name=NAME, options=options(folder))
    with pytest.raises(SearchError, match=f"macro inherit is {SHARE} there, but got None"):
        without = options(folder, inherit=False)
        prepare(bars(), storage=url(folder), name=NAME, options=without)
    studies = load_linked_studies(storage=url(folder), name=NAME)
    spaces = [studies.link.space, studies.micro.user_attrs["egnas:search"]["space"]]
    assert (spaces[0].inherit, spaces[1]["inherit"]) == (SHARE, SHARE)


def test_ones_own_study_cannot_inherit() -> None:
    with pytest.raises(InvalidSpace, match="`inherit` must be None in a study of your own"):
        MacroSampler(MacroSpace(inherit=0.5))


def test_a_record_of_it_cannot_be_written(folder: Path) -> None:
    with pytest.raises(SearchError, match="A trace must be of trainings from scratch"):
        write_trace(searched(folder, **INHERIT))


def test_on_the_command_line(egnas: Shell) -> None:
    (egnas.folder / "tiny.toml").write_text(TINY.replace("epochs = 1", "epochs = 4"))
    ran = egnas("search", "tiny.toml", "--inherit", "--deterministic", "--json")

    assert ran.record["candidates"] > 4
    again = egnas("show", "tiny", "--trial", "macro/2", "--rerun", "--json").record
    assert again["agrees"] and again["epochs"] == 1
    assert "trained on" in egnas("show", "tiny").out
    kept = egnas("search", "tiny.toml", "--deterministic")
    assert kept.code == 0, kept.err
    other = ("search", "tiny.toml", "--deterministic", "--no-inherit")
    egnas.refuses(*other, saying=("macro inherit is 0.25 there, but got None",))
