"""An objective of one's own, in its own unit: no target that nobody gave, and doubts are said."""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from walking import micro

from optuna_egnas import (
    LinkedStudies,
    MacroSampler,
    MacroSpace,
    MicroSampler,
    create_linked_studies,
)
from optuna_egnas._core.encoding import Names
from optuna_egnas._core.proposal import Done
from optuna_egnas._translate import suggest
from optuna_egnas.errors import EgnasWarning

SMALL: dict[str, Any] = {
    "min_depth": 2,
    "max_depth": 8,
    "min_width": 8,
    "max_width": 8,
    "input_shape": (3, 8, 8),
}
PERCENT = {"depth_gain": 0.1, "depth_slack": 0.05}


def depths(
    value: Callable[[int], float], *, direction: str = "maximize", **space: Any
) -> list[int]:
    """The depths that a study of one's own tries; `value` is that of each depth."""
    study = optuna.create_study(
        direction=direction, sampler=MacroSampler(MacroSpace(**{**SMALL, **space}))
    )

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_int("width", 8, 8)
        return value(trial.suggest_int("depth", 2, 8))

    study.optimize(objective)
    return [trial.params["depth"] for trial in study.get_trials(states=[TrialState.COMPLETE])]


@pytest.mark.parametrize(
    ("value", "space"),
    [
        (lambda depth: 90.0 + depth, PERCENT),
        (lambda depth: 0.99 + 0.001 * depth, {}),  # reaches 0.999, and 1 is a fraction
        (lambda depth: 90.0 + depth, {**PERCENT, "n_valid": 100}),
        (lambda depth: 90.0 + depth, {**PERCENT, "target_accuracy": None}),
        (lambda depth: 90.0 + depth, {**PERCENT, "target_accuracy": 98.1}),
        (lambda depth: 1e307 * depth, {"depth_gain": 1e8, "depth_slack": 1e8}),
        (lambda depth: -3.0 + 0.2 * depth, PERCENT),
    ],
    ids=["percent", "near 1", "counts", "no target", "own target", "huge", "negative"],
)
def test_a_walk_goes_on_whatever_the_unit_where_nobody_gave_a_target(
    value: Callable[[int], float], space: dict[str, Any]
) -> None:
    assert depths(value, **space) == [2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0, 1e12, 1e305])
@pytest.mark.parametrize("n_valid", [None, 50])
def test_losses_of_any_size_are_minimized(scale: float, n_valid: int | None) -> None:
    """In silence: of a loss nobody knows whether the thresholds are meant."""
    tried = depths(lambda depth: (20 - depth) * scale, direction="minimize", n_valid=n_valid)
    assert tried == [2, 3, 4, 5, 6, 7, 8]
    assert depths(lambda depth: depth * scale, direction="minimize") == [2, 3, 4, 5]


def test_scores_that_are_no_fractions_are_no_counts() -> None:
    """Of 10 images an accuracy has steps of 0.1; a score in per cents has not."""
    assert depths(lambda depth: 90 + 0.01 * depth, n_valid=10, **fine()) == [*range(2, 9)]


def fine() -> dict[str, float]:
    return {"depth_gain": 0.005, "depth_slack": 0.001}


def linked() -> LinkedStudies:
    shared = {"input_shape": (3, 8, 8), "n_valid": None}
    return create_linked_studies(
        storage=None, name="own", macro=MacroSpace(**SMALL), micro=micro(**shared)
    )


def train_linked(studies: LinkedStudies, score: float) -> list[str]:
    """Tell the next macro candidate's score; the phases of the walk so far."""
    reader = studies.reader("macro")
    assert reader is not None
    trial = studies.macro.ask()
    suggest(trial, reader.space, Names())
    studies.macro.tell(trial, score)
    walk = studies.walk("macro")
    assert walk is not None
    return [step.proposal.phase for step in walk.steps]


@pytest.mark.parametrize("target", [0.95, 1.0])
def test_a_target_that_was_given_counts(target: float) -> None:
    assert depths(lambda depth: target, target_accuracy=target) == [2]


def test_in_linked_studies_the_published_target_counts() -> None:
    studies = linked()
    assert train_linked(studies, 0.9995) == ["depth"]
    assert isinstance(studies.frontier("macro"), Done), "one width only"


# What is said


