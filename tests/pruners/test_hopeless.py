"""BudgetPruner stops those whose curve will not pass the bar, at equal progress."""

from __future__ import annotations

import math
from pathlib import Path

import optuna
import pytest
from linking import suggest
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.trial import Trial, TrialState
from walking import macro, micro

from optuna_egnas import Budget, BudgetPruner, MacroSampler, create_linked_studies, training_budget
from optuna_egnas._storage.reader import Reader
from optuna_egnas.methods import Verdict

FINALS = (0.899, 0.900, 0.901, 0.902, 0.903)
SPACE = macro(max_depth=12, n_valid=10_000, base_epochs=20)


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> BaseStorage:
    if request.param == "memory":
        return InMemoryStorage()
    return RDBStorage(f"sqlite:///{tmp_path}/study.db")


def value(score: float, progress: float, number: int = 0) -> float:
    """A curve of accuracies that ends at `score`."""
    ripple = 0.01 * (1 - progress) * math.sin(7 * number + 20 * progress)
    return score - 0.3 * (1 - progress) ** 2 + ripple


def train(
    trial: Trial, score: float, *, sign: float = 1, first: int = 1, since: int = 1
) -> int | None:
    """Report the epochs of a training; the epoch at which it was stopped."""
    epochs = training_budget(trial).epochs
    for epoch in range(since, epochs + 1):
        trial.report(sign * value(score, epoch / epochs, trial.number), epoch - 1 + first)
        pruned = trial.should_prune()
        assert type(pruned) is bool
        if pruned:
            trial.study.tell(trial, state=TrialState.PRUNED)
            return epoch
    trial.study.tell(trial, sign * score)
    return None


def other_study(
    storage: BaseStorage | None = None, *, sign: float = 1, first: int = 1, **pruner: float
) -> optuna.Study:
    """A study of another sampler, with a few finished trials whose budgets differ."""
    study = optuna.create_study(
        storage=storage,
        direction="maximize" if sign > 0 else "minimize",
        sampler=RandomSampler(seed=0),
        pruner=BudgetPruner(Budget(epochs=10), policy="paper", **pruner),  # type: ignore[arg-type]
    )
    for score in FINALS:
        assert train(study.ask(), score, sign=sign, first=first) is None
    return study


# Other samplers


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("first", [0, 1])
def test_the_hopeless_is_stopped_and_says_why(
    storage: BaseStorage, sign: float, first: int
) -> None:
    study = other_study(storage, sign=sign, first=first)

    assert train(study.ask(), 0.91, sign=sign, first=first) is None
    stopped = train(study.ask(), 0.86, sign=sign, first=first)

    assert stopped is not None
    assert stopped < 16
    said = study.trials[-1].user_attrs
    assert study.trials[-1].state is TrialState.PRUNED
    assert said["stopped_by"] == "budget"
    assert f"against {sign * 0.91:.5g}: the chance to pass is" in said["stopped"]


def test_equal_progress_counts_not_equal_steps() -> None:
    """A longer budget is behind at every step, and must not be stopped for it."""
    study = other_study()
    study.pruner = BudgetPruner(Budget(epochs=60))
    assert train(study.ask(), 0.904) is None


def test_among_the_best_k_is_enough() -> None:
    bests = [train(other_study(top=top).ask(), 0.8995) for top in (1, 5)]
    assert bests[0] is not None
    assert bests[1] is None


def test_a_resumed_trial_goes_on_from_where_it_was() -> None:
    whole, resumed = other_study(), other_study()
    at = train(whole.ask(), 0.86)
    assert at is not None
    assert train(resumed.ask(), 0.86, since=at) == at


def test_values_that_are_not_finite_are_passed_over() -> None:
    study = other_study()
    trial = study.ask()
    epochs = training_budget(trial).epochs
    for epoch in range(1, epochs):
        trial.report(math.nan if epoch % 2 else math.inf, epoch)
        assert trial.should_prune() is False
    study.tell(trial, state=TrialState.FAIL)
    assert train(study.ask(), 0.86) is not None


def test_it_remembers_nothing(storage: BaseStorage) -> None:
    study = other_study(storage)
    trial = study.ask()
    epochs = training_budget(trial).epochs
    said = []
    for epoch in range(1, epochs):
        trial.report(value(0.86, epoch / epochs), epoch)
        said.append((trial.should_prune(), BudgetPruner().prune(study, study.trials[-1])))
    assert all(old == new for old, new in said)
    assert (True, True) in said


