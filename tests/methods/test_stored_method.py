"""A search that is there keeps its method; what all of its studies have is for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from commands import Shell
from pairs import PAIRS
from perceptrons import PERCEPTRONS

from optuna_egnas import create_linked_studies, load_linked_studies, search
from optuna_egnas.errors import InvalidSpace, SearchError
from optuna_egnas.options import SearchOptions

AGAIN = ("search", "digits", "--name", "mine", "--subset", "200")
ONE = {"population": {"generations": 1}}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    shell = Shell(tmp_path_factory.mktemp("stored"))
    options = SearchOptions(method=PERCEPTRONS.name, subset=200, spaces=ONE)
    search("digits", storage=url(shell.folder), name="mine", options=options)
    return shell


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/egnas.db"


def limits(folder: Path, name: str) -> dict[str, Any]:
    studies = load_linked_studies(storage=url(folder), name=name)
    return {role: space.max_params for role, space in studies.spaces().items()}


def test_a_search_keeps_its_method_where_none_is_named(stored: Shell) -> None:
    kept = stored(*AGAIN, "--json")
    assert kept.record["method"] == PERCEPTRONS.name

    two = {"population": {"generations": 2}}
    options = SearchOptions(method=PERCEPTRONS.name, subset=200, spaces=two)
    with pytest.raises(SearchError, match="population generations is 1 there, but got 2"):
        search("digits", storage=url(stored.folder), name="mine", options=options)


def test_limits_of_the_command_line_are_those_of_the_stored_method(stored: Shell) -> None:
    stored.refuses(*AGAIN, "--max-params", "900", saying=("population max_params is None there",))
    stored.refuses(*AGAIN, "--min-depth", "3", saying=(PERCEPTRONS.name, "`min_depth`"))


def test_a_search_of_another_method_is_refused_by_both_names(stored: Shell) -> None:
    stored.refuses(*AGAIN, "--method", "egnas", saying=(PERCEPTRONS.name, "got egnas", "'mine'"))
    stored.refuses(
        *(*AGAIN, "--method", "egnas", "--max-params", "900"), saying=(PERCEPTRONS.name, "egnas")
    )
    with pytest.raises(SearchError, match=r"must be of its method perceptrons.*, but got egnas"):
        create_linked_studies(storage=url(stored.folder), name="mine")
    options = SearchOptions(subset=200, macro={"min_depth": 3})
    with pytest.raises(InvalidSpace, match="A study of perceptrons:PERCEPTRONS must be one of"):
        search("digits", storage=url(stored.folder), name="mine", options=options)


def test_a_search_goes_on_without_its_method_being_named(tmp_path: Path) -> None:
    create = ("search", "digits", "--name", "mine", "--method", PAIRS.name, "--subset", "200")
    shell = Shell(tmp_path)
    begun = shell(*create, "--max-params", "500", "--max-total-epochs", "2")
    assert begun.code == 0, begun.err

    ended = shell(*AGAIN, "--max-params", "500", "--workers", "2", "--json")

    assert ended.record["method"] == PAIRS.name
    assert load_linked_studies(storage=url(tmp_path), name="mine").result().finished
    assert limits(tmp_path, "mine") == {"a": 500, "b": 500}


def test_a_limit_of_the_first_study_is_that_of_all() -> None:
    task = {"input_shape": (1, 8, 8), "classes": 10, "n_valid": 40}
    given = {"a": {"max_params": 700, "max_units": 8}}
    first = PAIRS.spaces(task, profile="full", given=given)
    both = PAIRS.spaces(task, profile="full", given={**given, "b": {"max_params": 900}})

    assert {role: space.max_params for role, space in first.items()} == {"a": 700, "b": 700}
    assert {role: space.max_params for role, space in both.items()} == {"a": 700, "b": 900}
    assert [space.to_json()["max_units"] for space in first.values()] == [8, 64]


def test_options_give_what_all_studies_share_to_all_of_them() -> None:
    options = SearchOptions(method=PAIRS.name).with_fields(max_macs=9000, max_units=8)

    assert options.given() == {"a": {"max_macs": 9000, "max_units": 8}, "b": {"max_macs": 9000}}
