"""A method that is one file goes through everything, and nothing outside that file knows of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from commands import Shell
from optuna.storages import InMemoryStorage
from perceptrons import PERCEPTRONS, Perceptron, Perceptrons, Population

import optuna_egnas
from optuna_egnas import load_linked_studies
from optuna_egnas.errors import SearchError
from optuna_egnas.methods import Candidate, Done, History, Method, Role, Running, Trained, method

NAME = PERCEPTRONS.name
SEARCH = (
    *("search", "digits", "--method", NAME, "--subset", "300", "--name", "mine"),
    *("--deterministic", "--checkpoint-every", "0"),
)


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """`egnas` as a process of its own, which finds the method by its name."""
    return subprocess.Popen(
        [sys.executable, "-m", "optuna_egnas", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def steps(folder: Path) -> list[tuple[str, int, float | None]]:
    studies = load_linked_studies(storage=f"sqlite:///{folder}/egnas.db", name="mine")
    walk = studies.walk("population")
    assert walk is not None
    return [
        (each.proposal.phase, each.proposal.candidate.architecture.to_json()["units"], each.score)
        for each in walk.steps
    ]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    shell = Shell(tmp_path_factory.mktemp("unbroken"))
    ran = shell(*SEARCH)
    assert ran.code == 0, ran.err
    return shell


def test_generations_of_five_end_with_the_best(unbroken: Shell) -> None:
    found = steps(unbroken.folder)

    assert [phase for phase, _, _ in found] == ["generation 0"] * 5 + ["generation 1"] * 5
    record = unbroken("show", "mine", "--json").record
    assert record["method"] == NAME and record["architecture"].keys() == {"units"}
    assert record["valid_accuracy"] == max(score for _, _, score in found if score is not None)


def test_a_kill_and_two_workers_change_nothing(unbroken: Shell, tmp_path: Path) -> None:
    running = started(tmp_path, *SEARCH)
    assert running.stderr is not None
    for line in running.stderr:
        if "generation 0" in line and "accepted" in line:
            break
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert 0 < len(steps(tmp_path)) < 10

    resumed = started(tmp_path, *SEARCH, "--workers", "2")
    out, err = resumed.communicate(timeout=120)

    assert resumed.returncode == 0, out + err
    assert steps(tmp_path) == steps(unbroken.folder)


def test_it_is_shown_listed_drawn_and_noted(unbroken: Shell) -> None:
    shown = unbroken("show", "mine")
    assert "generation 1" in shown.out and NAME in shown.out
    assert NAME in unbroken("list").out.replace("\n", "")
    assert "units" in unbroken("show", "mine", "--csv").out.splitlines()[0]
    drawn = unbroken("plot", "mine", "--out", "pictures")
    assert drawn.code == 0, drawn.err
    assert (unbroken.folder / "pictures" / "walk.html").is_file()

    from optuna_dashboard import get_note

    from optuna_egnas.visualization._dashboard import write_study_notes
    from optuna_egnas.visualization._entries import entries

    studies = load_linked_studies(storage=f"sqlite:///{unbroken.folder}/egnas.db", name="mine")
    write_study_notes(studies, entries(studies), storage="sqlite:///egnas.db", times=())
    assert "It asks how many units are best." in get_note(studies.last)


def test_it_is_trained_for_good_exported_and_predicts(unbroken: Shell) -> None:
    trained = unbroken("train", "mine", "--epochs", "2", "--json")
    assert trained.code == 0, trained.err
    exported = unbroken("export", "mine", "--format", "torch-export", "--out", "mine.pt2")
    assert exported.code == 0, exported.err
    images = torch.zeros((2, 1, 8, 8), dtype=torch.uint8)

    logits = torch.export.load(unbroken.folder / "mine.pt2").module()(images)

    assert logits.shape == (2, 10)
    unbroken.refuses("export", "mine", "--format", "python", saying=("cannot be written",))


def test_a_whole_generation_is_handed_out_at_once_and_its_last_is_waited_for() -> None:
    space = Population(input_shape=(1, 8, 8))
    ahead = space.frontier(History(), 9)
    assert not isinstance(ahead, Done) and len(ahead) == 5
    in_flight = History({each.candidate: Running() for each in ahead})

    assert space.frontier(in_flight, 1) == ()
    walk = space.follow(in_flight)
    assert not walk.steps and not isinstance(walk.next, Done)


def test_parameters_and_multiply_accumulates_are_counted_on_the_module() -> None:
    space = Population(input_shape=(1, 8, 8), classes=10)
    network = Perceptron(7)

    assert space.params(network) == (64 + 1) * 7 + 2 * 7 + (7 + 1) * 10
    assert space.macs(network) == 64 * 7 + 7 * 10


def test_an_unknown_method_lists_those_that_there_are(egnas: Shell) -> None:
    egnas.refuses("search", "digits", "--method", "other", saying=("egnas", "'other'"))


class Silent(Method):
    name = "silent"


class Half(Population):
    decode = optuna_egnas.methods.Space.decode


class Halved(Perceptrons):
    roles: ClassVar[tuple[Role, ...]] = (
        Role(name="population", space=Half, question="how many units are best"),
    )


SILENT, HALVED, NOTHING = Silent(), Halved(), 3


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ("SILENT", "must answer roles, build, but does not"),
        ("HALVED", "must answer Half.decode, but does not"),
        ("NOTHING", "must be a Method, but is int"),
        ("MISSING", "cannot be loaded"),
    ],
)
def test_a_method_that_lacks_an_answer_is_refused_by_its_name(lacking: str, said: str) -> None:
    with pytest.raises(SearchError, match=said):
        method(f"{__name__}:{lacking}")


@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "digits", "--name", "mine", "--subset", "300"),
        ("search", "digits", "--name", "mine", "--subset", "300", "--workers", "2"),
        ("worker", "--storage", "sqlite:///egnas.db", "--name", "mine"),
        ("train", "mine", "--epochs", "2"),
        ("predict", "mine", "images"),
        ("export", "mine", "--format", "torch-export", "--out", "other.pt2"),
        ("plot", "mine", "--out", "others"),
        ("show", "mine"),
    ],
    ids=lambda arguments: " ".join(arguments[:1] + arguments[6:7]),
)
def test_a_stored_search_of_a_method_that_is_gone_says_so_and_stays(
    monkeypatch: pytest.MonkeyPatch, unbroken: Shell, arguments: tuple[str, ...]
) -> None:
    method.cache_clear()
    monkeypatch.setitem(sys.modules, "perceptrons", None)
    try:
        unbroken.refuses(*arguments, saying=(NAME, "cannot be loaded"))
        listed = unbroken("list")
        assert listed.code == 0 and "mine" in listed.out
    finally:
        method.cache_clear()


def test_a_history_without_a_score_ends_with_nothing() -> None:
    storage = InMemoryStorage()
    studies = optuna_egnas.create_linked_studies(storage=storage, name="s", method=NAME)
    ahead = studies.frontier("population", 5)
    assert not isinstance(ahead, Done)
    failed = History({each.candidate: Trained(score=0.5) for each in ahead})

    assert studies.result().architecture is None
    assert not isinstance(studies.spaces()["population"].frontier(failed), Done)
    assert (
        Candidate.from_json(ahead[0].candidate.to_json(), PERCEPTRONS.network_from_json)
        == ahead[0].candidate
    )
