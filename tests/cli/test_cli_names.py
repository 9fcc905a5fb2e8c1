"""The command line: names of searches that are taken, missing, or not there yet."""

from __future__ import annotations

from collections.abc import Callable

import optuna
import pytest
from commands import TINY, Prepare, Shell, draw_images
from optuna.storages import RDBStorage


def foreign(role: str, *, trial: bool = False, **attributes: object) -> Prepare:
    """A database with somebody else's study under one of the search's names."""

    def prepare(shell: Shell) -> None:
        study = optuna.create_study(
            storage=f"sqlite:///{shell.folder}/egnas.db",
            study_name=f"tiny/{role}",
            direction="maximize" if trial or attributes else "minimize",
        )
        if trial:
            study.add_trial(optuna.create_trial(value=1.0))
        for key, value in attributes.items():
            study.set_user_attr(key.replace("_", ":"), value)

    return prepare


@pytest.mark.parametrize("role", ["macro", "micro"])
@pytest.mark.parametrize(
    "prepare",
    [
        lambda role: foreign(role),
        lambda role: foreign(role, trial=True),
        lambda role: foreign(role, owner="somebody"),
        lambda role: foreign(role, egnas_search={"written by": "another version"}),
        lambda role: foreign(role, egnas_search=3),
    ],
    ids=["minimises", "has a trial", "has an attribute", "another version", "no record"],
)
def test_a_name_of_somebody_elses_study_is_refused(
    egnas: Shell, role: str, prepare: Callable[[str], Prepare]
) -> None:
    egnas.write("tiny.toml", TINY)
    prepare(role)(egnas)

    egnas.refuses("search", "tiny.toml", saying=(f"'tiny/{role}'", "choose another name"))


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        ("tiny.toml --seed 1", ("seed is 0 there, but got 1",)),
        ("tiny.toml --max-width 7", ("macro max_width is 6 there, but got 7",)),
        ("tiny.toml --max-params 9999", ("max_params is None there, but got 9999",)),
        ("tiny.toml --subset 300", ("subset is 200 there, but got 300",)),
        ("tiny.toml --valid-fraction 0.3", ("valid_fraction is 0.2 there, but got 0.3",)),
        ("digits --name tiny", ("subset is 200 there, but got None",)),
        ("folder:pets --name tiny --subset 30", ("dataset is 'digits' there", "folder:pets")),
    ],
)
def test_a_name_of_another_search_is_refused_with_what_differs(
    searched: Shell, arguments: str, saying: tuple[str, ...]
) -> None:
    draw_images(searched.folder / "pets")

    said = searched.refuses("search", *arguments.split(), saying=(*saying, "'tiny'"))

    if arguments.endswith("--seed 1"):
        assert said.count("there, but got") == 1, "nothing else is said to differ"


def test_show_names_what_there_is(searched: Shell) -> None:
    searched.refuses("show", "tinny", saying=("'tinny'", "there are tiny"))
    searched.refuses("show", "", saying=("name",))
    searched.refuses("show", "--storage", "sqlite:///other.db", saying=("other.db",))
    assert searched("search", "tiny.toml", "--name", "other").code == 0
    searched.refuses("show", saying=("there are other, tiny",))


def test_an_empty_storage_has_nothing_to_show(egnas: Shell) -> None:
    egnas.refuses("show", saying=("no search yet", "egnas.db does not exist"))
    RDBStorage("sqlite:///egnas.db").engine.dispose()
    egnas.refuses("show", saying=("it holds none",))
