"""The samplers in Optuna's own ways of running a study, against the walk of the pure core."""

from __future__ import annotations

import threading
from collections.abc import Callable

import optuna
import pytest
from objectives import MACRO, asked, macro_objective, score_macro, walked
from optuna.samplers import RandomSampler
from optuna.trial import Trial, TrialState
from walking import macro, micro, walk_with

from optuna_egnas import MacroSampler, MacroSpace, MicroSampler, MicroSpace
from optuna_egnas.errors import NothingToTrain, SearchDone
from optuna_egnas.methods import Done

MICRO = micro(depth=3)


def micro_objective(trial: Trial) -> float:
    trial.suggest_int("width", 1, 8)
    answers = 500
    for layer in range(3):
        answers += 5 * (trial.suggest_categorical(f"op_{layer:02d}", ["sep", "conv"]) == "conv")
        answers -= 3 * (trial.suggest_categorical(f"kernel_{layer:02d}", [3, 5]) == 5)
    return answers / 1000


def test_optimize_makes_the_walk_and_stops_by_itself() -> None:
    study = optuna.create_study(direction="maximize", sampler=MacroSampler(MACRO))

    study.optimize(macro_objective, n_trials=100)

    assert asked(study, "depth", "width") == walked(MACRO)
    assert study.trials[-1].state is TrialState.PRUNED, "the one empty trial at the end"
    assert study.trials[-1].params == {}


def test_minimising_makes_the_same_walk() -> None:
    study = optuna.create_study(direction="minimize", sampler=MacroSampler(MACRO))

    study.optimize(lambda trial: 1 - macro_objective(trial))

    assert asked(study, "depth", "width") == walked(MACRO)


def test_an_ended_walk_stays_ended() -> None:
    study = optuna.create_study(direction="maximize", sampler=MacroSampler(MACRO))
    study.optimize(macro_objective)
    before = len(study.trials)

    study.optimize(macro_objective, n_trials=5)

    assert len(study.trials) == before + 1
    assert asked(study, "depth", "width") == walked(MACRO)


def test_ask_and_tell_make_the_walk_and_end_with_an_error() -> None:
    study = optuna.create_study(direction="maximize", sampler=MacroSampler(MACRO))
    for expected in walked(MACRO):
        trial = study.ask()
        depth, width = trial.suggest_int("depth", 1, 50), trial.suggest_int("width", 1, 99)
        assert (depth, width) == expected
        study.tell(trial, score_macro(depth, width))

    trial = study.ask()
    with pytest.raises(SearchDone, match="has ended"):
        trial.suggest_int("depth", 1, 50)

    assert study.trials[-1].state is TrialState.FAIL


def test_asking_ahead_gets_the_next_on_the_likeliest_path_then_an_error() -> None:
    space = macro(max_depth=5, min_width=8)
    study = optuna.create_study(direction="maximize", sampler=MacroSampler(space))

    ahead = [study.ask() for _ in range(3)]
    assert [trial.suggest_int("depth", 1, 50) for trial in ahead] == [3, 4, 5]
    none_left = study.ask()
    with pytest.raises(NothingToTrain, match="ask again later"):
        none_left.suggest_int("depth", 1, 50)
    assert study.trials[-1].state is TrialState.FAIL

    for trial, score in zip(ahead, (0.5, 0.6, 0.7), strict=True):
        study.tell(trial, score)
    done = study.ask()
    with pytest.raises(SearchDone):
        done.suggest_int("depth", 1, 50)


