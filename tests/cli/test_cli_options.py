"""The command line: options and study files, and the bad ones that are refused."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest
from commands import TINY, Shell
from optuna.trial import TrialState

from optuna_egnas import load_linked_studies
from optuna_egnas._cli._output import write_file
from optuna_egnas._core.method import DEFAULT
from optuna_egnas._search.study_file import KINDS, TABLES, read_study_file
from optuna_egnas.errors import SearchError, TraceError
from optuna_egnas.methods import method
from optuna_egnas.options import SearchOptions
from optuna_egnas.replay import read_trace

BAD_OPTIONS = {
    "--device gpu": ("`device` must be auto or one that torch can use here", "'gpu'"),
    "--device cuda:99": ("`device`", "cuda:99"),
    "--device=": ("`device`", "''"),
    "--profile fast": ("`profile` must be one of full, quick", "'fast'"),
    "--policy best": ("`policy` must be one of paper, sound", "'best'"),
    "--max-params 10": ("No network fits max_params=10", "the smallest one", "parameters"),
    "--max-params 0": ("`max_params` must be at least 1",),
    "--max-macs 5": ("No network fits max_macs=5", "multiply-accumulates"),
    "--max-macs -1": ("`max_macs` must be at least 1", "-1"),
    "--max-width 0": ("`max_width` must be at least 1",),
    "--max-width 1": ("`max_width` must be at least min_width",),
    "--min-depth 0": ("`min_depth` must be at least 1",),
    "--min-depth 999": ("`max_depth` must be at least min_depth=999",),
    "--min-depth 99999": ("`min_depth` must be at most 1,000", "99999"),
    "--min-depth 2.5": ("--min-depth", "integer"),
    "--subset 0": ("subset must be 20", "found 0"),
    "--subset 999999999999": ("subset must be 20",),
    "--subset 999999999999999999999": ("`subset` must be at most",),
    "--subset many": ("--subset", "integer"),
    "--valid-fraction 0": ("`valid_fraction` must be above 0 and below 1",),
    "--valid-fraction nan": ("valid_fraction", "nan"),
    "--valid-fraction 1": ("valid_fraction", "=1.0"),
    "--seed -1": ("`seed` must be at least 0", "-1"),
    "--seed 99999999999999999999": ("`seed` must be at most",),
    "--seed x": ("--seed",),
    "--name=": ("name", "''"),
    "--name=\u3000": ("name",),
    f"--name={600 * 'x'}": ("1 to 500 characters", "(600)"),
    "--no-such-option": ("--no-such-option",),
    "one-too-many": ("one-too-many",),
}


@pytest.mark.parametrize("option", BAD_OPTIONS)
def test_bad_options_are_refused(egnas: Shell, option: str) -> None:
    egnas.refuses("search", "digits", *option.split(" "), saying=BAD_OPTIONS[option])


def test_an_unknown_command_is_refused_and_none_shows_the_help(egnas: Shell) -> None:
    egnas.refuses("sarch", saying=("sarch",))

    helped = egnas()
    assert "search" in helped.out
    assert (helped.code, helped.err) == (2, "")


# Study files


BAD_STUDY_FILES = {
    "": ("`dataset`",),
    "x": ("must be TOML",),
    "name = 'x'": ("must name its `dataset`",),
    "dataset = 5": ("`dataset`", "must be text", "5"),
    "dataset = 'nope'": ("nope", "digits"),
    "dataset = 'digits'\nname = 5": ("`name`", "text"),
    "dataset = 'digits'\nname = ''": ("`name`", "''"),
    "dataset = 'digits'\nseed = 'x'": ("`seed`", "a whole number", "'x'"),
    "dataset = 'digits'\nseed = true": ("`seed`", "a whole number", "True"),
    "dataset = 'digits'\nseed = 99999999999999999999": ("`seed`", "at most"),
    "dataset = 'digits'\nsubset = 'all'": ("`subset`", "'all'"),
    "dataset = 'digits'\nvalid_fraction = '20 %'": ("`valid_fraction`", "a number"),
    "dataset = 'digits'\nprofile = ['quick']": ("`profile`", "text"),
    "dataset = 'digits'\nepochs = 5": ("study.toml must hold only", "'epochs'"),
    "dataset = 'digits'\nmacro = 3": ("[macro]", "a table"),
    "dataset = 'digits'\n[[data]]\nroot = 'x'": ("[data]", "a table"),
    "dataset = 'digits'\n[data]\nroot = 5": ("`root` in [data]", "text"),
    "dataset = 'digits'\n[data]\ndownload = 'yes'": ("`download`", "true or false"),
    "dataset = 'digits'\n[data]\nurl = 'x'": ("[data] of", "'url'"),
    "dataset = 'digits'\n[macro]\ndepth = 5": ("[macro] of", "'depth'"),
    "dataset = 'digits'\n[macro]\nclasses = 5": ("[macro] of", "'classes'"),
    "dataset = 'digits'\n[macro]\nmin_depth = 2.5": ("`min_depth`", "a whole number"),
    "dataset = 'digits'\n[macro]\ndepth_gain = nan": ("`depth_gain`", "nan"),
    "dataset = 'digits'\n[micro]\nwidth = 5": ("[micro] of", "'width'"),
    "dataset = 'digits'\n[micro]\noperations = 'sep'": ("`operations`", "a list", "'sep'"),
    "dataset = 'digits'\n[micro]\noperations = ['conv']": ("`operations` must hold 'sep'",),
    "dataset = 'digits'\n[micro]\nkernels = [3, 4]": ("odd", "4"),
    "dataset = 'digits'\n[micro]\nkernels = [[3]]": ("`kernels`", "a list"),
    "dataset = 'digits'\n[micro]\nmax_params = 5000": ("`max_params` must be the same",),
    "dataset = 'digits'\n[recipe]\nlearning_rate = 'x'": ("`learning_rate`", "a number"),
    "dataset = 'digits'\n[recipe]\nlearning_rate = -1": ("`learning_rate`", "above 0"),
    "dataset = 'digits'\n[recipe]\noptimiser = 'adam'": ("[recipe] of", "'optimiser'"),
    "dataset = 'digits'\n[recipe]\nprecision = 'fp16'": ("one of fp32, bf16", "'fp16'"),
    "dataset = 'digits'\n[recipe]\nprecision = 16": ("one of fp32, bf16", "16"),
    "dataset = 'digits'\nprecision = 'fp16'": ("must be one of auto, fp32, bf16", "'fp16'"),
    "dataset = 'digits'\nprecision = 'bf16'\n[recipe]\nprecision = 'fp32'": (
        "must be the same, but are bf16 and fp32",
    ),
    "dataset = 'digits'\ntime_limit = '2h'": ("`time_limit`", "a number", "'2h'"),
    "dataset = 'digits'\ntime_limit = nan": ("`time_limit` must be a number", "nan"),
    "dataset = 'digits'\nmax_total_epochs = 0": ("`max_total_epochs` must be at least 1",),
    "dataset = 'digits'\ndataset = 'kmnist'": ("must be TOML", "overwrite"),
    f"dataset = {700 * '['}{700 * ']'}": ("is nested too deeply",),
    f"dataset = {5000 * 'x'}": ("a line has 5,010 characters, at most 4,096",),
    f"dataset = 'digits'\nseed = 0x{3000 * 'f'}": ("`seed` must be at most",),
    f"dataset = 'digits'\n[macro]\nmin_depth = {4000 * '9'}": ("`min_depth` must be at most",),
    "dataset = 'digits'\n[macro]\ndepth_gain = 1e300": ("`depth_gain` must be at most",),
    "dataset = 'digits'\n[macro]\nlevel = true": ("`level`", "a number", "True"),
    "dataset = 'digits'\nseed = 2025-02-05": ("`seed`", "a whole number", "datetime"),
    "dataset = 'digits'\n[micro]\nkernels = [3, 1001]": ("odd, 1 to 255, but got 1001",),
    f"dataset = 'digits'\n{'.'.join(500 * 'a')} = 1": ("must hold only", "'a'"),
    f"dataset = 'digits'\n[micro]\noperations = ['{3000 * 'x'}']": ("one of conv, sep",),
}


@pytest.mark.parametrize("content", BAD_STUDY_FILES)
def test_bad_study_files_are_refused(egnas: Shell, content: str) -> None:
    egnas.write("study.toml", content)

    egnas.refuses("search", "study.toml", saying=BAD_STUDY_FILES[content])


def test_what_is_no_readable_file_is_no_study_file(egnas: Shell) -> None:
    egnas.write("bytes.toml", b"\xff\xfe")
    (egnas.folder / "folder.toml").mkdir()

    egnas.refuses("search", "bytes.toml", saying=("must be TOML",))
    egnas.refuses("search", "folder.toml", saying=("Is a directory",))
    egnas.write("large.toml", f"{70_000 * '#'}")
    egnas.refuses("search", "large.toml", saying=("at most 65,536 bytes, but has 70,000",))


def test_a_pipe_or_a_device_is_no_study_file_and_no_trace(tmp_path: Path) -> None:
    """Reading one might never end."""
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    for name in ("pipe.toml", "zero.toml"):
        with pytest.raises(SearchError, match="must be a plain file, but is a pipe or a device"):
            read_study_file(tmp_path / name)
        with pytest.raises(TraceError, match="must be a plain file, but is a pipe or a device"):
            read_trace(tmp_path / name)


def test_a_trace_goes_into_a_pipe_that_is_read_and_waits_for_no_reader(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # Nobody reads it: to open it would wait for ever.
    with pytest.raises(SystemExit), _seconds_at_most(20):
        write_file(pipe, "{}")

    read = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_file(pipe, "{}")
        assert os.read(read, 9) == b"{}"
    finally:
        os.close(read)


@contextmanager
def _seconds_at_most(seconds: int) -> Iterator[None]:
    def late(*_: object) -> None:
        raise AssertionError(f"it still waits after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_a_study_file_says_the_precision_in_one_of_two_places(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    options = []
    for text in ("precision = 'fp32'", "[recipe]\nprecision = 'fp32'"):
        file.write_text(f"dataset = 'digits'\n{text}")
        options.append(read_study_file(file).options)

    assert (options[0].precision, options[1].recipe) == ("fp32", {"precision": "fp32"})
    file.write_text("dataset = 'digits'\nprecision = 'fp32'\n[recipe]\nprecision = 'fp32'")
    assert read_study_file(file).options.recipe == {"precision": "fp32"}


def test_a_study_file_knows_every_option_of_a_search(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_bytes(
        b"\xef\xbb\xbfdataset = 'digits'\r\ntime_limit = 90\r\nmax_total_epochs = 7\r\n"
    )

    found = read_study_file(file).options

    assert (found.time_limit, found.max_total_epochs) == (90, 7)
    roles = {role.name for role in method(DEFAULT).roles}
    known = {*KINDS, *TABLES, *roles}
    assert {each.name for each in fields(SearchOptions)} - {"spaces"} <= known


def test_options_on_the_command_line_come_before_those_of_the_study_file(egnas: Shell) -> None:
    egnas.write("tiny.toml", TINY)

    record = egnas(
        "search", "tiny.toml", "--name", "mine", "--seed", "3", "--max-width", "5", "--json"
    ).record

    studies = load_linked_studies(storage="sqlite:///egnas.db", name="mine")
    assert record["name"] == "mine"
    assert studies.link.seed == 3
    assert studies.macro.trials[0].params["width"] == 5
    assert studies.macro.trials[0].state is TrialState.COMPLETE


def test_a_search_of_which_nothing_can_be_trained_says_why(egnas: Shell) -> None:
    egnas.write("s.toml", f"{TINY}[recipe]\nlearning_rate = 1e30\n")

    ran = egnas("search", "s.toml")

    assert ran.code == 2
    assert "nothing to start from" in ran.err
    assert "loss must stay finite" in ran.err.splitlines()[-1]


def test_a_search_goes_on_by_its_own_policy_and_says_which_fields_it_has_no_use_for(
    egnas: Shell,
) -> None:
    egnas.write("tiny.toml", TINY.replace('policy = "paper"\n', ""))

    begun = egnas("search", "tiny.toml", "--policy", "sound", "--max-total-epochs", "2")
    ended = egnas("search", "tiny.toml")

    studies = load_linked_studies(storage="sqlite:///egnas.db", name="tiny")
    assert studies.link.space.policy == "sound" and studies.result().finished
    idle = "macro epochs_per_layer, macro epochs_per_width_step, micro epochs."
    for ran in (begun, ended):
        assert ran.code == 0, ran.err
        assert f"Policy sound ignores {idle}" in " ".join(ran.err.split())
    published = egnas("search", "tiny.toml", "--name", "published", "--policy", "paper")
    assert "ignores" not in published.err
