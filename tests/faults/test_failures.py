"""Where no network can be trained, and where memory is short for a while: no search is spoilt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import Ran, Shell
from folders import in_memory
from optuna.trial import TrialState, create_trial
from searching import (
    MACRO,
    MACRO_OF_ONE,
    NAME,
    bars,
    left_over,
    options,
    prepare,
    searched,
    story,
    url,
)

from optuna_egnas import Architecture, LinkedStudies, create_linked_studies, load_linked_studies
from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation import failures as _failures
from optuna_egnas.evaluation import objective as _objective
from optuna_egnas.evaluation.engine import candidate as _candidate
from optuna_egnas.evaluation.objective import CandidateFailed
from optuna_egnas.methods import Candidate

SHORT = {"macro": {**MACRO, "base_epochs": 1}, "micro": {"epochs": 1}}
FIRST = Architecture.chain(depth=2, width=6)
MEMORY = "DefaultCPUAllocator: can't allocate memory"


@dataclass
class Broken:
    """Trainings raise this message, while there is one, where a network is among `networks`."""

    message: str | None = None
    networks: Callable[[Architecture], bool] = lambda _: True
    calls: list[int] = field(default_factory=list)

    def check(self, network: Architecture) -> None:
        if self.message and self.networks(network):
            self.calls.append(network.depth)
            raise RuntimeError(self.message.format(network.width))


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Broken:
    broken, whole = Broken(), _candidate._epochs

    def epochs(task: Any, candidate: Candidate, *rest: Any) -> Iterator[Any]:
        broken.check(candidate.architecture)
        yield from whole(task, candidate, *rest)

    monkeypatch.setattr(_candidate, "_epochs", epochs)
    return broken


@pytest.fixture(scope="module")
def unbroken() -> Iterator[list[dict[str, Any]]]:
    with in_memory() as folder:
        yield story(searched(folder, **SHORT))


def opened(folder: Path) -> LinkedStudies:
    return load_linked_studies(storage=url(folder), name=NAME)


def states(folder: Path) -> list[TrialState]:
    return [trial.state for trial in opened(folder).macro.trials]


def test_the_first_two_networks_that_fail_alike_end_a_search(
    folder: Path, broken: Broken, unbroken: list[dict[str, Any]]
) -> None:
    broken.message = "no kernel image\nfor {} channels at 0xabc"
    with pytest.raises(
        SearchError, match=r"no kernel image for .* No candidate was refused; fix the"
    ) as it:
        searched(folder, **SHORT)

    assert "\n" not in str(it.value) and len(str(it.value)) < 400
    assert opened(folder).walk("macro").steps == (), "nothing is refused"
    assert states(folder) == [TrialState.FAIL] * 3, "one network twice, then another one"

    with pytest.raises(SearchError, match="no kernel image"):
        searched(folder, **SHORT)
    assert len(states(folder)) == 4, "it is not mended: the next failure says so at once"

    broken.message = None
    studies = searched(folder, **SHORT)

    assert story(studies) == unbroken
    assert left_over(folder) == []


def test_they_are_found_in_the_trials_of_other_workers(
    folder: Path, broken: Broken, unbroken: list[dict[str, Any]]
) -> None:
    broken.message = "the driver is too old"

    def train_one() -> None:
        setup = prepare(bars(), storage=url(folder), name=NAME, options=options(folder, **SHORT))
        setup.studies.macro.optimize(setup.objective, n_trials=1, catch=(CandidateFailed,))

    train_one()
    train_one()
    assert opened(folder).walk("macro").steps[0].verdict.value == "refused"
    with pytest.raises(SearchError, match="the driver is too old"):
        train_one()

    broken.message = None
    assert story(searched(folder, **SHORT)) == unbroken


def test_errors_after_a_network_was_trained_count(folder: Path, broken: Broken) -> None:
    broken.message, broken.networks = "not these", lambda network: network != FIRST
    studies = searched(folder, **SHORT)

    refused = [step.outcome for step in studies.walk("macro").steps if not step.passed]
    assert len(refused) > 1 and all("not these" in str(outcome) for outcome in refused)


@pytest.mark.parametrize("message", ["no kernel image", MEMORY], ids=["error", "memory"])
def test_a_walk_does_not_end_with_nothing_but_failures(
    message: str, folder: Path, broken: Broken
) -> None:
    changes = {"macro": {**MACRO_OF_ONE, "base_epochs": 1}, "micro": {"epochs": 1}}
    broken.message = message
    with pytest.raises(SearchError, match=message):
        searched(folder, **changes)

    broken.message = None
    assert searched(folder, **changes).result().architecture is not None


def test_memory_that_was_there_for_a_larger_network_is_short_for_a_while(
    folder: Path, broken: Broken, unbroken: list[dict[str, Any]]
) -> None:
    broken.message, broken.networks = MEMORY, lambda network: network.width < 6
    with pytest.raises(SearchError, match="Networks of this size lack memory"):
        searched(folder, **SHORT)
    assert all("allocate" not in str(step.outcome) for step in opened(folder).walk("macro").steps)

    broken.message = None
    assert story(searched(folder, **SHORT)) == unbroken


def test_a_network_that_is_too_large_is_refused(
    folder: Path, broken: Broken, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken.message, broken.networks = MEMORY, lambda network: network.depth > 2
    crowded: list[torch.device] = []
    monkeypatch.setattr(_failures, "is_crowded", lambda device: bool(crowded.append(device)))

    studies = searched(folder, **SHORT)

    assert studies.result().finished and crowded
    assert any("allocate" in str(step.outcome) for step in studies.walk("macro").steps)


def test_where_others_hold_the_memory_no_network_is_too_large(
    folder: Path, broken: Broken, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken.message = MEMORY
    monkeypatch.setattr(_failures, "is_crowded", lambda device: True)
    with pytest.raises(SearchError, match="No candidate was refused; free memory"):
        searched(folder, **SHORT)
    assert opened(folder).walk("macro").steps == ()


@pytest.mark.parametrize("forgets", ["0", [0.0, None], {"0": 1}, 0, [[0]]], ids=str)
def test_what_others_write_of_that_name_forgets_nothing(forgets: object) -> None:
    studies = create_linked_studies(storage=None, name="foreign")
    trial = studies.macro.ask()
    studies.macro.sampler.infer_relative_search_space(studies.macro, trial._cached_frozen_trial)
    studies.macro.add_trial(create_trial(state=TrialState.FAIL, user_attrs={"forgets": forgets}))
    assert studies.reader("macro") is not None
    assert studies.walk("macro").steps == ()


@pytest.fixture
def spoilt(egnas: Shell, broken: Broken, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A search that an older version has let end with nothing but failures."""
    broken.message = "no kernel image"
    with monkeypatch.context() as patched:
        patched.setattr(_objective, "check_environment", lambda *_: None)
        with pytest.raises(SearchError, match="every network that it asked for failed"):
            searched(egnas.folder, **SHORT)
    broken.message = None
    yield egnas


