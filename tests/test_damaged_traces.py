"""Damaged traces are refused, with what is wrong in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import Shell
from tracing import MISSING, N_TRAIN, N_VALID, Record, changed, searched

from optuna_egnas._trace import FORMAT, read_trace, write_trace
from optuna_egnas.errors import TraceError


@pytest.fixture(scope="module")
def trace() -> Record:
    """An invented search as a trace; not to be changed."""
    return write_trace(searched(epochs_per_layer=0, epochs_per_width_step=0, base_epochs=1))


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
    (("candidates", 2, "epochs"), 0, "`epochs` must be a whole number, 1 to 1,000,000"),
    (("candidates", 2, "width"), 10**4000, "`width` must be a whole number"),
    (("candidates", 2, "ops"), ["\ud800"] * 5, "'\\ud800'"),
    (("config", "max_depth"), 10**9, "`max_depth` must be at most 1,000"),
    (("config", "base_epochs"), 10**9, "`base_epochs` must be at most 1,000,000"),
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
        (b'{"format": "egnas-trace/1", "format": 5}', "'format' more than once in an object"),
        (b'{"format": "egnas-trace/1", "n": ' + b"9" * 5000 + b"}", "must be a JSON file"),
        (b'{"format": "egnas-trace/1", "n": {"a": 1, "a": 1}}', "'a' more than once"),
        (b" " * 2**24 + b"{}", "at most 16,777,216 bytes, but has 16,777,218"),
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