@pytest.mark.parametrize("n_jobs", [2, 4])
def test_threads_make_the_same_decisions_as_one_worker(n_jobs: int) -> None:
    study = optuna.create_study(direction="maximize", sampler=MacroSampler(MACRO))
    lock, seen = threading.Lock(), []

    def objective(trial: Trial) -> float:
        value = macro_objective(trial)
        with lock:
            seen.append((trial.params["depth"], trial.params["width"]))
        return value

    study.optimize(objective, n_jobs=n_jobs)

    assert len(set(seen)) == len(seen), "nobody trains what another has"
    assert set(walked(MACRO)) <= set(seen)
    ahead = MacroSampler(MACRO).frontier(study)
    assert isinstance(ahead, Done)
    assert ahead.found is not None
    assert (ahead.found.architecture.depth, ahead.found.architecture.width) == _found()


def _found() -> tuple[int, int]:
    end = walk_with(
        MACRO,
        lambda p: round(
            1000 * score_macro(p.candidate.architecture.depth, p.candidate.architecture.width)
        ),
    ).next
    assert isinstance(end, Done)
    assert end.found is not None
    return end.found.architecture.depth, end.found.architecture.width


def test_the_micro_walk_in_a_study_of_its_own() -> None:
    study = optuna.create_study(direction="maximize", sampler=MicroSampler(MICRO))

    study.optimize(micro_objective)

    assert asked(study, "op_00", "op_01", "op_02") == [
        ("sep", "sep", "sep"),
        ("conv", "sep", "sep"),
        ("conv", "conv", "sep"),
        ("conv", "conv", "conv"),
        *[("conv", "conv", "conv")] * 3,
    ]
    assert asked(study, "kernel_00", "kernel_01", "kernel_02")[4:] == [
        (5, 3, 3),
        (3, 5, 3),
        (3, 3, 5),
    ]


@pytest.mark.parametrize(
    ("sampler", "space"),
    [(MacroSampler, MacroSpace()), (MicroSampler, MicroSpace())],
)
def test_no_argument_means_the_published_space(
    sampler: Callable[[], MacroSampler | MicroSampler], space: MacroSpace | MicroSpace
) -> None:
    study = optuna.create_study(direction="maximize", sampler=sampler())

    trial = study.ask()

    assert trial.suggest_int("depth", 1, 100) == 10
    assert trial.suggest_int("width", 1, 64) == 64
    assert trial.relative_search_space is not None
    assert len(trial.relative_search_space) == (2 if isinstance(space, MacroSpace) else 22)


def test_other_parameters_go_to_the_independent_sampler() -> None:
    class Always7(RandomSampler):
        def sample_independent(self, *args: object, **kwargs: object) -> float:
            return 7.0

    study = optuna.create_study(
        direction="maximize", sampler=MacroSampler(MACRO, independent_sampler=Always7())
    )

    def objective(trial: Trial) -> float:
        assert trial.suggest_float("dropout", 0, 10) == 7.0
        return macro_objective(trial)

    study.optimize(objective)

    assert asked(study, "depth", "width") == walked(MACRO)


def test_parameters_can_have_other_names() -> None:
    sampler = MacroSampler(MACRO, depth="n_layers", width="units")
    study = optuna.create_study(direction="maximize", sampler=sampler)

    study.optimize(
        lambda trial: score_macro(
            trial.suggest_int("n_layers", 1, 50), trial.suggest_int("units", 1, 99)
        )
    )

    assert asked(study, "n_layers", "units") == walked(MACRO)


def test_hyperband_hides_no_trial_from_the_walk() -> None:
    study = optuna.create_study(
        direction="maximize",
        sampler=MacroSampler(MACRO),
        pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=3),
        study_name="seen through a bracket",
    )

    study.optimize(macro_objective)

    assert asked(study, "depth", "width") == walked(MACRO)


def test_ask_and_tell_end_also_under_hyperband() -> None:
    study = optuna.create_study(
        direction="maximize",
        sampler=MacroSampler(macro(max_depth=3, min_width=8)),
        pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=3),
    )
    study.tell(study.ask({"depth": optuna.distributions.IntDistribution(1, 9)}), 0.5)

    trial = study.ask()
    with pytest.raises(SearchDone):
        trial.suggest_int("depth", 1, 9)
