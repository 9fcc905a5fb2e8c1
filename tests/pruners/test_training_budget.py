"""Who says how long a trial is trained: its walk, else the study's pruner, once."""

from __future__ import annotations

import math
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.trial import Trial
from walking import macro, micro

from optuna_egnas import (
    Budget,
    BudgetPruner,
    MacroSampler,
    MicroSampler,
    create_linked_studies,
    training_budget,
)
from optuna_egnas._core.encoding import Names
from optuna_egnas._translate import suggest
from optuna_egnas.errors import EgnasWarning, InvalidSpace, SearchError

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
        suggest(trial, reader.space, Names())
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

    assert training_budget(enqueued) == BASE
    with pytest.warns(EgnasWarning, match="walk of MacroSampler decides the epochs, 3 for tr"):
        assert training_budget(own) == Budget(epochs=3, learning_rate=0.1, batch_size=16)
    own.report(0.5, 1)
    assert own.should_prune() is False
    assert training_budget(own).epochs == 3, "it is said once"


@pytest.mark.parametrize("ask", ["training_budget", "should_prune"])
@pytest.mark.parametrize(
    ("sampler", "pruner", "said"),
    [
        (MacroSampler(macro(base_epochs=3)), BudgetPruner(BASE), r"set base_epochs=3, epochs_per"),
        (MacroSampler(macro(base_epochs=6)), BudgetPruner(BASE), None),
        (MacroSampler(macro(base_epochs=6)), BudgetPruner(BASE, policy="paper"), "'paper'"),
        (
            MacroSampler(macro(base_epochs=6)),
            BudgetPruner(BASE, policy="cost", size=cost),
            r"BudgetPruner\(Budget\(epochs=6\), policy='cost'\)",
        ),
        (MicroSampler(micro(epochs=2)), BudgetPruner(BASE), r"epochs=2, confirm_epochs=0 of the"),
        (MicroSampler(micro(epochs=6)), BudgetPruner(BASE), None),
        (MacroSampler(macro(base_epochs=3)), BudgetPruner(), None),
    ],
)
def test_where_walk_and_pruner_ask_for_other_epochs_it_is_said(
    ask: str, sampler: Any, pruner: BudgetPruner, said: str | None
) -> None:
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    trial = study.ask()
    for name, distribution in sampler.infer_relative_search_space(study, study.trials[0]).items():
        trial._suggest(name, distribution)
    trial.report(0.5, 1)
    expected = pytest.warns(EgnasWarning, match=said) if said else nullcontext()
    with expected:
        training_budget(trial) if ask == "training_budget" else trial.should_prune()


@pytest.mark.parametrize("foreign", [12, "long", {"epochs": "12"}, {"images": 3}, [1]])
def test_a_budget_of_another_program_is_no_budget_and_is_not_lost(foreign: Any) -> None:
    study = study_of(BudgetPruner(BASE))
    for _ in range(6):
        trial = ask(study, 3)
        trial.set_user_attr("budget", foreign)
        trial.report(0.5, 1)
        assert trial.should_prune() is False
        study.tell(trial, 0.5)
    trial = ask(study, 3)
    trial.set_user_attr("budget", foreign)
    with pytest.raises(SearchError, match="must be what `training_budget` has stored, but got"):
        training_budget(trial)
    assert study.trials[-1].user_attrs["budget"] == foreign


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (
            lambda params: 3,
            "`size` must return a mapping of .* macs, but returned 3",
        ),
        (lambda params: {"depth": 3}, "`size` must return a mapping of depth, params and macs"),
        (lambda params: {**cost(params), "macs": math.inf}, "`macs` must be at most 1"),
        (lambda params: {**cost(params), "macs": "many"}, "`macs` must be at least 1"),
        (lambda params: {**cost(params), "depth": 10**400}, "`depth` must be at most 1"),
        (lambda params: {**cost(params), "params": math.nan}, "`params` must be at least 1"),
    ],
)
def test_a_size_that_is_none_is_refused(size: Any, message: str) -> None:
    study = study_of(BudgetPruner(BASE, policy="cost", size=size))
    with pytest.raises(InvalidSpace, match=message):
        training_budget(ask(study, 3))


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
