"""Losses of any size: no finite value ends a study, and no outlier blunts the pruning."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.trial import Trial, TrialState
from walking import macro

from optuna_egnas import Budget, BudgetPruner, MacroSampler
from optuna_egnas._core.stopping import Bars, Curve, Keep, Stop, predict, stopping_decision

EPOCHS = 10
Draw = Callable[[random.Random], float]
LARGEST, DENORMAL = sys.float_info.max, 5e-324


def any_size(dice: random.Random) -> float:
    return dice.choice((1, -1)) * math.ldexp(dice.random(), dice.randint(-1073, 1024))


def mostly_usual(dice: random.Random) -> float:
    return any_size(dice) if dice.random() < 0.2 else dice.random()


DRAWS: dict[str, Draw] = {
    "any size": any_size,
    "mostly usual": mostly_usual,
    "the largest": lambda dice: dice.choice((LARGEST, -LARGEST, LARGEST * dice.random())),
    "denormals": lambda dice: dice.choice((1, -1)) * DENORMAL * dice.randint(0, 9),
    "constant": lambda dice: 0.7,
    "nought": lambda dice: 0.0,
    "ties": lambda dice: dice.choice((0.5, 0.5, 0.5, 0.75)),
    "rounding": lambda dice: 0.3 + dice.randint(-2, 2) * 2**-54,
    "ties and tiny": lambda dice: dice.choice((1.0, 1.0, 1 + 2**-52, DENORMAL, 1e-200)),
    "all kinds": lambda dice: DRAWS[dice.choice([*DRAWS][:-1])](dice),
}


def drawn(dice: random.Random, draw: Draw, *, until: int = EPOCHS) -> Curve:
    values = tuple(draw(dice) for _ in range(until))
    return Curve(
        progress=tuple((epoch + 1) / EPOCHS for epoch in range(until)),
        values=values,
        size=(math.log(dice.randint(1, 9)), dice.random()),
        score=draw(dice) if until == EPOCHS else None,
    )


@pytest.mark.parametrize("kind", DRAWS)
def test_any_finite_values_get_a_verdict(kind: str) -> None:
    dice, draw = random.Random(kind), DRAWS[kind]
    for _ in range(150):
        finished = [drawn(dice, draw) for _ in range(dice.randint(5, 40))]
        candidate = drawn(dice, draw, until=dice.randint(1, EPOCHS))
        bars = Bars(accept=draw(dice), neutral=dice.choice((None, draw(dice))))
        error = dice.choice((None, DENORMAL, abs(draw(dice))))

        said = stopping_decision(candidate, finished, bars, risk=dice.random(), error=error)
        foreseen = predict(candidate, finished, error=error)

        assert isinstance(said, Keep) or 0 <= said.chance < 1
        assert foreseen is None or not math.isnan(foreseen.mean + foreseen.deviation)


@pytest.mark.parametrize("exponent", [-900, -60, 60, 900])
def test_the_unit_of_the_values_plays_no_part(exponent: int) -> None:
    def study(scale: float) -> list[Keep | float]:
        dice = random.Random(1)
        said: list[Keep | float] = []
        for _ in range(30):
            finished = [drawn(dice, lambda dice: scale * dice.random()) for _ in range(9)]
            candidate = drawn(dice, lambda dice: scale * dice.random(), until=8)
            stop = stopping_decision(candidate, finished, Bars(accept=2 * scale), risk=0.5)
            said.append(stop.chance if isinstance(stop, Stop) else stop)
        return said

    assert study(2.0**exponent) == study(1.0)
    assert any(isinstance(each, float) for each in study(1.0))


# Whole studies


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize("kind", ["any size", "the largest", "all kinds", "not finite"])
@pytest.mark.parametrize("walk", [False, True])
def test_no_finite_value_ends_a_study(direction: str, kind: str, walk: bool) -> None:
    dice = random.Random(f"{direction} {kind}")
    strange = (math.nan, math.inf, -math.inf)
    sampler = MacroSampler(SPACE) if walk else RandomSampler(seed=0)
    study = optuna.create_study(direction=direction, sampler=sampler)
    study.pruner = BudgetPruner(None if walk else Budget(epochs=4), risk=0.3)

    def objective(trial: Trial) -> float:
        trial.suggest_int("depth", 1, 50)
        trial.suggest_int("width", 1, 99)
        for epoch in range(1, 5):
            value = DRAWS.get(kind, any_size)(dice)
            if kind == "not finite" and dice.random() < 0.3:
                value = dice.choice(strange)
            trial.report(value, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    study.optimize(objective, n_trials=40)

    assert len(study.trials) >= 10


SPACE = macro(
    max_depth=8,
    max_width=40,
    min_width=8,
    base_epochs=4,
    epochs_per_layer=0,
    epochs_per_width_step=0,
    width_patience=20,
    depth_gain=0.1,
    depth_slack=0.05,
    n_valid=100,
)


def trained(*, direction: str, bad: frozenset[int], wrong: Draw, top: int = 1) -> list[bool]:
    """Which of 40 trainings are stopped; the losses of the `bad` ones are `wrong`."""
    dice, sign = random.Random(3), -1 if direction == "maximize" else 1
    study = optuna.create_study(direction=direction, sampler=RandomSampler(seed=1))
    study.pruner = BudgetPruner(Budget(epochs=EPOCHS), top=top)

    def objective(trial: Trial) -> float:
        q = trial.suggest_float("q", 0, 1)
        for epoch in range(EPOCHS):
            loss = (2.3 - 2 * q) * math.exp(-epoch / 4) + 1 - q + 0.02 * dice.random()
            if trial.number in bad:
                loss = wrong(dice)
            trial.report(sign * loss, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return sign * loss

    study.optimize(objective, n_trials=40)
    return [trial.state is TrialState.PRUNED for trial in study.trials]


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda dice: 1e9 * dice.random(),
        lambda dice: 1e9,
        lambda dice: 60 * dice.random(),
        lambda dice: LARGEST * dice.random(),
        lambda dice: dice.choice((1, -1)) * 1e9 * dice.random() + 2e9,
    ],
    ids=["1e9", "always 1e9", "60", "the largest", "up and down"],
)
@pytest.mark.parametrize("bad", [{0, 3}, {1, 2, 6, 7}])
def test_outliers_do_not_blunt_the_pruning(direction: str, wrong: Draw, bad: set[int]) -> None:
    usual = trained(direction=direction, bad=frozenset(), wrong=wrong)
    stopped = trained(direction=direction, bad=frozenset(bad), wrong=wrong)
    assert sum(usual) >= 28
    assert sum(stopped) >= 0.8 * sum(usual)


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_a_diverging_training_is_stopped_itself(direction: str) -> None:
    bad = frozenset(range(10, 40, 3))
    stopped = trained(direction=direction, bad=bad, wrong=lambda dice: 10 ** dice.uniform(3, 308))
    assert all(stopped[number] for number in bad)
