"""How long a call of a storage waits, for what, and what is said of it, on an invented clock."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError

from optuna_egnas import _outage, _trouble
from optuna_egnas._outage import LOCKED, LONGEST, patiently, waiting
from optuna_egnas._trouble import Trouble, trouble_with, with_causes


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time now, in its only place; a pause moves it."""
    now = [1000.0]
    monkeypatch.setattr(_outage.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(
        _outage.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + 10 * seconds)
    )
    return now


def of_a_database(words: str, kind: type[Any] = sa.exc.OperationalError) -> Exception:
    """What Optuna raises when its database says this."""
    error = StorageInternalError("An exception is raised during the commit.")
    error.__cause__ = kind("insert", {}, Exception(words))
    return error


def of_the_system(number: int) -> OSError:
    return OSError(number, os.strerror(number), "/net/j.log")


INTERNAL = sa.exc.InternalError
AWAY, FULL = of_a_database("connection refused"), of_the_system(errno.ENOSPC)
BUSY, READ_ONLY = of_a_database("database is locked"), of_the_system(errno.EROFS)


def failing(clock: list[float], error: Exception, seconds: float) -> Callable[[], str]:
    """A call that fails for so long."""
    began = clock[0]

    def call() -> str:
        if clock[0] - began < seconds:
            raise error
        return "done"

    return call


def words(error: BaseException) -> str:
    return str(getattr(error, "orig", error))


@pytest.mark.parametrize(
    ("error", "seconds"),
    [(AWAY, LONGEST - 20), (FULL, 100 * LONGEST), (BUSY, LONGEST - 20)],
    ids=["away", "full, however long", "busy"],
)
def test_who_waits_goes_on_and_says_so_twice(
    clock: list[float],
    error: Exception,
    seconds: float,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with waiting():
        assert patiently(failing(clock, error, seconds), "The storage S", words=words) == "done"

    first, last = [record.getMessage() for record in caplog.records]
    assert first.startswith("The storage S ")
    assert words(error.__cause__ or error) in first
    assert last.startswith("The storage S can be used again, after ")


@pytest.mark.parametrize(
    ("error", "seconds"), [(AWAY, LONGEST + 20), (READ_ONLY, 1)], ids=["for good", "read-only"]
)
def test_what_is_gone_or_read_only_is_an_error(
    clock: list[float], error: Exception, seconds: float
) -> None:
    with waiting(), pytest.raises(StorageInternalError):
        patiently(failing(clock, error, seconds), "The storage S")


@pytest.mark.parametrize("error", [AWAY, FULL, READ_ONLY])
def test_who_does_not_wait_is_told_at_once(clock: list[float], error: Exception) -> None:
    before = clock[0]

    with pytest.raises(StorageInternalError):
        patiently(failing(clock, error, 1), "The storage S")

    assert clock[0] == before


def test_a_busy_file_is_waited_for_by_all(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    assert patiently(failing(clock, BUSY, LOCKED - 20), "The storage S") == "done"
    assert caplog.records == []
    with pytest.raises(StorageInternalError):
        patiently(failing(clock, BUSY, LOCKED + 20), "The storage S")


def test_workers_that_take_turns_are_not_told_of(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with waiting():
        patiently(failing(clock, BUSY, 5), "The storage S")

    assert caplog.records == []


def test_what_stumbles_over_an_outage_does_not_hide_it(clock: list[float]) -> None:
    with pytest.raises(StorageInternalError, match="during the commit") as raised, waiting():
        try:
            patiently(failing(clock, AWAY, 2 * LONGEST), "The storage S")
        except StorageInternalError:
            raise UnboundLocalError("what Optuna makes of it") from None

    assert raised.value is AWAY


@pytest.mark.parametrize(
    "error",
    [
        ValueError("the objective's own"),
        UpdateFinishedTrialError("ended by others"),
        of_a_database("no such table: studies"),
    ],
)
def test_another_error_is_not_waited_for(clock: list[float], error: Exception) -> None:
    before = clock[0]

    with waiting(), pytest.raises(type(error)):
        patiently(failing(clock, error, 1), "The storage S")

    assert clock[0] == before


def test_an_error_that_is_handled_elsewhere_says_nothing(clock: list[float]) -> None:
    with waiting(), pytest.raises(UpdateFinishedTrialError):
        try:
            raise of_the_system(errno.ENOENT)
        except OSError:
            # Writing down what went wrong, say: this error now has that one behind it.
            patiently(failing(clock, UpdateFinishedTrialError(), 1), "The storage S")


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (of_the_system(errno.ENOSPC), Trouble.FULL),
        (of_the_system(errno.EDQUOT), Trouble.FULL),
        (of_the_system(errno.EFBIG), Trouble.FULL),
        (of_the_system(errno.EIO), Trouble.AWAY),
        (of_the_system(errno.ESTALE), Trouble.AWAY),
        (of_the_system(errno.ENOTCONN), Trouble.AWAY),
        (of_the_system(errno.ENOENT), Trouble.AWAY),
        (of_the_system(errno.EROFS), Trouble.READ_ONLY),
        (of_the_system(errno.EACCES), Trouble.READ_ONLY),
        (of_a_database("database or disk is full"), Trouble.FULL),
        (of_a_database("disk I/O error"), Trouble.AWAY),
        (of_a_database("unable to open database file"), Trouble.AWAY),
        (of_a_database("database is locked"), Trouble.BUSY),
        (of_a_database("attempt to write a readonly database"), Trouble.READ_ONLY),
        (
            of_a_database('could not extend file "base/5/16": No space left on device'),
            Trouble.FULL,
        ),
        (of_a_database("The table 'trials' is full"), Trouble.FULL),
        (
            of_a_database(
                "cannot execute INSERT in a read-only transaction", sa.exc.InternalError
            ),
            Trouble.READ_ONLY,
        ),
        (
            of_a_database("The MySQL server is running with the --read-only option so it cannot"),
            Trouble.READ_ONLY,
        ),
        (of_a_database("terminating connection due to administrator command"), Trouble.AWAY),
        (of_a_database("value too long", sa.exc.DataError), None),
        (of_a_database("database disk image is malformed", sa.exc.DatabaseError), None),
        (ValueError("of the program"), None),
    ],
    ids=str,
)
def test_what_an_error_says(error: Exception, trouble: Trouble | None) -> None:
    assert trouble_with(with_causes(error)) is trouble


def test_what_sqlite_says_too_shortly_is_asked_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "e.db"
    file.touch()
    short = of_a_database("disk I/O error")
    assert trouble_with(with_causes(short), file) is Trouble.AWAY
    assert [each.name for each in tmp_path.iterdir()] == ["e.db"], "nothing is left"

    def full(_: int) -> None:
        raise of_the_system(errno.EDQUOT)

    monkeypatch.setattr(_trouble.os, "fsync", full)
    assert trouble_with(with_causes(short), file) is Trouble.FULL
    monkeypatch.undo()

    file.unlink()
    deleted = of_a_database("attempt to write a readonly database")
    assert trouble_with(with_causes(deleted), file) is Trouble.AWAY
