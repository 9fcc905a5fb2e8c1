"""A search that is killed, stopped, starved or cheated ends as the unbroken one does."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from folders import in_memory
from optuna.trial import TrialState
from searching import (
    MACRO_OF_ONE,
    NAME,
    At,
    bars,
    elsewhere,
    left_over,
    options,
    searched,
    story,
    url,
)
from torch import nn

from optuna_egnas import load_linked_studies
from optuna_egnas._claims import fail_trial
from optuna_egnas._link import read_places
from optuna_egnas._search import prepare
from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation import _network
from optuna_egnas.evaluation._account import Progress
from optuna_egnas.samplers._walk import WalkSampler


@pytest.fixture(scope="module")
def unbroken() -> list[dict[str, Any]]:
    with in_memory() as folder:
        return story(searched(folder))


def check_ended_well(folder: Path, unbroken: list[dict[str, Any]]) -> None:
    studies = load_linked_studies(storage=url(folder), name=NAME)
    assert story(studies) == unbroken
    assert studies.result().finished
    assert left_over(folder) == [], "old checkpoints are gone"
    states = {trial.state for trial in [*studies.macro.trials, *studies.micro.trials]}
    assert TrialState.RUNNING not in states


def test_killed_again_and_again(folder: Path, unbroken: list[dict[str, Any]]) -> None:
    kill = signal.SIGKILL
    assert elsewhere(folder, At(2, 3, kill)) == -kill
    assert len(left_over(folder)) == 2
    assert elsewhere(folder, At(0, 1, kill)) == -kill, "at the first sign of the same candidate"
    assert elsewhere(folder, At(3, 2, kill)) == -kill

    studies = searched(folder)

    check_ended_well(folder, unbroken)
    trials = studies.macro.trials
    killed, again, after = trials[2:5]
    assert (killed.state, again.state) == (TrialState.FAIL, TrialState.FAIL)
    assert killed.params == again.params == after.params
    resumed = [trial.user_attrs.get("resumed_from") for trial in (killed, again, after)]
    assert resumed == [None, 2, 2], "it went on from its checkpoint"
    done = sum(trial.state is TrialState.COMPLETE for trial in [*trials, *studies.micro.trials])
    assert done == len(unbroken), "nothing was trained to its end twice"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_in_order(
    number: int, code: int, folder: Path, unbroken: list[dict[str, Any]]
) -> None:
    assert elsewhere(folder, At(1, 2, number)) == code

    stopped = load_linked_studies(storage=url(folder), name=NAME).macro.trials[-1]
    assert stopped.state is TrialState.FAIL
    assert stopped.user_attrs["dropped"] == "stopped by its user"
    assert len(left_over(folder)) == 2
    studies = searched(folder)

    check_ended_well(folder, unbroken)
    assert studies.macro.trials[stopped.number + 1].user_attrs["resumed_from"] == 2, (
        "no epoch lost"
    )


def test_interrupted_while_a_trial_is_made(
    folder: Path, unbroken: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(WalkSampler, "_claim", interrupted)
        with pytest.raises(KeyboardInterrupt):
            searched(folder)

    (trial,) = load_linked_studies(storage=url(folder), name=NAME).macro.trials
    assert trial.state is TrialState.FAIL, "in a live process nobody else would end it"
    searched(folder)
    check_ended_well(folder, unbroken)


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_trial_that_others_end_is_dropped(
    epoch: int, folder: Path, unbroken: list[dict[str, Any]]
) -> None:
    ended: list[int] = []

    def watch(event: Progress) -> None:
        if event.epoch == epoch and event.verdict is None and not ended:
            study = load_linked_studies(storage=url(folder), name=NAME).macro
            ended.append(study.trials[-1].number)
            fail_trial(study, study.trials[-1])

    studies = searched(folder, watch=watch)

    assert studies.macro.trials[ended[0]].state is TrialState.FAIL
    check_ended_well(folder, unbroken)


class Spoilt(nn.Module):
    """A convolution that fails in its own way where it has so many channels."""

    kind = "nan"
    channels = 8
    """Those of the first layer at width 4, which doubles them."""
    calls = 0

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.spoilt = outputs == Spoilt.channels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.inner(images)
        if not (self.spoilt and self.training):
            return features
        Spoilt.calls += 1
        if Spoilt.kind == "nan":
            return features * float("nan")
        raise RuntimeError(Spoilt.kind)


@pytest.mark.parametrize(
    ("kind", "trials", "reason", "calls"),
    [
        ("nan", 1, "NonFiniteLoss: The loss must stay finite, but got nan in epoch 1.", None),
        ("a broken kernel", 2, "RuntimeError: a broken kernel", 2),
    ],
    ids=["nan", "exception"],
)
def test_a_candidate_that_fails_is_refused_with_its_reason(
    kind: str,
    trials: int,
    reason: str,
    calls: int | None,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_network, "separable", Spoilt)
    monkeypatch.setattr(Spoilt, "kind", kind)
    monkeypatch.setattr(Spoilt, "calls", 0)
    changes = {"macro": {**MACRO_OF_ONE, "min_width": 4}, "micro": {"epochs": 1}}

    studies = searched(folder, **changes)

    failed = [trial for trial in studies.macro.trials if trial.state is TrialState.FAIL]
    assert [trial.user_attrs["error"] for trial in failed] == [reason] * trials
    assert len({json.dumps(trial.params) for trial in failed}) == 1
    walk = studies.walk("macro")
    assert walk is not None and walk.steps[-1].verdict.value == "refused"
    assert studies.result().finished
    assert left_over(folder) == []
    assert calls is None or Spoilt.calls == calls


@pytest.mark.parametrize(
    ("by", "kept"), [("premise", True), ("limit", True), (None, False)], ids=str
)
def test_a_stop_that_is_no_verdict_keeps_its_checkpoint(
    by: str | None, kept: bool, folder: Path
) -> None:
    class Stopper(optuna.pruners.NopPruner):
        def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
            if by is not None:
                study._storage.set_trial_user_attr(trial._trial_id, "stopped_by", by)
            return trial.last_step == 2

    setup = prepare(bars(), storage=url(folder), name=NAME, options=options(folder))
    setup.studies.macro.pruner = Stopper()

    setup.studies.macro.optimize(setup.objective, n_trials=1)

    assert setup.studies.macro.trials[0].state is TrialState.PRUNED
    assert bool(left_over(folder)) is kept
    setup.objective.forget(setup.studies.macro)
    assert left_over(folder) == []


class TestPlaces:
    def test_a_resumed_search_follows_or_says_that_it_moves(self, folder: Path) -> None:
        def prepared(artifacts: str | None) -> Any:
            chosen = options(folder, artifacts=artifacts)
            return prepare(bars(), storage=url(folder), name=NAME, options=chosen)

        first = prepared(str(folder / "one"))
        assert read_places(first.studies.micro) == {"artifacts": str(folder / "one")}
        assert first.moved_from is None
        assert prepared(None).moved_from is None
        assert read_places(prepared(None).studies.macro) == {"artifacts": str(folder / "one")}

        moved = prepared(str(folder / "two"))

        assert moved.moved_from == str(folder / "one")
        assert read_places(moved.studies.macro) == {"artifacts": str(folder / "two")}

    def test_another_way_of_training_is_another_search(self, folder: Path) -> None:
        searched(folder, macro=MACRO_OF_ONE, micro={"epochs": 1})

        with pytest.raises(SearchError, match="deterministic is False there, but got True"):
            searched(folder, macro=MACRO_OF_ONE, micro={"epochs": 1}, deterministic=True)
