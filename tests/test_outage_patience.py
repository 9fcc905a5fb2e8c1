"""How long a worker waits for a database that is away, on an invented clock."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError

from optuna_egnas._storage import outage as _outage
from optuna_egnas._storage.outage import APART, LONGEST, Outage


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time now, in its only place; a pause moves it."""
    now = [1000.0]
    monkeypatch.setattr(_outage.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(
        _outage.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds)
    )
    return now


def away() -> Exception:
    """What Optuna raises when its database gives no answer."""
    error = StorageInternalError("An exception is raised during the commit.")
    error.__cause__ = sa.exc.OperationalError("insert", {}, Exception("disk I/O error"))
    return error


def test_an_outage_is_waited_for_so_long_and_no_longer(clock: list[float]) -> None:
    outage, began = Outage(), clock[0]
    while outage.survives(away()):
        # What succeeds in between, a read say, does not make it another outage.
        outage.has_cut_off = False
        clock[0] += 9
        assert clock[0] - began < 2 * LONGEST, "a worker must not wait for ever"
    assert clock[0] - began > LONGEST


def test_outages_that_are_far_apart_do_not_add_up(clock: list[float]) -> None:
    outage = Outage()
    for _ in range(100):
        assert outage.survives(away())
        assert outage.has_cut_off
        clock[0] += APART + 1


def test_another_error_is_not_waited_for(clock: list[float]) -> None:
    outage, before = Outage(), clock[0]

    assert not outage.survives(ValueError("the objective's own"))
    assert (clock[0], outage.has_cut_off) == (before, False)
