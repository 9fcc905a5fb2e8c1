"""Who says how long a trial is trained: its walk, else the study's pruner, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.trial import Trial
from walking import macro, micro

from optuna_egnas import Budget, BudgetPruner, MacroSampler, create_linked_studies, training_budget
from optuna_egnas._storage.reader import suggest
from optuna_egnas.errors import InvalidSpace, SearchError

BASE = Budget(epochs=6, learning_rate=0.1, batch_size=16)


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> BaseStorage:
    if request.param == "memory":
        return InMemoryStorage()
    return RDBStorage(f"sqlite:///{tmp_path}/study.db")


def cost(params: dict[str, Any]) -> dict[str, int]:
    return {"depth": params["layers"], "params": 300_000, "macs": 50_000_000}


def study_of(pruner: optuna.pruners.BasePruner, storage: BaseStorage | None = None) -> Any:
    return optuna.create_study(storage=storage, sampler=RandomSampler(seed=0), pruner=pruner)


def ask(study: optuna.Study, layers: int) -> Trial:
    trial = study.ask()
    trial.suggest_int("layers", layers, layers)
    return trial


def test_the_answer_is_kept_and_is_no_parameter(storage: BaseStorage) -> None:
    study = study_of(BudgetPruner(BASE), storage)
    trial = ask(study, 3)

    assert training_budget(trial) == BASE

    stored = {"epochs": 6, "learning_rate": 0.1, "batch_size": 16}
    assert study.trials[0].user_attrs["budget"] == stored
    assert set(study.trials[0].params) == {"layers"}
    study.pruner = BudgetPruner(Budget(epochs=99))
    assert training_budget(trial) == BASE, "once said, it stays"


def test_by_cost_deeper_networks_train_longer_and_equal_ones_alike() -> None:
    study = study_of(BudgetPruner(BASE, policy="cost", size=cost))
    epochs = [training_budget(ask(study, layers)).epochs for layers in (4, 10, 20, 10)]
    assert epochs[0] < epochs[1] < epochs[2]
    assert epochs[3] == epochs[1]


def test_the_reference_gets_the_budget_as_it_is() -> None:
    own = cost({"layers": 4})
    study = study_of(BudgetPruner(BASE, policy="cost", size=cost, reference=own))
    assert training_budget(ask(study, 4)) == BASE
    assert training_budget(ask(study, 8)).epochs > BASE.epochs


def test_by_the_published_counter_every_trial_trains_longer() -> None:
    study = study_of(BudgetPruner(BASE, policy="paper"))
    assert [training_budget(ask(study, 5)).epochs for _ in range(3)] == [6, 7, 8]


@pytest.mark.parametrize("pruner", [optuna.pruners.MedianPruner(), BudgetPruner()])
def test_without_a_budget_the_error_says_what_to_do(pruner: optuna.pruners.BasePruner) -> None:
    trial = ask(study_of(pruner), 3)
    with pytest.raises(SearchError, match="must come from a walk or from the study's pruner"):
        training_budget(trial)


def test_in_a_linked_study_it_is_the_walks_own() -> None:
    studies = create_linked_studies(
        storage=None,
        name="own",
        macro=macro(base_epochs=3, epochs_per_layer=2),
        micro=micro(),
        dataset={"recipe learning_rate": 0.5, "recipe batch_size": 8},
    )
    reader = studies.reader("macro")
    assert reader is not None
    found = []
    for _ in range(2):
        trial = studies.macro.ask()
        suggest(trial, reader.space)
        found.append(training_budget(trial))
    assert [each.epochs for each in found] == [3, 5]
    assert (found[0].learning_rate, found[0].batch_size) == (0.5, 8)
    assert "budget" not in studies.macro.trials[0].user_attrs


def test_a_sampler_alone_says_it_too_and_a_trial_of_others_asks_the_pruner() -> None:
    study = optuna.create_study(
        direction="maximize",
        sampler=MacroSampler(macro(base_epochs=3)),
        pruner=BudgetPruner(BASE),
    )
    study.enqueue_trial({"depth": 7, "width": 8})
    enqueued, own = study.ask(), study.ask()
    for trial in (enqueued, own):
        trial.suggest_int("depth", 1, 50)
        trial.suggest_int("width", 1, 99)

    assert training_budget(own) == Budget(epochs=3, learning_rate=0.1, batch_size=16)
    assert training_budget(enqueued) == BASE


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"policy": "best"}, "`policy` must be one of paper, cost, constant, but got 'best'"),
        ({"policy": "cost"}, "`size` must be given for the policy 'cost'"),
        ({"risk": 1.0}, "`risk` must be at least 0 and below 1, but got risk=1.0"),
        ({"risk": float("nan")}, "`risk` must be at least 0 and below 1"),
        ({"top": 0}, "`top` must be at least 1, but got top=0"),
    ],
)
def test_a_pruner_out_of_its_bounds_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSpace, match=message):
        BudgetPruner(BASE, **wrong)