@pytest.mark.parametrize(
    ("value", "space", "said"),
    [
        (93.5, {}, r"value 93.5 is no fraction .* depth_gain=0.001, depth_slack=0.0005 of"),
        (93.5, {"depth_gain": 0.1}, r"but depth_slack=0.0005 of the space"),
        (93.5, {**PERCENT, "target_accuracy": 0.95}, r"but target_accuracy=0.95 of the space"),
        (-0.3, {}, r"value -0.3 is no fraction within 0 to 1"),
        (1e308, {}, r"value 1e\+308 is no fraction"),
        (93.5, {"policy": "sound", "target_accuracy": 0.9}, r"target_accuracy=0.9"),
    ],
)
def test_thresholds_of_fractions_are_doubted_once_where_a_value_is_none(
    value: float, space: dict[str, Any], said: str
) -> None:
    with pytest.warns(EgnasWarning, match=said) as seen:
        depths(lambda depth: value, **space)
    assert len(seen) == 1
    assert len(str(seen[0].message)) < 400


def test_a_target_under_a_study_that_minimizes_has_no_effect_and_is_said() -> None:
    with pytest.warns(EgnasWarning, match=r"target_accuracy=0.9 .* but the study minimizes"):
        tried = depths(lambda depth: 20 - depth, direction="minimize", target_accuracy=0.9)
    assert tried == [*range(2, 9)]


@pytest.mark.parametrize(
    ("value", "space"),
    [
        (0.0, {}),
        (1.0, {}),
        (93.5, PERCENT),
        (93.5, {"depth_gain": 0.001, "depth_slack": 0.0005}),  # as the published ones, but given
        (93.5, {"policy": "sound"}),
    ],
)
def test_what_may_be_meant_is_not_doubted(value: float, space: dict[str, Any]) -> None:
    assert depths(lambda depth: value, **space)


def test_a_linked_study_whose_values_are_per_cents_says_that_its_target_is_none() -> None:
    with pytest.warns(EgnasWarning, match=r"value 93 is no fraction .* target_accuracy=1.0"):
        train_linked(linked(), 93.0)


def test_a_micro_study_has_no_thresholds_to_doubt() -> None:
    study = optuna.create_study(direction="maximize", sampler=MicroSampler(micro(depth=1)))

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_int("width", 1, 8)
        trial.suggest_categorical("op_00", ["sep", "conv"])
        trial.suggest_categorical("kernel_00", [3, 5])
        return 93.5

    study.optimize(objective)
    assert len(study.get_trials(states=[TrialState.COMPLETE])) >= 2


@pytest.mark.parametrize("accuracy", [95.0, "high", None, [1], True])
def test_a_training_accuracy_that_is_no_fraction_ends_no_phase(accuracy: Any) -> None:
    study = optuna.create_study(direction="maximize", sampler=MacroSampler(MacroSpace(**SMALL)))

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_int("width", 8, 8)
        trial.set_user_attr("train_accuracy", accuracy)
        return 0.5 + 0.01 * trial.suggest_int("depth", 2, 8)

    study.optimize(objective)
    assert len(study.get_trials(states=[TrialState.COMPLETE])) == 7


# What the published values are


def test_a_published_threshold_is_its_value_everywhere() -> None:
    space = MacroSpace()
    assert space == MacroSpace(target_accuracy=1.0, depth_gain=0.001, depth_slack=0.0005)
    assert hash(space) == hash(MacroSpace(target_accuracy=1.0))
    assert "target_accuracy=1.0" in repr(space)
    assert json.loads(json.dumps(space.to_json()))["target_accuracy"] == 1.0
    assert MacroSpace.from_json(json.loads(json.dumps(space.to_json()))) == space


@pytest.mark.parametrize(
    "copied",
    [
        lambda space: replace(space, n_valid=100),
        lambda space: pickle.loads(pickle.dumps(space)),
    ],
)
def test_a_copy_does_not_make_it_given(copied: Callable[[MacroSpace], MacroSpace]) -> None:
    sampler = MacroSampler(copied(MacroSpace(**SMALL, **PERCENT)))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    assert sampler.reader(study).space.target_accuracy is None  # type: ignore[union-attr]


def test_a_doubt_that_is_an_error_leaves_the_study_usable() -> None:
    study = optuna.create_study(direction="maximize", sampler=MacroSampler(MacroSpace(**SMALL)))
    for depth in (2, 3):
        trial = study.ask()
        assert trial.suggest_int("depth", 2, 8) == depth
        trial.suggest_int("width", 8, 8)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EgnasWarning)
            study.tell(trial, 90.0 + depth)
    assert [trial.value for trial in study.trials] == [92.0, 93.0]