def test_retry_reopens_a_spoilt_search(spoilt: Shell, unbroken: list[dict[str, Any]]) -> None:
    with pytest.raises(SearchError, match="every network that it asked for failed"):
        searched(spoilt.folder, **SHORT)
    count = len(states(spoilt.folder))

    ran: Ran = spoilt("retry", NAME, "--yes")

    assert (
        ran.code == 0 and f"{count} failures in {NAME}/macro: RuntimeError: no kernel" in ran.err
    )
    assert f"Forgot {count}. The command that began the search goes on" in ran.err
    assert story(searched(spoilt.folder, **SHORT)) == unbroken
    again = spoilt("retry", NAME, "--yes")
    assert again.code == 0 and "Nothing was forgotten" in again.err


def test_retry_asks_first(spoilt: Shell) -> None:
    spoilt.refuses("retry", "other", saying=("no search named 'other'",))
    before = states(spoilt.folder)
    assert spoilt("retry", NAME).code == 2
    assert states(spoilt.folder) == before


def test_retry_is_refused_while_the_search_is_in_training(egnas: Shell, broken: Broken) -> None:
    said: list[Ran] = []

    def watch(event: object) -> None:
        said.append(egnas("retry", NAME, "--yes"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(egnas.folder, watch=watch, **SHORT)
    assert said[0].code == 2 and "must train nothing to be tried again" in said[0].err
