"""A storage that is away, full or busy for a while: its calls wait for it, say so, and go on.

Whoever works on a search waits (`waiting`); others are told at once. So no training is given up
for an outage, and none is repeated.
"""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage

from ._stop import (
    HANGS,
    called_for,
    calling,
    interruptible,
    was_interrupted,
    was_interrupted_in_call,
)
from ._trouble import Trouble, cause_of, trouble_with, with_causes

logger = logging.getLogger("optuna_egnas")

PAUSE = 1.0
"""Seconds between two tries."""
LONGEST = 600.0
"""Seconds after which a storage that is away counts as gone for good. One that is full never does:
an error such as a missing password looks like a lost connection, a full disk is unmistakable."""
LOCKED = 60.0
"""Seconds that whoever does not wait otherwise waits while others write to a SQLite file."""
BUSY_IS_SAID = 10.0
"""Seconds after which a storage that is busy is told of; many workers take turns."""
SILENT = 20.0
"""Seconds after which a call that does not return is told of."""

Value = TypeVar("Value")
Call = Callable[..., Any]


@dataclass(slots=True)
class _Wait:
    """That this thread waits for storages: which one it asks, the error at which it gave up."""

    opening: bool
    place: str = ""
    gave_up: Exception | None = field(default=None)


_wait: ContextVar[_Wait | None] = ContextVar("egnas_wait", default=None)


@contextmanager
def waiting(*, opening: bool = False) -> Iterator[None]:
    """Let the calls of storages wait in this thread; `opening`: also those that open one.

    What goes wrong after a storage was given up does not take that error's place.
    """
    if _wait.get() is not None:
        yield
        return
    wait, done = _Wait(opening), threading.Event()
    before = _wait.set(wait)
    threading.Thread(target=_tell_of_silence, args=(wait, done), daemon=True).start()
    try:
        yield
    except Exception:
        if wait.gave_up is None:
            raise
        # With its cause, which has the words.
        raise wait.gave_up  # noqa: B904
    finally:
        done.set()
        _wait.reset(before)


@contextmanager
def not_waiting() -> Iterator[None]:
    """Let what is opened here fail at once, unless opening may wait."""
    wait = _wait.get()
    before = _wait.set(wait if wait is not None and wait.opening else None)
    try:
        yield
    finally:
        _wait.reset(before)


def patient(
    storage: BaseStorage, place: str, *, file: Path | None, words: Callable[[BaseException], str]
) -> BaseStorage:
    """A storage whose calls wait where this thread waits; the one given is left as it is.

    Args:
        storage: one that is in no process's memory alone.
        place: what it is called in what is said.
        file: that of a SQLite database.
        words: what an error says, without passwords.
    """
    names = {name for name in dir(BaseStorage) if not name.startswith("_")}
    # The same object to all who look at its class or its parts; but for its methods.
    outside = object.__new__(type(storage))
    outside.__dict__.update(storage.__dict__)
    for name in names | {"_get_stale_trial_ids"}:
        method = getattr(storage, name, None)
        if callable(method):
            outside.__dict__[name] = _patient_call(method, place, file, words)
    beat = getattr(storage, "record_heartbeat", None)
    if beat is not None:
        # Its thread must end with its trial, and must live on after an outage.
        outside.__dict__["record_heartbeat"] = _Beats(beat).record
    outside.__dict__["egnas_is_patient"] = True
    return outside


def is_patient(storage: BaseStorage) -> bool:
    """Whether a storage is one of `patient`."""
    return "egnas_is_patient" in storage.__dict__


