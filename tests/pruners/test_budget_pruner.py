"""BudgetPruner stops look-ahead work whose premise has failed, and nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import optuna
import pytest
from linking import suggest
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.trial import Trial, TrialState
from searching import MACRO, NAME, Progress, bars, options, prepare, run, url
from walking import macro, micro

from optuna_egnas import MacroSampler, MicroSampler, create_linked_studies
from optuna_egnas.methods import Done
from optuna_egnas.pruners import BudgetPruner

SPACE = macro(max_depth=12, min_width=8)


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> BaseStorage:
    if request.param == "memory":
        return InMemoryStorage()
    return RDBStorage(f"sqlite:///{tmp_path}/study.db")


def study_with_pruner(
    storage: BaseStorage | None = None, *, direction: str = "maximize"
) -> optuna.Study:
    return optuna.create_study(
        storage=storage,
        direction=direction,
        sampler=MacroSampler(SPACE),
        pruner=BudgetPruner(risk=0),
    )


def ask(study: optuna.Study) -> Trial:
    trial = study.ask()
    trial.suggest_int("depth", 1, 50)
    trial.suggest_int("width", 1, 99)
    return trial


def checkpoints(folder: Path) -> list[Path]:
    return [
        path
        for path in (folder / "artifacts").rglob("*")
        if path.is_file() and path.suffix != ".owners"
    ]


def end_depth_phase(study: optuna.Study, trials: list[Trial]) -> None:
    """Three fails after the first one: no layer more is asked for."""
    best, worse = (0.9, 0.5) if study.directions[0].name == "MAXIMIZE" else (0.1, 0.5)
    for trial, score in zip(trials, (best, worse, worse, worse), strict=True):
        study.tell(trial, score)


# What is stopped


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_work_ahead_is_stopped_when_its_phase_has_ended(
    storage: BaseStorage, direction: str
) -> None:
    study = study_with_pruner(storage, direction=direction)
    trials = [ask(study) for _ in range(6)]
    assert [trial.params["depth"] for trial in trials[:5]] == [3, 4, 5, 6, 7]
    trials[4].report(0.5, 1)
    assert trials[4].should_prune() is False, "it may yet be asked for"
    assert "stopped_by" not in study.trials[4].user_attrs

    end_depth_phase(study, trials[:4])

    trials[4].report(0.5, 2)
    assert trials[4].should_prune() is True
    said = study.trials[4].user_attrs
    assert said["stopped_by"] == "premise"
    assert "another way" in said["stopped"]
    study.tell(trials[4], state=TrialState.PRUNED)
    assert isinstance(MacroSampler(SPACE).frontier(study), Done), "it is no outcome of the walk"


def test_a_micro_candidate_without_what_was_accepted_is_stopped(storage: BaseStorage) -> None:
    space = micro(depth=3)
    study = optuna.create_study(
        storage=storage,
        direction="maximize",
        sampler=MicroSampler(space),
        pruner=BudgetPruner(),
    )
    trials = []
    for _ in range(8):
        trials.append(study.ask())
        trials[-1].suggest_int("width", 1, 8)
        for layer in range(3):
            trials[-1].suggest_categorical(f"op_{layer:02d}", ["sep", "conv"])
            trials[-1].suggest_categorical(f"kernel_{layer:02d}", [3, 5])
    assert trials[1].params["op_00"] == "conv"
    study.tell(trials[0], 0.5)

    study.tell(trials[1], 0.6)

    for trial in trials[2:]:
        trial.report(0.1, 1)
        assert trial.should_prune() is (trial.params["op_00"] == "sep"), trial.params
    assert {trial.params["op_00"] for trial in trials[2:]} == {"sep", "conv"}


def test_a_stop_is_no_refusal_and_its_candidate_is_asked_for_again() -> None:
    study = study_with_pruner()
    first = ask(study)
    first.set_user_attr("stopped_by", "premise")
    study.tell(first, state=TrialState.PRUNED)

    again = ask(study)

    assert again.params == first.params


def test_it_needs_no_memory_of_its_own(storage: BaseStorage) -> None:
    study = study_with_pruner(storage)
    trials = [ask(study) for _ in range(5)]
    end_depth_phase(study, trials[:4])

    study.pruner, study.sampler = BudgetPruner(), MacroSampler(SPACE)

    assert trials[4].should_prune() is True


def test_a_trial_that_others_have_ended_meanwhile_does_no_harm() -> None:
    study = study_with_pruner()
    trials = [ask(study) for _ in range(5)]
    end_depth_phase(study, trials[:4])
    frozen = study.trials[4]
    study.tell(trials[4].number, state=TrialState.FAIL)

    assert study.pruner.prune(study, frozen) is True


# What goes on


def test_work_that_the_walk_still_may_ask_for_goes_on() -> None:
    study = study_with_pruner()
    trials = [ask(study) for _ in range(3)]
    study.tell(trials[0], 0.5)
    study.tell(trials[1], 0.6)

    trials[2].report(0.1, 1)

    assert trials[2].should_prune() is False


def test_what_the_walk_asks_for_is_never_stopped_and_costs_no_look_at_others() -> None:
    study = study_with_pruner()
    trial = ask(study)

    class Blind(MacroSampler):
        def reader(self, study: optuna.Study) -> None:  # type: ignore[override]
            raise AssertionError("there is nothing to look at")

    study.sampler = Blind(SPACE)
    trial.report(0.0, 1)
    assert trial.should_prune() is False


def test_a_trial_that_its_user_has_enqueued_goes_on() -> None:
    study = study_with_pruner()
    trials = [ask(study) for _ in range(4)]
    study.enqueue_trial({"depth": 11, "width": 8})
    enqueued = ask(study)
    assert enqueued.params["depth"] == 11

    end_depth_phase(study, trials)

    assert enqueued.should_prune() is False


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_trial_that_came_back_as_another_one_goes_on() -> None:
    study = study_with_pruner()
    trials = [ask(study) for _ in range(4)]
    study.sampler = optuna.samplers.PartialFixedSampler({"depth": 10}, MacroSampler(SPACE))
    overridden = ask(study)
    study.sampler = MacroSampler(SPACE)
    assert overridden.params["depth"] == 10

    end_depth_phase(study, trials)

    assert overridden.should_prune() is False


def test_studies_of_others_are_left_alone() -> None:
    study = optuna.create_study(pruner=BudgetPruner(), sampler=RandomSampler(seed=0))
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.report(1.0, 1)
    assert trial.should_prune() is False

    several = optuna.create_study(directions=["minimize", "maximize"], pruner=BudgetPruner())
    several.ask()
    assert BudgetPruner().prune(several, several.trials[0]) is False


def test_a_trial_of_ours_in_the_hands_of_another_sampler_goes_on() -> None:
    study = study_with_pruner()
    trials = [ask(study) for _ in range(5)]
    end_depth_phase(study, trials[:4])

    study.sampler = RandomSampler(seed=0)

    assert trials[4].should_prune() is False


# Whole searches


@pytest.mark.parametrize("n_jobs", [1, 4])
def test_threads_with_the_pruner_find_the_same(n_jobs: int) -> None:
    study = study_with_pruner()

    def objective(trial: Trial) -> float:
        depth = trial.suggest_int("depth", 1, 50)
        trial.suggest_int("width", 1, 99)
        for step in range(1, 4):
            time.sleep(0.002 * depth)
            trial.report(step / 100, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return (900 - 9 * abs(depth - 5)) / 1000

    study.optimize(objective, n_jobs=n_jobs)

    ahead = MacroSampler(SPACE).frontier(study)
    assert isinstance(ahead, Done)
    assert ahead.found is not None
    assert ahead.found.architecture.depth == 5
    complete = {t.params["depth"] for t in study.trials if t.state is TrialState.COMPLETE}
    assert complete >= {3, 4, 5, 6, 7, 8}, "the walk, whatever else was begun"
    pruned = [t for t in study.trials if t.state is TrialState.PRUNED and t.params]
    assert all(t.user_attrs["stopped_by"] == "premise" for t in pruned)
    assert not [t for t in study.trials if t.state is TrialState.RUNNING]


def test_linked_studies_have_it() -> None:
    studies = create_linked_studies(storage=None, name="own", macro=SPACE, micro=micro())

    assert isinstance(studies.macro.pruner, BudgetPruner)
    assert isinstance(studies.micro.pruner, BudgetPruner)


@pytest.mark.filterwarnings("ignore:Heartbeat of storage:UserWarning")
def test_a_real_training_is_stopped_and_leaves_its_work(tmp_path: Path) -> None:
    space = {**MACRO, "max_depth": 9, "min_width": 4, "max_width": 4}
    told: list[Progress] = []

    def watch(event: Progress) -> None:
        told.append(event)
        if others and event.epoch == 2 and event.verdict is None:
            end_depth_phase(study, others)

    setup = prepare(
        bars(),
        storage=url(tmp_path),
        name=NAME,
        options=options(tmp_path, macro=space),
        watch=watch,
    )
    study = setup.studies.macro
    reader = setup.studies.reader("macro")
    assert reader is not None
    others = [study.ask() for _ in range(4)]
    for trial in others:
        suggest(trial, reader.space)

    study.optimize(setup.objective, n_trials=1)

    stopped = study.trials[4]
    assert stopped.params["depth"] == 6
    assert stopped.state is TrialState.PRUNED
    assert stopped.user_attrs["stopped_by"] == "premise"
    assert "another way" in stopped.user_attrs["stopped"]
    assert stopped.user_attrs["epochs_trained"] == 2
    assert told[-1].verdict == f"stopped: {stopped.user_attrs['stopped']}"
    assert (told[0].epoch, told[0].score) == (0, None)
    assert (told[-1].epoch, told[-1].score) == (2, max(stopped.intermediate_values.values()))
    assert checkpoints(tmp_path), "its checkpoint is there if the walk comes back"
    told.clear()
    others = []
    run(setup)
    assert setup.studies.result().finished
    assert checkpoints(tmp_path) == []
