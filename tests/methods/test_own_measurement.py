"""A method that measures its candidates in a way of its own goes through everything as well."""

from __future__ import annotations

import csv
import signal
from dataclasses import dataclass
from pathlib import Path as Folder
from typing import Any, ClassVar

import optuna
import pytest
from commands import Shell
from perceptrons import Perceptrons, Population
from supernets import SUPERNETS, UNITS, Path, Paths
from test_own_method import started

from optuna_egnas import MacroSpace, create_linked_studies, load_linked_studies, search
from optuna_egnas.errors import InvalidSpace, SearchError
from optuna_egnas.methods import Candidate, EpochRecord, History, Role, Trained
from optuna_egnas.options import SearchOptions

SEARCH = (
    *("search", "digits", "--method", SUPERNETS.name, "--subset", "300", "--name", "mine"),
    *("--deterministic", "--checkpoint-every", "0"),
)


def measured(folder: Folder) -> list[tuple[str, dict[str, Any], float | None, dict[str, Any]]]:
    """The steps: phase, network, score and details."""
    studies = load_linked_studies(storage=f"sqlite:///{folder}/egnas.db", name="mine")
    walk = studies.walk("paths")
    assert walk is not None
    return [
        (
            each.proposal.phase,
            each.proposal.candidate.architecture.to_json(),
            each.score,
            dict(each.outcome.details) if isinstance(each.outcome, Trained) else {},
        )
        for each in walk.steps
    ]


def trials(folder: Folder) -> list[optuna.trial.FrozenTrial]:
    studies = load_linked_studies(storage=f"sqlite:///{folder}/egnas.db", name="mine")
    return studies.study("paths").trials


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    shell = Shell(tmp_path_factory.mktemp("unbroken"))
    ran = shell(*SEARCH)
    assert ran.code == 0, ran.err
    return shell


def test_one_supernet_a_round_scores_many_networks(unbroken: Shell) -> None:
    steps = measured(unbroken.folder)
    n_valid = load_linked_studies(
        storage=f"sqlite:///{unbroken.folder}/egnas.db", name="mine"
    ).link.space.n_valid
    assert n_valid

    assert [phase for phase, _, _, _ in steps] == 2 * ["fit", *4 * ["evaluate"]]
    for begin in (0, 5):
        _, network, score, details = steps[begin]
        assert network["shared"] and details["units"] == [1, UNITS]
        assert score == pytest.approx(details["learned"] / 2, abs=1e-4)
        evaluated = steps[begin + 1 : begin + 5]
        assert len({details["weights"] for _, _, _, details in evaluated}) == 1, "the same weights"
        assert all(score == details["right"] / n_valid for _, _, score, details in evaluated)
    assert steps[1][3]["weights"] != steps[6][3]["weights"], "each round has its own"


def test_a_scored_candidate_is_one_trial_with_details(unbroken: Shell) -> None:
    ended = trials(unbroken.folder)

    assert len(ended) == 10
    for trial in ended:
        details = trial.user_attrs["egnas:details"]
        assert details.keys() == (
            {"learned", "units"}
            if len(details) > 1 and "learned" in details
            else {"right", "weights"}
        )
        assert trial.user_attrs["epochs_trained"] == (3 if "learned" in details else 1)
        assert ("train_accuracy" in trial.user_attrs) == ("learned" in details)
        assert "parent_trained_again" not in trial.user_attrs
    assert not [*(unbroken.folder / "egnas-artifacts").glob("*.weights")], "removed at the end"


def test_a_kill_and_two_workers_change_nothing(unbroken: Shell, tmp_path: Folder) -> None:
    running = started(tmp_path, *SEARCH)
    assert running.stderr is not None
    for line in running.stderr:
        if "evaluate" in line and "refused" in line:
            break
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert 0 < len(measured(tmp_path)) < 10

    resumed = started(tmp_path, *SEARCH, "--workers", "2")
    out, err = resumed.communicate(timeout=120)

    assert resumed.returncode == 0, out + err
    assert measured(tmp_path) == measured(unbroken.folder)


