"""Trials that do not come back as asked for, come from elsewhere, or never come back."""

from __future__ import annotations

import subprocess
import sys

import optuna
import pytest
from objectives import MACRO, asked, macro_objective, score_macro, walked
from optuna.samplers import PartialFixedSampler
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.trial import Trial, TrialState
from walking import macro

from optuna_egnas import MacroSampler


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_fixed_parameter_ends_the_walk_with_a_warning() -> None:
    study = optuna.create_study(
        direction="maximize", sampler=PartialFixedSampler({"depth": 3}, MacroSampler(MACRO))
    )

    with pytest.warns(UserWarning, match="has other parameters than the sampler gave"):
        study.optimize(macro_objective, n_trials=20)

    assert asked(study, "depth", "width") == [(3, 8), (3, 8)]


def test_a_range_that_is_too_small_ends_the_walk_with_a_warning() -> None:
    study = optuna.create_study(direction="maximize", sampler=MacroSampler(MACRO))

    with pytest.warns(UserWarning, match="suggest ranges that hold those of the space"):
        study.optimize(
            lambda trial: score_macro(
                trial.suggest_int("depth", 1, 4), trial.suggest_int("width", 1, 9)
            ),
            n_trials=20,
        )

    assert [trial.params["depth"] for trial in study.trials[:2]] == [3, 4]
    assert len(study.trials) == 4, "the third came back as another one, the fourth ended it"


def test_pruned_trials_are_refusals_not_holes() -> None:
    study = optuna.create_study(direction="maximize", sampler=MacroSampler(MACRO))

    def objective(trial: Trial) -> float:
        value = macro_objective(trial)
        if trial.params["depth"] > 3:
            raise optuna.TrialPruned
        return value

    study.optimize(objective, n_trials=50)

    pruned = [t.params.get("depth") for t in study.trials if t.state is TrialState.PRUNED]
    assert pruned == [4, 5, 6, None], "three fails end the depth phase; the last one is the end"


def test_a_nan_or_a_crash_three_times_is_a_refusal() -> None:
    study = optuna.create_study(
        direction="maximize", sampler=MacroSampler(macro(max_depth=4, min_width=8))
    )

    def objective(trial: Trial) -> float:
        value = macro_objective(trial)
        return float("nan") if trial.params["depth"] == 4 else value

    study.optimize(objective, n_trials=50)

    depths = [trial.params.get("depth") for trial in study.trials]
    assert depths == [3, 4, 4, 4, None]


def test_an_enqueued_network_is_used_and_not_trained_again() -> None:
    study = optuna.create_study(direction="maximize", sampler=MacroSampler(MACRO))
    study.enqueue_trial({"depth": 4, "width": 8})

    study.optimize(macro_objective)

    complete = asked(study, "depth", "width")
    assert complete[0] == (4, 8)
    assert complete[1:] == [network for network in walked(MACRO) if network != (4, 8)]


def test_a_finished_trial_from_elsewhere_is_taken_over() -> None:
    study = optuna.create_study(direction="maximize", sampler=MacroSampler(MACRO))
    whole = optuna.distributions.IntDistribution(1, 99)
    for depth, width in walked(MACRO)[:3]:
        params = {"depth": depth, "width": width}
        study.add_trial(
            optuna.create_trial(
                params=params,
                distributions={"depth": whole, "width": whole},
                value=score_macro(depth, width),
            )
        )

    study.optimize(macro_objective)

    assert asked(study, "depth", "width") == walked(MACRO)


@pytest.mark.parametrize("storage", ["memory", "sqlite"])
def test_interrupted_studies_go_on_as_if_nothing_had_happened(
    storage: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("resume")
    kept = InMemoryStorage() if storage == "memory" else RDBStorage(f"sqlite:///{folder}/study.db")
    for _ in range(30):
        study = optuna.create_study(
            storage=kept,
            study_name="resumed",
            direction="maximize",
            load_if_exists=True,
            sampler=MacroSampler(MACRO),
        )
        study.optimize(macro_objective, n_trials=1)
        if study.trials[-1].state is TrialState.PRUNED:
            break

    assert asked(study, "depth", "width") == walked(MACRO)


def test_a_killed_process_leaves_nothing_that_blocks_the_walk(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('killed')}/study.db"
    killed = f"""
import os, signal, optuna
from optuna_egnas import MacroSampler, MacroSpace
space = MacroSpace.from_json({MACRO.to_json()!r})
study = optuna.create_study(storage={url!r}, study_name="s", direction="maximize",
                            sampler=MacroSampler(space))
def objective(trial):
    trial.suggest_int("depth", 1, 50), trial.suggest_int("width", 1, 99)
    os.kill(os.getpid(), signal.SIGKILL)
study.optimize(objective)
"""
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == -9
    study = optuna.load_study(storage=url, study_name="s", sampler=MacroSampler(MACRO))
    assert study.trials[0].state is TrialState.RUNNING

    study.optimize(macro_objective)

    assert asked(study, "depth", "width") == walked(MACRO)
    assert study.trials[1].params == {"depth": 3, "width": 8}, "the lost one is proposed again"


def test_dropping_what_the_sampler_has_read_changes_nothing() -> None:
    study = optuna.create_study(direction="maximize", sampler=MacroSampler(MACRO))
    for _ in range(len(walked(MACRO))):
        study.sampler = MacroSampler(MACRO)
        study.optimize(macro_objective, n_trials=1)

    assert asked(study, "depth", "width") == walked(MACRO)


def test_a_trial_reads_only_those_of_lower_number_that_it_does_not_know() -> None:
    sampler = MacroSampler(MACRO)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(macro_objective, n_trials=4)
    reader = sampler.reader(study)

    assert reader.unread(4) == [3], "the last one has ended since it was made"
    reader.history(study)
    assert reader.unread(4) == []
    running = study.ask()
    reader.history(study)
    assert reader.unread(6) == [4, 5], "one that runs, and one that is not made yet"
    assert reader.unread(2) is None, "some that are kept come after it"
    assert reader.unread(100) is None, "too many to be read one by one"
    study.tell(running, 0.1)
    assert reader.unread(5) == [4]
    assert MacroSampler(MACRO).reader(study).unread(100) is None
