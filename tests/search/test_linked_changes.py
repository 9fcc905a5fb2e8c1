"""Linked studies that were renamed, copied or deleted, and are found by their name."""

from __future__ import annotations

import optuna
import pytest
from linking import ROLES, both, contents, create, rename, story, train
from optuna.storages import InMemoryStorage

from optuna_egnas import LinkedStudies, load_linked_studies
from optuna_egnas.errors import SearchError


@pytest.fixture(scope="module")
def unbroken() -> LinkedStudies:
    return train(train(create(), "macro"), "micro")


def test_a_missing_search_is_answered_with_those_that_there_are() -> None:
    storage = InMemoryStorage()
    with pytest.raises(SearchError, match="no search named 's': the storage holds none"):
        load_linked_studies(storage=storage, name="s")

    create(storage, name="one")
    create(storage, name="two")
    with pytest.raises(SearchError, match="no search named 's': there are one, two"):
        load_linked_studies(storage=storage, name="s")


def test_a_record_of_another_version_hides_no_other_search() -> None:
    storage = InMemoryStorage()
    create(storage)
    newer = optuna.create_study(storage=storage, study_name="t/macro", direction="maximize")
    newer.set_user_attr("egnas:search", {"role": "macro", "space": {"version": 2}})

    assert load_linked_studies(storage=storage, name="s").name == "s"
    with pytest.raises(SearchError, match="'t/macro' that is no search of this version"):
        create(storage, name="t")


def test_a_deleted_micro_study_is_made_anew(unbroken: LinkedStudies) -> None:
    storage = InMemoryStorage()
    studies = train(train(create(storage), "macro"), "micro", most=3)
    run = studies.link.run
    optuna.delete_study(study_name="s/micro", storage=storage)
    with pytest.raises(SearchError, match="no search named 's'"):
        load_linked_studies(storage=storage, name="s")

    again = create(storage)

    assert again.link.run == run
    assert story(train(again, "micro")) == story(unbroken)


@pytest.mark.parametrize("renamed", [("macro",), ("micro",), ("macro", "micro")])
@pytest.mark.parametrize(
    ("macro_trials", "micro_trials"),
    [(3, 0), (100, 0), (100, 3), (100, 100)],
    ids=["in the macro search", "at the hand-over", "in the micro search", "at the end"],
)
def test_a_search_survives_a_rename_in_the_dashboard(
    unbroken: LinkedStudies, renamed: tuple[str, ...], macro_trials: int, micro_trials: int
) -> None:
    storage = InMemoryStorage()
    train(train(create(storage), "macro", macro_trials), "micro", micro_trials)
    names = {role: f"better/{role}" if role in renamed else f"s/{role}" for role in ROLES}
    for role in renamed:
        rename(storage, f"s/{role}", names[role])
    before = contents(storage)

    for name in ("s", "better"):
        found = load_linked_studies(storage=storage, name=name)
        assert found.result().studies == names
    again = create(storage)
    assert contents(storage) == before
    train(train(again, "macro"), "micro")

    assert story(again) == story(unbroken)
    assert again.result().architecture == unbroken.result().architecture
    assert len(again.micro.trials) == len(unbroken.micro.trials), "nothing is trained twice"


def test_a_copy_is_not_mistaken_for_the_search() -> None:
    storage = InMemoryStorage()
    studies = train(train(create(storage), "macro"), "micro", most=2)
    for role in ROLES:
        optuna.copy_study(
            from_study_name=f"s/{role}",
            from_storage=storage,
            to_storage=storage,
            to_study_name=f"backup/{role}",
        )

    again = create(storage)
    assert [study.study_name for study in both(again)] == ["s/macro", "s/micro"]
    train(again, "micro")
    assert len(again.micro.trials) > len(studies.study("macro").trials)
    kept = optuna.load_study(study_name="backup/micro", storage=storage)
    assert len(kept.trials) == 2

    rename(storage, "s/micro", "elsewhere")
    with pytest.raises(SearchError, match="has copies: 'backup/micro', 'elsewhere'"):
        load_linked_studies(storage=storage, name="s")