def patiently(
    call: Callable[[], Value],
    place: str,
    *,
    file: Path | None = None,
    words: Callable[[BaseException], str] = str,
    trouble_of: Callable[[BaseException], Trouble | None] | None = None,
    longest: float = LONGEST,
) -> Value:
    """What a call returns, as soon as it does; see `waiting`.

    Args:
        call: what may fail, and may be called again.
        place: what is away then, in words.
        file: that of a SQLite database.
        words: what an error says.
        trouble_of: what an error says of the place; default: that of a storage.
        longest: seconds after which a place that is away counts as gone for good.

    Raises:
        StorageInternalError: a storage is read-only, or away for too long, or nobody waits.
        Exception: one of the call's own.
    """
    outage: _Outage | None = None
    # A call may be made where an error of another kind is handled, which says nothing of it.
    handled = sys.exc_info()[1]
    _begin_call(place)
    while True:
        try:
            with calling():
                value = call()
        except Exception as error:
            chain = tuple(with_causes(error, handled))
            trouble = trouble_of(error) if trouble_of else trouble_with(chain, file)
            if trouble is None:
                raise
            outage = outage or _Outage(place, longest)
            if outage.may_wait(trouble):
                outage.pause(trouble, words(cause_of(chain)))
            elif trouble_of is not None:
                raise
            else:
                raise _given_up(error, words(cause_of(chain))) from cause_of(chain)
        else:
            if outage is not None:
                outage.end()
            return value


def _begin_call(place: str) -> None:
    if was_interrupted_in_call():
        raise StorageInternalError(f"{place} was away when a signal came.")
    wait = _wait.get()
    if wait is not None:
        wait.place = place


@dataclass(slots=True)
class _Outage:
    """One outage of one place, as one call sees it (monotonic seconds)."""

    place: str
    longest: float
    # Looked up when it is called: tests have a clock of their own.
    began: float = field(default_factory=lambda: time.monotonic())
    is_said: bool = False

    def may_wait(self, trouble: Trouble) -> bool:
        wait = _wait.get()
        if trouble is Trouble.READ_ONLY or was_interrupted():
            return False
        lasted = time.monotonic() - self.began
        if wait is None:
            return trouble is Trouble.BUSY and lasted < LOCKED
        return trouble is Trouble.FULL or lasted < self.longest

    def pause(self, trouble: Trouble, reason: str) -> None:
        lasted = time.monotonic() - self.began
        is_due = trouble is not Trouble.BUSY or lasted >= BUSY_IS_SAID
        if is_due and not self.is_said and _wait.get() is not None:
            bounded = trouble is not Trouble.FULL and self.longest < math.inf
            until = f"up to {self.longest / 60:.0f} minutes" if bounded else "until it can be used"
            logger.warning(
                "%s %s: %s. Waiting %s; Ctrl-C ends it.",
                self.place,
                trouble.value,
                reason.rstrip("."),
                until,
            )
            self.is_said = True
        with calling(), interruptible():
            time.sleep(PAUSE)

    def end(self) -> None:
        if self.is_said:
            lasted = time.monotonic() - self.began
            logger.warning("%s can be used again, after %.0f s.", self.place, lasted)


def _patient_call(
    method: Call, place: str, file: Path | None, words: Callable[[BaseException], str]
) -> Call:
    def call(*args: Any, **kwargs: Any) -> Any:
        return patiently(lambda: method(*args, **kwargs), place, file=file, words=words)

    return call


@dataclass(slots=True)
class _Beats:
    """Heartbeats, each in a thread of its own: a trial that ends must not wait for one."""

    beat: Call
    last: threading.Thread | None = None

    def record(self, trial_id: int) -> None:
        if self.last is not None and self.last.is_alive():
            return
        self.last = threading.Thread(target=self._record, args=(trial_id,), daemon=True)
        self.last.start()
        self.last.join(HANGS)

    def _record(self, trial_id: int) -> None:
        try:
            self.beat(trial_id)
        except Exception as error:
            if trouble_with(with_causes(error)) is None:
                raise


def _given_up(error: Exception, reason: str) -> Exception:
    """What is raised for an error: one of the two kinds that storages have."""
    is_known = isinstance(error, (sa.exc.SQLAlchemyError, StorageInternalError))
    raised = error if is_known else StorageInternalError(reason)
    wait = _wait.get()
    if wait is not None and wait.gave_up is None:
        wait.gave_up = raised
    return raised


def _tell_of_silence(wait: _Wait, done: threading.Event) -> None:
    """Say that a call does not return: a server that is stopped, say, refuses nothing."""
    is_said = False
    while not done.wait(PAUSE):
        silent = called_for() > SILENT
        if silent and not is_said:
            logger.warning("%s has not answered for %.0f s: waiting for it.", wait.place, SILENT)
        if is_said and not silent:
            logger.warning("%s answers again.", wait.place)
        is_said = silent