def test_without_any_budget_nobody_is_stopped() -> None:
    study = other_study()
    study.pruner = BudgetPruner()
    trial = study.ask()
    for step in range(1, 10):
        trial.report(0.0, step)
        assert trial.should_prune() is False


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_it_works_inside_optimize_with_threads(n_jobs: int) -> None:
    study = other_study()

    def objective(trial: Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        epochs = training_budget(trial).epochs
        for epoch in range(1, epochs + 1):
            trial.report(value(0.8 + 0.1 * x, epoch / epochs, trial.number), epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return 0.8 + 0.1 * x

    study.optimize(objective, n_trials=20, n_jobs=n_jobs)

    pruned = [trial for trial in study.trials if trial.state is TrialState.PRUNED]
    assert len(pruned) >= 10
    assert all(trial.user_attrs["stopped_by"] == "budget" for trial in pruned)
    assert max(0.8 + 0.1 * trial.params["x"] for trial in pruned) < study.best_value


# Under a walk


def walk_study(direction: str = "maximize") -> optuna.Study:
    studies = create_linked_studies(
        storage=None, name="own", macro=SPACE, micro=micro(n_valid=10_000)
    )
    studies.macro.pruner = BudgetPruner()
    return studies.macro


def step(study: optuna.Study, score: float) -> int | None:
    trial = study.ask()
    suggest(trial, SPACE)
    return train(trial, score)


def verdicts(study: optuna.Study) -> list[Verdict]:
    reader = Reader.of(study, SPACE)
    return [each.verdict for each in SPACE.follow(reader.history(study)).steps]


def test_a_stop_far_below_is_a_fail_of_the_walk() -> None:
    study = walk_study()
    for score in (0.90, 0.91, 0.92, 0.93, 0.94):
        assert step(study, score) is None

    assert step(study, 0.91) is not None

    assert verdicts(study)[-1] is Verdict.REFUSED
    assert study.trials[-1].user_attrs["stopped_below"] == "neutral"


def test_the_bar_is_the_walks_own_not_the_best_trial() -> None:
    """An enqueued trial that is far better is no incumbent of the walk."""
    study = walk_study()
    for score in (0.90, 0.91, 0.92, 0.93, 0.94):
        step(study, score)
    study.add_trial(optuna.trial.create_trial(value=0.99))
    assert step(study, 0.95) is None
    assert verdicts(study)[-1] is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("below", "verdict"),
    [("accept", Verdict.NEUTRAL), ("neutral", Verdict.REFUSED), (None, Verdict.REFUSED)],
)
def test_what_a_stop_is_below_is_what_the_walk_takes_it_for(
    below: str | None, verdict: Verdict
) -> None:
    study = walk_study()
    step(study, 0.9)
    trial = study.ask()
    suggest(trial, SPACE)
    if below is not None:
        trial.set_user_attr("stopped_below", below)
    study.tell(trial, state=TrialState.PRUNED)
    assert verdicts(study) == [Verdict.BASELINE, verdict]


def test_in_a_phase_without_neutral_answers_each_stop_is_a_fail() -> None:
    study = walk_study()
    step(study, 0.9)
    while study.trials[-1].params["width"] == SPACE.max_width:
        step(study, 0.5)
    trial = study.ask()
    suggest(trial, SPACE)
    trial.set_user_attr("stopped_below", "accept")
    study.tell(trial, state=TrialState.PRUNED)
    assert verdicts(study)[-1] is Verdict.REFUSED


def test_a_search_stops_nobody_as_hopeless_by_default() -> None:
    studies = create_linked_studies(
        storage=None, name="own", macro=SPACE, micro=micro(n_valid=10_000)
    )
    for score in (0.90, 0.91, 0.92, 0.93, 0.94, 0.5):
        assert step(studies.macro, score) is None


def test_an_enqueued_trial_of_a_walk_is_trained_to_the_end() -> None:
    study = walk_study()
    for score in (0.90, 0.91, 0.92, 0.93, 0.94):
        step(study, score)
    study.enqueue_trial({"depth": 11, "width": 8, "epochs": 20})
    assert step(study, 0.5) is None


def test_the_sampler_in_a_study_that_minimises() -> None:
    study = optuna.create_study(
        direction="minimize", sampler=MacroSampler(SPACE), pruner=BudgetPruner()
    )
    stops = []
    for score in (0.90, 0.91, 0.92, 0.93, 0.94, 0.86):
        trial = study.ask()
        trial.suggest_int("depth", 1, 50)
        trial.suggest_int("width", 1, 99)
        epochs = training_budget(trial).epochs
        trial.set_user_attr("budget", {"epochs": epochs})
        stops.append(train(trial, score, sign=-1))
    assert stops[:5] == [None] * 5
    assert stops[5] is not None


def test_a_look_ahead_is_held_against_the_decided_incumbent() -> None:
    study = walk_study()
    for score in (0.90, 0.91, 0.92, 0.93, 0.94):
        step(study, score)
    trials = [study.ask() for _ in range(2)]
    for trial in trials:
        suggest(trial, SPACE)

    assert train(trials[1], 0.91) is not None

    assert trials[0].number < trials[1].number
    assert "against 0.9395: the chance" in study.trials[-1].user_attrs["stopped"]
