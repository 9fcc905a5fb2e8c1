"""One's own search is written as a trace, which replays to the same end."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import optuna
import pytest
from commands import TINY, Shell
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, Trial, TrialState
from tracing import DATASET, N_TRAIN, N_VALID, Record, answers, replayed, searched, tell
from walking import macro, micro

from optuna_egnas import LinkedStudies, create_linked_studies
from optuna_egnas.errors import SearchError
from optuna_egnas.methods import Candidate
from optuna_egnas.replay import read_trace, replay, write_trace


def test_a_real_search_is_written_and_replayed_and_nothing_else_is_written_over(
    egnas: Shell,
) -> None:
    egnas.write("tiny.toml", TINY)
    searched_for = egnas("search", "tiny.toml", "--json").record
    before = egnas.files()

    for place, words in (
        ("egnas.db", "is none"),
        ("tiny.toml", "is none"),
        ("no/such/folder.json", "No such file"),
        (".", "Is a directory"),
    ):
        egnas.refuses("show", "--trace", place, saying=(place, words))
    written = egnas("show", "--trace", "own.json", "--json")
    again = egnas("show", "--trace", "own.json")

    assert written.record["architecture"] == searched_for["architecture"]
    assert again.code == 0, "a trace may be written over"
    assert set(egnas.files()) - set(before) == {"own.json"}
    seen = egnas("replay", "own.json", "--json").record
    assert seen["match"]
    assert seen["candidates"] == searched_for["candidates"]
    assert seen["epochs"] == searched_for["epochs"]
    assert seen["final"]["params"] == searched_for["params"]
    record = json.loads((egnas.folder / "own.json").read_text())
    assert record["n_train"] == 155
    assert record["n_valid"] == 45


def test_thresholds_limits_and_choices_come_back_as_they_were(tmp_path: Path) -> None:
    space = {"depth_gain": 0.0015, "target_accuracy": None, "max_params": 20_000}
    studies = searched(**space)
    path = tmp_path / "own.json"
    path.write_text(json.dumps(write_trace(studies)))

    found = read_trace(path)

    assert found.macro == studies.link.space
    reader = studies.reader("micro")
    assert reader is not None
    assert found.micro.operations == ("sep", "conv")
    assert (found.micro.epochs, found.micro.param_slack) == (2, 10_000)
    assert replay(found).match


def fail_some(studies: LinkedStudies, trial: Trial, candidate: Candidate) -> None:
    """Some candidates are stopped by a pruner, some fail by themselves."""
    if candidate.architecture.depth == 6:
        trial.report(float("nan"), 1)
        trial.report(0.5, 2)
        trial.set_user_attr("stopped", "stopped by the pruner")
        trial.study.tell(trial, state=TrialState.PRUNED)
    elif candidate.architecture.ops.count("conv") == 2:
        trial.set_user_attr("error", "NonFiniteLoss: it exploded")
        trial.set_user_attr("error_is_final", True)
        trial.study.tell(trial, state=TrialState.FAIL)
    else:
        tell(studies, trial, candidate)


def test_refused_candidates_are_recorded_with_their_reasons(tmp_path: Path) -> None:
    record = write_trace(searched(fail_some))

    reasons = {each.get("refused") for each in record["candidates"]}
    assert reasons == {None, "stopped by the pruner", "NonFiniteLoss: it exploded"}
    assert replayed(record, tmp_path).match


def test_the_trial_that_counted_is_the_one_that_is_written(tmp_path: Path) -> None:
    """A second worker may have trained the same; the walk takes what ended first."""
    studies = searched()
    first = studies.macro.trials[1]
    double = optuna.trial.create_trial(
        params=first.params,
        distributions=first.distributions,
        value=0.001,
        intermediate_values={1: 0.001},
        system_attrs=first.system_attrs,
    )
    assert first.datetime_complete is not None
    double.datetime_complete = first.datetime_complete + timedelta(minutes=1)
    studies.macro.add_trial(double)
    lost = copy.copy(double)
    lost.state, lost.values = TrialState.FAIL, None
    studies.macro.add_trial(lost)

    assert replayed(write_trace(studies), tmp_path).match


def test_a_trial_that_does_not_say_its_epochs_is_written_with_those_it_stands_for(
    tmp_path: Path,
) -> None:
    studies = searched()
    kept = [without_epochs(trial) for trial in studies.macro.trials]
    bare = create_linked_studies(
        storage=None, name="own", macro=macro(max_depth=7), micro=micro(), dataset=DATASET
    )
    bare.macro.add_trials(kept)
    bare.micro.add_trials(studies.micro.trials)

    assert replayed(write_trace(bare), tmp_path).match


def without_epochs(trial: FrozenTrial) -> FrozenTrial:
    names = [name for name in trial.params if name != "epochs"]
    distributions: dict[str, BaseDistribution] = {n: trial.distributions[n] for n in names}
    kept = optuna.trial.create_trial(
        params={name: trial.params[name] for name in names},
        distributions=distributions,
        value=trial.value,
        intermediate_values=trial.intermediate_values,
        user_attrs=trial.user_attrs,
    )
    kept.datetime_complete = trial.datetime_complete or datetime.now()
    return kept


def learn_by_heart(studies: LinkedStudies, trial: Trial, candidate: Candidate) -> None:
    """The fourth depth learns all that its epochs hold: a last batch of one is left out."""
    trial.report(answers(candidate) / N_VALID, 1)
    known = N_TRAIN - (0 if candidate.architecture.depth >= 5 else 9)
    trial.set_user_attr("train_correct", [known])
    trial.set_user_attr("train_accuracy", known / N_TRAIN)
    trial.study.tell(trial, answers(candidate) / N_VALID)


def test_training_data_known_by_heart_end_the_depth_phase_in_a_replay_too(tmp_path: Path) -> None:
    studies = searched(learn_by_heart, dataset={"dataset": "bars", "n_train": N_TRAIN + 1})
    record = write_trace(studies)

    assert max(each["depth"] for each in record["candidates"]) == 5
    assert record["n_train"] == N_TRAIN
    assert replayed(record, tmp_path).match


def say_nothing(_: LinkedStudies, trial: Trial, candidate: Candidate) -> None:
    trial.study.tell(trial, answers(candidate) / N_VALID)


def say_another_score(studies: LinkedStudies, trial: Trial, candidate: Candidate) -> None:
    trial.report(0.5, 1)
    say_nothing(studies, trial, candidate)


def say_only_validation(studies: LinkedStudies, trial: Trial, candidate: Candidate) -> None:
    trial.report(answers(candidate) / N_VALID, 1)
    say_nothing(studies, trial, candidate)


def say_no_fractions(studies: LinkedStudies, trial: Trial, candidate: Candidate) -> None:
    for epoch, value in enumerate((93.5, 1e308, -1e308, float("inf"), 93.5), start=1):
        trial.report(value, epoch)
    trial.study.tell(trial, 1e308)


@pytest.mark.filterwarnings("ignore::optuna_egnas.errors.EgnasWarning")
@pytest.mark.parametrize(
    ("judge", "dataset", "space", "words"),
    [
        (say_nothing, DATASET, {}, "trial 0 of the macro study did not report them"),
        (say_another_score, DATASET, {}, "trial 0 of the macro study did not report them"),
        (say_no_fractions, DATASET, {}, "trial 0 of the macro study did not report them"),
        (say_only_validation, {}, {}, "how many images were trained on"),
        (tell, DATASET, {"n_valid": None}, "how many validation images"),
    ],
)
def test_a_search_that_does_not_hold_what_a_trace_needs_is_not_written(
    judge: Callable[..., None], dataset: Record, space: Record, words: str
) -> None:
    studies = searched(judge, dataset=dataset, **space)

    with pytest.raises(SearchError, match=words):
        write_trace(studies)


def test_a_search_under_way_is_not_written() -> None:
    studies = create_linked_studies(storage=None, name="own", macro=macro(), micro=micro())

    with pytest.raises(SearchError, match="must be of a search that has ended, but 'own'"):
        write_trace(studies)
