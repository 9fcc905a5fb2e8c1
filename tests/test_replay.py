"""Recorded searches: replayed to the same end, written from one's own, refused when damaged."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from commands import TINY, Shell
from optuna.distributions import BaseDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from walking import macro, micro

import optuna_egnas.replay as replaying
from optuna_egnas import LinkedStudies, create_linked_studies, load_linked_studies
from optuna_egnas._core.encoding import Names
from optuna_egnas._core.history import Candidate
from optuna_egnas._core.walk import Done
from optuna_egnas._link import ROLES
from optuna_egnas._trace import FORMAT, read_trace, write_trace
from optuna_egnas._translate import suggest
from optuna_egnas.errors import SearchError, TraceError
from optuna_egnas.replay import Replay, replay

N_TRAIN, N_VALID = 4000, 1000
Record = dict[str, Any]
MISSING = object()


def answers(candidate: Candidate) -> int:
    """Invented right answers of 1,000: best at depth 5 and width 6, better with each conv."""
    architecture = candidate.architecture
    known = 900 - 9 * abs(architecture.depth - 5) + 4 * architecture.ops.count("conv")
    return known - 2 * abs(architecture.width - 6) - architecture.kernels.count(5)


def tell(studies: LinkedStudies, trial: Trial, candidate: Candidate) -> None:
    """Tell a candidate's epochs, the last one the best."""
    best = answers(candidate)
    for epoch in range(1, (candidate.epochs or 1) + 1):
        trial.report((best - 3 * ((candidate.epochs or 1) - epoch)) / N_VALID, epoch)
    trial.set_user_attr("train_correct", [N_TRAIN // 2, N_TRAIN // 2 + best])
    trial.set_user_attr("train_accuracy", (N_TRAIN // 2 + best) / N_TRAIN)
    trial.set_user_attr("seconds", 1.5)
    trial.study.tell(trial, best / N_VALID)


def searched(
    judge: Callable[[LinkedStudies, Trial, Candidate], None] = tell,
    *,
    dataset: Record | None = None,
    **space: Any,
) -> LinkedStudies:
    """A search in memory to its end; `judge` tells what training a candidate gives."""
    shared = {key: space[key] for key in ("n_valid", "max_params") if key in space}
    studies = create_linked_studies(
        storage=None,
        name="own",
        macro=macro(**{"max_depth": 7, **space}),
        micro=micro(confirm_epochs=3, **shared),
        dataset={"dataset": "bars", "n_train": N_TRAIN} if dataset is None else dataset,
    )
    for role in ROLES:
        while not isinstance(studies.frontier(role), Done):
            trial = studies.study(role).ask()
            reader = studies.reader(role)
            assert reader is not None
            judge(studies, trial, suggest(trial, reader.space, Names()))
    return studies


@pytest.fixture(scope="module")
def trace() -> Record:
    """An invented search as a trace; not to be changed."""
    return write_trace(searched(epochs_per_layer=0, epochs_per_width_step=0, base_epochs=1))


@pytest.fixture
def egnas(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def replayed(record: Record, folder: Path, **arguments: Any) -> Replay:
    path = folder / "trace.json"
    path.write_text(json.dumps(record))
    return replay(read_trace(path), **arguments)


def changed(record: Record, place: tuple[str | int, ...], value: object) -> Record:
    """A copy with another value, or none, in one place."""
    whole = copy.deepcopy(record)
    inner: Any = whole
    for key in place[:-1]:
        inner = inner[key]
    if value is MISSING:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return whole


# Recorded searches


def test_the_recorded_searches_match_to_the_last_network(recorded: list[Path]) -> None:
    assert len(recorded) == 5
    for path in recorded:
        record = json.loads(path.read_text())
        seen = replay(read_trace(path))

        final = {key: record["final"][key] for key in ("depth", "width", "ops", "kernels")}
        assert seen.first_difference is None, path.name
        assert seen.match
        assert seen.final == {**final, "params": record["final"]["params"]}
        assert seen.candidates == len(record["candidates"])
        assert seen.epochs == sum(each["epochs"] for each in record["candidates"])


def test_an_altered_record_of_a_recorded_search_differs(
    recorded: list[Path], tmp_path: Path
) -> None:
    for path in recorded:
        record = json.loads(path.read_text())
        perfect = [record["n_valid"]]

        seen = replayed(changed(record, ("candidates", 1, "valid_correct"), perfect), tmp_path)

        assert not seen.match, path.name
        assert seen.first_difference is not None
        assert seen.first_difference["index"] == 2, "the depth phase ends at the target"


def test_the_command_prints_one_object_with_these_fields(egnas: Shell, trace: Record) -> None:
    egnas.write("own.json", json.dumps(trace))

    ran = egnas("replay", "own.json", "--json")

    assert (ran.err, ran.out.count("\n")) == ("", 1)
    assert ran.record == {
        "match": True,
        "candidates": len(trace["candidates"]),
        "epochs": sum(each["epochs"] for each in trace["candidates"]),
        "final": {k: trace["final"][k] for k in ("depth", "width", "ops", "kernels", "params")},
        "first_difference": None,
    }
    assert "are the recorded ones" in egnas("replay", "own.json").out
    assert set(egnas.files()) == {"own.json"}, "all was in memory"


DIFFERENCES: dict[str, tuple[tuple[str | int, ...], object]] = {
    "width": (("candidates", 3, "width"), 7),
    "depth alone": (("candidates", 3, "depth"), 99),
    "parameters": (("candidates", 3, "params"), 1),
    "epochs": (("candidates", 3, "epochs"), 77),
    "phase": (("candidates", 3, "phase"), "width"),
    "an operation": (("candidates", 3, "ops", 0), "conv"),
    "a kernel": (("candidates", 3, "kernels", 0), 5),
}


@pytest.mark.parametrize("what", DIFFERENCES)
def test_an_altered_candidate_is_the_first_difference(
    trace: Record, egnas: Shell, what: str
) -> None:
    place, value = DIFFERENCES[what]
    egnas.write("own.json", json.dumps(changed(trace, place, value)))

    seen = egnas("replay", "own.json", "--json").record

    named = ("phase", "depth", "width", "ops", "kernels", "epochs", "params")
    proposed = {key: trace["candidates"][3][key] for key in named}
    expected = changed({"candidates": [{}, {}, {}, proposed]}, place, value)["candidates"][3]
    assert seen["match"] is False
    assert seen["candidates"] == 3
    assert seen["final"] is None
    assert seen["first_difference"] == {"index": 3, "expected": expected, "proposed": proposed}
    told = egnas("replay", "own.json")
    assert told.code == 0
    assert "First difference at candidate 3 (from 0)" in told.out


def test_an_altered_count_changes_what_is_asked_for_later(trace: Record, tmp_path: Path) -> None:
    seen = replayed(changed(trace, ("candidates", 2, "valid_correct"), [N_VALID]), tmp_path)

    assert not seen.match
    assert seen.candidates == 3
    assert seen.first_difference is not None
    assert seen.first_difference["index"] == 3
    assert seen.first_difference["proposed"]["phase"] == "width", "the target is reached"


def test_a_record_that_is_too_short_or_too_long_differs_at_its_end(
    trace: Record, tmp_path: Path
) -> None:
    count = len(trace["candidates"])
    short = {**trace, "candidates": trace["candidates"][:-1]}
    long = {**trace, "candidates": [*trace["candidates"], trace["candidates"][0]]}

    for record, index, missing in ((short, count - 1, "expected"), (long, count, "proposed")):
        seen = replayed(record, tmp_path)
        assert not seen.match
        assert seen.first_difference is not None
        assert seen.first_difference["index"] == index
        assert seen.first_difference[missing] is None


@pytest.mark.parametrize("field", ["depth", "width", "params"])
def test_another_result_differs_after_the_last_candidate(
    trace: Record, tmp_path: Path, field: str
) -> None:
    seen = replayed(changed(trace, ("final", field), 3), tmp_path)

    assert not seen.match
    assert seen.final is not None
    assert seen.first_difference is not None
    assert seen.first_difference["index"] == len(trace["candidates"])
    assert seen.first_difference["expected"][field] == 3
    assert seen.first_difference["proposed"] == seen.final


# Kept in a storage


def test_a_storage_keeps_the_replay_and_a_second_one_finds_it(egnas: Shell, trace: Record) -> None:
    egnas.write("own.json", json.dumps(trace))
    command = ("replay", "own.json", "--storage", "sqlite:///r.db", "--json")
    first = egnas(*command).record
    studies = load_linked_studies(storage=f"sqlite:///{egnas.folder}/r.db", name="replay-own")
    count = len(studies.macro.trials) + len(studies.micro.trials)

    again = egnas(*command).record

    assert first == again
    assert first["match"]
    assert count == len(trace["candidates"])
    assert len(studies.macro.trials) + len(studies.micro.trials) == count
    shown = egnas("show", "replay-own", "--storage", "sqlite:///r.db", "--json").record
    assert shown["architecture"]["depth"] == first["final"]["depth"]


def test_an_interrupted_replay_goes_on(
    trace: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, left = InMemoryStorage(), iter(range(5))
    told = replaying._tell

    def interrupted(*arguments: Any) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        told(*arguments)

    monkeypatch.setattr(replaying, "_tell", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replayed(trace, tmp_path, storage=storage)
    monkeypatch.setattr(replaying, "_tell", told)
    open_trial = optuna.load_study(study_name="replay-bars/macro", storage=storage).trials[-1]
    assert open_trial.state is TrialState.RUNNING
    storage.set_trial_state_values(open_trial._trial_id, state=TrialState.FAIL)

    assert replayed(trace, tmp_path, storage=storage).match


def test_another_record_under_the_same_name_is_refused(trace: Record, tmp_path: Path) -> None:
    storage = InMemoryStorage()
    assert replayed(trace, tmp_path, storage=storage).match
    other = changed(trace, ("candidates", 1, "valid_correct"), [0])

    with pytest.raises(SearchError, match="'replay-bars' exists and is another one: trace is"):
        replayed(other, tmp_path, storage=storage)


def test_a_record_that_differs_does_so_again_and_again(trace: Record, tmp_path: Path) -> None:
    storage, record = InMemoryStorage(), changed(trace, ("candidates", 3, "width"), 7)

    seen = [replayed(record, tmp_path, storage=storage) for _ in range(5)]

    assert all(each == seen[0] for each in seen)
    assert not seen[0].match
    walk = load_linked_studies(storage=storage, name="replay-bars").walk("macro")
    assert walk is not None
    assert len(walk.steps) == 3, "a candidate that differs is no lost worker"


# One's own search as a trace


def test_a_real_search_is_written_and_replayed_and_nothing_else_is_written_over(
    egnas: Shell,
) -> None:
    egnas.write("tiny.toml", TINY)
    searched_for = egnas("search", "tiny.toml", "--json").record
    before = egnas.files()

    for place, words in (
        ("egnas.db", "is another"),
        ("tiny.toml", "is another"),
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
    assert record["n_train"] == 160
    assert record["n_valid"] == 40


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


DATASET = {"dataset": "bars", "n_train": N_TRAIN}


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


@pytest.mark.parametrize(
    ("judge", "dataset", "space", "words"),
    [
        (say_nothing, DATASET, {}, "trial 0 of the macro study did not report them"),
        (say_another_score, DATASET, {}, "trial 0 of the macro study did not report them"),
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


# Damaged traces

WRONG_VALUES: list[tuple[tuple[str | int, ...], object, str]] = [
    (("config",), [], "an object with `depth_gain`"),
    (("config",), MISSING, "`config` is missing"),
    (("config", "min_depth"), "10", "`min_depth` must be a whole number"),
    (("config", "min_depth"), 2.5, "`min_depth` must be a whole number"),
    (("config", "min_depth"), True, "`min_depth` must be a whole number"),
    (("config", "min_depth"), 0, "`min_depth` must be at least 1"),
    (("config", "min_depth"), 99, "`max_depth` must be at least min_depth=99"),
    (("config", "max_depth"), float("inf"), "`max_depth` must be a whole number"),
    (("config", "depth_gain"), "1/0", "`depth_gain` must be a number"),
    (("config", "depth_gain"), None, "`depth_gain` must be a number"),
    (("config", "depth_gain"), -1, "`depth_gain` must be a number of at least 0"),
    (("config", "depth_slack"), float("nan"), "`depth_slack` must be a number"),
    (("config", "width_patience"), MISSING, "`width_patience` is missing"),
    (("config", "micro_epochs"), 0, "`epochs` must be at least 1"),
    (("config", "kernels"), 5, "`kernels` must be a list"),
    (("config", "kernels"), [3, 4], "kernel size must be odd"),
    (("config", "operations"), [["sep"]], "`operations` must be text"),
    (("config", "operations"), ["sep", "pool"], "'pool'"),
    (("config", "max_params"), 5, "No network fits max_params=5"),
    (("n_train",), 0, "`n_train` must be a whole number, at least 1, but got 0"),
    (("n_valid",), 0, "`n_valid` must be a whole number, at least 1"),
    (("n_valid",), 10**400, "`n_valid` must be a whole number"),
    (("classes",), 1, "`classes` must be at least 2"),
    (("input_shape",), [1, 2], "`input_shape` must be (channels, height, width)"),
    (("input_shape",), "8x8", "`input_shape` must be a list"),
    (("dataset",), MISSING, "`dataset` is missing"),
    (("candidates",), {}, "`candidates` must be a list"),
    (("candidates", 0), "x", "candidate 0 (from 0): an object"),
    (("candidates", 2, "valid_correct"), [], "candidate 2 (from 0): `valid_correct`"),
    (("candidates", 2, "valid_correct"), [N_VALID + 1], "0 to 1,000, but got 1001"),
    (("candidates", 2, "valid_correct"), [-1], "`valid_correct`"),
    (("candidates", 2, "train_correct"), [N_TRAIN + 1], "0 to 4,000, but got 4001"),
    (("candidates", 2, "seconds"), float("nan"), "`seconds` must be a number"),
    (("candidates", 2, "width"), 0, "`width` must be at least 1"),
    (("candidates", 2, "ops"), ["sep"], "one entry per operation"),
    (("candidates", 2, "ops"), "sep", "`ops` must be a list"),
    (("candidates", 2, "refused"), 5, "`refused` must be text"),
    (("final",), None, "an object with `width`"),
    (("final", "kernels"), MISSING, "`kernels` is missing"),
]


@pytest.mark.parametrize(("place", "value", "words"), WRONG_VALUES)
def test_a_trace_with_an_impossible_value_is_refused(
    egnas: Shell, trace: Record, place: tuple[str | int, ...], value: object, words: str
) -> None:
    egnas.write("own.json", json.dumps(changed(trace, place, value)))

    egnas.refuses("replay", "own.json", "--storage", "sqlite:///r.db", saying=("own.json", words))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must be a JSON file"),
        (b"depth,width", "must be a JSON file"),
        (b"\xff\xfe\x00", "must be a JSON file"),
        (b"[" * 200_000, "must be a JSON file"),
        (b'{"format": "egnas-trace/1", "data', "must be a JSON file"),
        (b"[]", f"must be of format '{FORMAT}'"),
        (b"{}", f"must be of format '{FORMAT}'"),
        (b'{"format": "egnas-trace/2"}', "has 'egnas-trace/2'"),
        (b'{"format": ["egnas-trace/1"]}', f"must be of format '{FORMAT}'"),
        (b'{"format": "egnas-trace/1"}', "`config` is missing"),
    ],
)
def test_what_is_no_trace_is_refused(egnas: Shell, content: bytes, words: str) -> None:
    egnas.write("own.json", content)

    egnas.refuses("replay", "own.json", saying=("own.json", words))


def test_a_trace_that_is_not_there_is_refused(egnas: Shell) -> None:
    egnas.refuses("replay", "own.json", saying=("own.json", "No such file"))
    egnas.refuses("replay", ".", saying=("Is a directory",))
    with pytest.raises(TraceError, match="Cannot read the trace"):
        read_trace(Path("nowhere.json"))


def test_half_a_file_is_no_trace(egnas: Shell, trace: Record) -> None:
    text = json.dumps(trace)
    egnas.write("own.json", text[: len(text) // 2])

    egnas.refuses("replay", "own.json", saying=("must be a JSON file",))
