"""The same search makes the same walk on each storage, resumed in the middle on each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from linking import suggest
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from walking import macro, micro

from optuna_egnas import LinkedStudies, create_linked_studies
from optuna_egnas.methods import Candidate, Done

ROLES = ("macro", "micro")

MACRO = macro(max_depth=6)
MICRO = micro(confirm_epochs=None)
ROLES: tuple[str, str] = ("macro", "micro")


def score(candidate: Candidate) -> float:
    """Invented right answers of 1,000, the same in every process."""
    architecture = candidate.architecture
    answers = 900 - 9 * abs(architecture.depth - 5) + 4 * architecture.ops.count("conv")
    return (answers - 2 * abs(architecture.width - 6) - architecture.kernels.count(5)) / 1000


def train(studies: LinkedStudies, role: str, most: int) -> None:
    for _ in range(most):
        if isinstance(studies.frontier(role), Done):
            return
        trial = studies.study(role).ask()
        reader = studies.reader(role)
        assert reader is not None
        studies.study(role).tell(trial, score(suggest(trial, reader.space)))


def searched(storage: str | BaseStorage) -> dict[str, Any]:
    """Search with a new start of everything in the middle of each study."""
    for role in ROLES:
        for most in (3, 100):
            studies = create_linked_studies(storage=storage, name="s", macro=MACRO, micro=MICRO)
            train(studies, role, most)
    result = studies.result()
    steps = [step for role in ROLES for step in getattr(studies.walk(role), "steps", ())]
    trials = [*studies.macro.trials, *studies.micro.trials]
    assert len(trials) == len(steps), "nothing is trained twice"
    return {**result.to_json(), "walk": [step.proposal.candidate for step in steps]}


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    return searched(InMemoryStorage())


def test_a_search_in_memory_ends_where_the_rules_say(alone: dict[str, Any]) -> None:
    assert alone["finished"]
    assert alone["architecture"]["depth"] == 5
    assert set(alone["architecture"]["ops"]) == {"conv"}
    last = alone["walk"][-1]
    assert last.epochs != MICRO.epochs, "the last training has the macro result's epochs"


def test_sqlite(alone: dict[str, Any], tmp_path: Path) -> None:
    assert searched(f"sqlite:///{tmp_path}/egnas.db") == alone


def test_postgresql(alone: dict[str, Any], postgresql: str) -> None:
    assert searched(postgresql) == alone


def test_journal(alone: dict[str, Any], tmp_path: Path) -> None:
    backend = JournalFileBackend(str(tmp_path / "egnas.journal"))

    assert searched(JournalStorage(backend)) == alone
