"""The two linked studies: created, opened, joined, and refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from linking import MACRO, ROLES, both, contents, create, rename, story, train
from optuna.distributions import IntDistribution
from optuna.storages import InMemoryStorage
from optuna.study import Study
from walking import macro, micro

from optuna_egnas import MacroSpace, MicroSpace, create_linked_studies, load_linked_studies
from optuna_egnas._storage.link import find_search
from optuna_egnas.errors import InvalidSpace, SearchError

# Created and opened


def test_both_studies_say_whose_they_are() -> None:
    studies = create()

    records = [study.user_attrs["egnas:search"] for study in (studies.macro, studies.micro)]
    assert [study.study_name for study in (studies.macro, studies.micro)] == ["s/macro", "s/micro"]
    assert [record["role"] for record in records] == ["macro", "micro"]
    assert records[0]["run"] == records[1]["run"]
    for record in records:
        assert record["name"] == "s"
        assert record["seed"] == 7
        assert record["dataset"] == {"dataset": "bars", "classes": [1, 2]}
        assert {"optuna", "optuna-egnas", "torch"} <= set(record["versions"])
    assert MacroSpace.from_json(records[0]["space"]) == MACRO
    assert MicroSpace.from_json(records[1]["space"]).confirm_epochs is None


def test_a_name_is_enough() -> None:
    studies = create_linked_studies(storage=None, name="s")

    assert studies.link.space == MacroSpace()
    assert studies.macro.ask().suggest_int("depth", 1, 100) == 10


def test_opening_again_gives_the_same_studies_and_writes_nothing() -> None:
    storage = InMemoryStorage()
    train(create(storage), "macro", most=2)
    before = contents(storage)

    again, loaded = create(storage), load_linked_studies(storage=storage, name="s")

    assert contents(storage) == before
    assert story(again) == story(loaded)
    assert len(again.macro.trials) == 2


DIFFERENT: dict[str, tuple[dict[str, Any], str]] = {
    "seed": ({"seed": 8}, "seed is 7 there, but got 8"),
    "dataset": (
        {"dataset": {"dataset": "dots", "classes": [1, 2]}},
        "dataset is 'bars' there, but got 'dots'",
    ),
    "a list of the dataset": (
        {"dataset": {"dataset": "bars", "classes": [1, 2, 3]}},
        r"classes is \[1, 2\] there, but got \[1, 2, 3\]",
    ),
    "less is known": (
        {"dataset": {"dataset": "bars"}},
        r"classes is \[1, 2\] there, but got None",
    ),
    "more is known": (
        {"dataset": {"dataset": "bars", "classes": [1, 2], "size": 8}},
        "size is None there, but got 8",
    ),
    "macro space": ({"macro": macro(max_depth=7)}, "macro max_depth is 6 there, but got 7"),
    "micro space": (
        {"micro": micro(confirm_epochs=None, epochs=9)},
        "micro epochs is 2 there, but got 9",
    ),
    "operations": (
        {"micro": micro(confirm_epochs=None, kernels=(3, 5, 7))},
        r"micro kernels is \(3, 5\) there, but got \(3, 5, 7\)",
    ),
    "limits": (
        {
            "macro": macro(max_depth=6, max_params=9999),
            "micro": micro(confirm_epochs=None, max_params=9999),
        },
        "macro max_params is None there, but got 9999",
    ),
}


@pytest.mark.parametrize("difference", DIFFERENT)
def test_opening_as_something_else_says_what_differs_and_changes_nothing(difference: str) -> None:
    changes, words = DIFFERENT[difference]
    storage = InMemoryStorage()
    train(create(storage), "macro", most=2)
    before = contents(storage)

    with pytest.raises(SearchError, match=f"The search 's' exists and is another one: {words}"):
        create(storage, **changes)

    assert contents(storage) == before


def test_two_spaces_with_different_tasks_are_refused() -> None:
    storage = InMemoryStorage()

    with pytest.raises(InvalidSpace, match="`classes` must be the same in all spaces"):
        create(storage, micro=micro(classes=9))

    assert contents(storage) == []


@pytest.mark.parametrize("name", ["", "  ", 501 * "x"])
def test_a_name_must_be_one(name: str) -> None:
    storage = InMemoryStorage()

    with pytest.raises(SearchError, match="a name of 1 to 500 characters"):
        create(storage, name=name)

    assert contents(storage) == []


@pytest.mark.parametrize("dataset", [{"x": object()}, {1: "x"}, {"x": float("nan")}])
def test_a_dataset_must_be_plain(dataset: dict[Any, Any]) -> None:
    storage = InMemoryStorage()

    with pytest.raises(SearchError, match="`dataset` must hold plain values only"):
        create(storage, dataset=dataset)

    assert contents(storage) == []


def with_trial(study: Study) -> None:
    study.add_trial(
        optuna.create_trial(params={"x": 1}, distributions={"x": IntDistribution(0, 1)}, value=1.0)
    )


FOREIGN: dict[str, tuple[str, Callable[[Study], None]]] = {
    "has a trial": ("maximize", with_trial),
    "has an attribute": ("maximize", lambda study: study.set_user_attr("owner", "me")),
    "minimises": ("minimize", lambda _: None),
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("story_of", FOREIGN)
def test_a_study_of_somebody_else_keeps_its_name_and_content(role: str, story_of: str) -> None:
    storage = InMemoryStorage()
    direction, change = FOREIGN[story_of]
    change(optuna.create_study(storage=storage, study_name=f"s/{role}", direction=direction))
    before = contents(storage)

    with pytest.raises(SearchError, match=f"'s/{role}' that is no search .* choose another name"):
        create(storage)

    assert contents(storage) == before, "not even the other study is made"


def test_a_name_that_a_renamed_study_of_another_search_holds_is_refused() -> None:
    storage = InMemoryStorage()
    create(storage)
    create(storage, name="other")
    optuna.delete_study(study_name="s/micro", storage=storage)
    rename(storage, "other/micro", "s/micro")

    with pytest.raises(SearchError, match="'s/micro' belongs to the search 'other'"):
        create(storage)


# Half made, or made by several at once


def test_what_a_crash_has_left_half_made_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optuna_egnas._search.studies.PATIENCE", 0.0)
    storage = InMemoryStorage()
    optuna.create_study(storage=storage, study_name="s/macro", direction="maximize")

    studies = create(storage)

    assert studies.link.name == "s"
    assert load_linked_studies(storage=storage, name="s").micro.study_name == "s/micro"


def test_workers_that_start_together_make_one_search(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('together')}/egnas.db"
    together, runs, lock = threading.Barrier(3), [], threading.Lock()

    def start() -> None:
        together.wait()
        studies = create(url)
        with lock:
            runs.extend(study.user_attrs["egnas:search"]["run"] for study in both(studies))

    workers = [threading.Thread(target=start) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(runs) == 6, "nobody has failed"
    assert len(set(runs)) == 1


def test_a_search_that_appears_while_it_is_being_made_is_joined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = InMemoryStorage()
    run = create(storage).link.run
    before: object = contents(storage)
    looks: list[dict[str, Any]] = [{}]
    monkeypatch.setattr(
        "optuna_egnas._search.studies.find_search",
        lambda *arguments: looks.pop() if looks else find_search(*arguments),
    )

    assert create(storage).link.run == run
    assert contents(storage) == before

    looks.append({})
    with pytest.raises(SearchError, match="seed is 7 there, but got 8"):
        create(storage, seed=8)
    assert contents(storage) == before
