"""BudgetPruner stops look-ahead work whose premise has failed, and nothing else."""

from __future__ import annotations

import optuna
import pytest
from optuna.trial import Trial, TrialState
from walking import macro

from optuna_egnas import MacroSampler
from optuna_egnas._core.walk import Done
from optuna_egnas.pruners import BudgetPruner

SPACE = macro(max_depth=12, min_width=8)


def study_with_pruner() -> optuna.Study:
    return optuna.create_study(
        direction="maximize", sampler=MacroSampler(SPACE), pruner=BudgetPruner()
    )


def ask(study: optuna.Study) -> Trial:
    trial = study.ask()
    trial.suggest_int("depth", 1, 50)
    trial.suggest_int("width", 1, 99)
    return trial


def test_work_ahead_is_stopped_when_its_phase_has_ended() -> None:
    study = study_with_pruner()
    trials = [ask(study) for _ in range(6)]
    assert [trial.params["depth"] for trial in trials[:5]] == [3, 4, 5, 6, 7]
    for trial, score in zip(trials[:4], (0.9, 0.5, 0.5, 0.5), strict=True):
        study.tell(trial, score)

    trials[4].report(0.5, 1)

    assert trials[4].should_prune() is True
    said = study.trials[4].user_attrs
    assert said["stopped_by"] == "premise"
    assert "another way" in said["stopped"]
    study.tell(trials[4], state=TrialState.PRUNED)
    assert isinstance(MacroSampler(SPACE).frontier(study), Done), "it is no outcome of the walk"


def test_work_that_the_walk_still_may_ask_for_goes_on() -> None:
    study = study_with_pruner()
    trials = [ask(study) for _ in range(3)]
    study.tell(trials[0], 0.5)
    study.tell(trials[1], 0.6)

    trials[2].report(0.1, 1)

    assert trials[2].should_prune() is False


def test_studies_of_others_are_left_alone() -> None:
    study = optuna.create_study(pruner=BudgetPruner())
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.report(1.0, 1)

    assert trial.should_prune() is False


@pytest.mark.parametrize("n_jobs", [1, 4])
def test_threads_with_the_pruner_find_the_same(n_jobs: int) -> None:
    study = study_with_pruner()

    def objective(trial: Trial) -> float:
        depth = trial.suggest_int("depth", 1, 50)
        trial.suggest_int("width", 1, 99)
        for step in range(1, 4):
            trial.report(step / 100, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return (900 - 9 * abs(depth - 5)) / 1000

    study.optimize(objective, n_jobs=n_jobs)

    ahead = MacroSampler(SPACE).frontier(study)
    assert isinstance(ahead, Done)
    assert ahead.found is not None
    assert ahead.found.architecture.depth == 5
