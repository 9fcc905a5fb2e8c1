"""Searches to draw: the kept walk on digits, walked again by one worker and by four."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.storages import InMemoryStorage

from optuna_egnas import LinkedStudies, create_linked_studies, load_linked_studies
from optuna_egnas.replay import Trace, read_trace, replay, simulate

WALK = Path(__file__).parents[2] / "studies" / "digits" / "walk.json"


@pytest.fixture(scope="session")
def trace() -> Trace:
    return read_trace(WALK)


@pytest.fixture(scope="session")
def digits(trace: Trace) -> LinkedStudies:
    """The search as one worker makes it; not to be changed."""
    storage = InMemoryStorage()
    assert replay(trace, storage=storage, name="digits").match
    return load_linked_studies(storage=storage, name="digits")


@pytest.fixture(scope="session")
def by_four(trace: Trace) -> LinkedStudies:
    """The same by four workers; the walk has no use for some of what they began or trained."""
    storage = InMemoryStorage()
    assert simulate(trace, workers=4, storage=storage, name="digits").wasted
    studies = load_linked_studies(storage=storage, name="digits")
    params = {"depth": 9, "width": 16, "epochs": 9}
    studies.macro.add_trial(
        optuna.trial.create_trial(
            params=params,
            distributions={name: IntDistribution(1, 20) for name in params},
            value=0.95,
            user_attrs={"phase": "depth", "seconds": 2.5},
        )
    )
    return studies


@pytest.fixture
def untouched() -> LinkedStudies:
    """A search that has trained nothing yet."""
    return create_linked_studies(storage=None, name="new")
