"""Fields of the recipe on the command line: `--recipe NAME=VALUE`."""

from __future__ import annotations

import pytest
from commands import TINY, Shell

from optuna_egnas import load_linked_studies


def test_a_search_and_a_final_training_take_fields_of_the_recipe(egnas: Shell) -> None:
    egnas.write("tiny.toml", TINY)
    given = ("--recipe", "learning_rate=0.1", "--recipe", "nesterov=true")
    searched = egnas("search", "tiny.toml", *given, "--recipe", "optimizer=sgd")
    assert searched.code == 0, searched.err

    trained = egnas("train", "tiny", "--epochs", "1", "--recipe", "batch_size=20", "--json")

    stored = load_linked_studies(storage="sqlite:///egnas.db", name="tiny").link.dataset
    assert (stored["recipe learning_rate"], stored["recipe nesterov"]) == (0.1, True)
    recipe = trained.record["recipe"]
    assert (recipe["learning_rate"], recipe["batch_size"]) == (0.1, 20)


@pytest.mark.parametrize(
    ("field", "saying"),
    [
        ("learning_rate", ("must be NAME=VALUE", "'learning_rate'")),
        ("rate=1", ("must be one of optimizer, learning_rate", "'rate'")),
        ("learning_rate=high", ("`learning_rate` must be a number", "'high'")),
        ("learning_rate=-1", ("`learning_rate` must be above 0", "-1")),
        ("batch_size=1.5", ("`batch_size` must be a whole number", "'1.5'")),
        ("nesterov=yes", ("`nesterov` must be true or false", "'yes'")),
        ("optimizer=adam", ("must be one of sgd, adamw", "'adam'")),
        ("nesterov=true", ("nesterov=True, optimizer=adamw",)),
    ],
)
def test_odd_fields_are_refused(egnas: Shell, field: str, saying: tuple[str, ...]) -> None:
    more = ("--recipe", "optimizer=adamw") if field == "nesterov=true" else ()
    egnas.refuses("search", "digits", "--recipe", field, *more, saying=saying)