def test_lost_weights_are_trained_again(unbroken: Shell, tmp_path: Folder) -> None:
    shell = Shell(tmp_path)
    limited = shell(*SEARCH, "--max-total-epochs", "3")
    assert limited.code == 0, limited.err
    kept = [*(tmp_path / "egnas-artifacts").glob("*.weights")]
    assert len(kept) == 1, "the weights of the supernet are an artifact"
    kept[0].unlink()

    ended = shell(*SEARCH)

    assert ended.code == 0, ended.err
    assert measured(tmp_path) == measured(unbroken.folder)
    assert any("parent_trained_again" in trial.user_attrs for trial in trials(tmp_path))


def test_it_is_shown_and_trained_for_good(unbroken: Shell) -> None:
    shown = unbroken("show", "mine", "--walk")
    assert shown.code == 0, shown.err
    assert "evaluate" in shown.out and "fit" in shown.out
    rows = [*csv.DictReader(unbroken("show", "mine", "--csv").out.splitlines())]
    assert [bool(row["details.learned"]) for row in rows] == 2 * [True, *4 * [False]]
    assert rows[0]["details.units"] == f"1 {UNITS}" and float(rows[1]["details.right"]) > 0
    assert unbroken("train", "mine", "--epochs", "2", "--json").code == 0
    unbroken.refuses("show", "mine", "--rerun", "--trial", "paths/0", saying=("a way of its own",))


def test_a_search_in_memory_hands_on_weights_too() -> None:
    options = SearchOptions(
        method=SUPERNETS.name, subset=200, spaces={"paths": {"rounds": 1, "paths": 2}}
    )
    studies = search("digits", storage=None, name="s", options=options)

    assert studies.result().finished
    ended = studies.study("paths").trials
    assert [len(each.user_attrs["egnas:details"]) for each in ended] == [2, 2, 2]
    assert not any("parent_trained_again" in each.user_attrs for each in ended)


def test_a_space_that_draws_sees_the_seed_of_the_search() -> None:
    fit = Trained(score=0.4, details={"learned": 0.8})
    supernet = Candidate(architecture=Path(0, UNITS, shared=True), epochs=3)

    def asked(seed: int) -> list[int]:
        studies = create_linked_studies(storage=None, name="s", method=SUPERNETS.name, seed=seed)
        space = studies.spaces()["paths"]
        assert isinstance(space, Paths) and space.seed == seed
        ahead = space.frontier(History({supernet: fit}), 9)
        assert isinstance(ahead, tuple)
        return [each.candidate.architecture.to_json()["units"] for each in ahead]

    assert asked(1) == asked(1)
    assert asked(1) != asked(2)
    assert asked(1) != [
        each.architecture.to_json()["units"]
        for each in Paths(seed=1).drawn(0, supernet, Trained(score=0.4, details={"learned": 0.9}))
    ]


def test_a_space_without_such_a_field_stays_as_it_is() -> None:
    space = MacroSpace(min_depth=1, max_depth=2, min_width=4, max_width=4)

    assert space.with_seed(7) == space
    assert "seed" not in space.with_seed(7).to_json()


@pytest.mark.parametrize(
    "details", [{"a": float("nan")}, {"a": (1, 2)}, {"a": {1}}, {1: 2}, [1], {"a": object()}]
)
def test_details_are_plain_values(details: Any) -> None:
    with pytest.raises(InvalidSpace, match="`details` must hold plain values"):
        Trained(score=0.5, details=details)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlike(Population):
    method: ClassVar[str] = "test_own_measurement:STRANGE"


class Strange(Perceptrons):
    name = "test_own_measurement:STRANGE"
    roles = (Role(name="population", space=Unlike, question="how many units are best"),)
    said: tuple[Any, ...] = ()

    def measure(self, measurement: Any) -> Any:
        yield from self.said


STRANGE = Strange()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ((), "must yield an epoch or an outcome"),
        ((3,), "yields 3"),
        ((EpochRecord(epoch=1, valid_correct=0, n_valid=0),), "`n_valid` above 0"),
        ((Trained(score=float("nan")),), "finite score"),
    ],
)
def test_what_a_measurement_must_not_say(
    said: tuple[Any, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Strange, "said", said)
    options = SearchOptions(method=STRANGE.name, subset=200)

    with pytest.raises(SearchError, match=words):
        search("digits", storage=None, name="s", options=options)
