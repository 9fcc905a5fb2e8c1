"""A database that is away for a while: workers wait for it, and go on.

The trial in flight is given up and asked for again; its training goes on from its checkpoint.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from optuna.exceptions import StorageInternalError

AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError)
PAUSE = 1.0
"""Seconds between two tries."""
LONGEST = 600.0
"""Seconds after which a database counts as gone for good."""
APART = 60.0
"""Seconds between two errors that belong to one outage, at most; Optuna tries for 10 by itself."""


@dataclass(slots=True)
class Outage:
    """How long the database has been away, by the errors that it gave (monotonic seconds).

    That a read succeeds in between does not end an outage: a file that was deleted, say, can be
    read on by those who have it open. `has_cut_off` is for the caller to take back, once what the
    last error has cut off is seen to.
    """

    since: float = -math.inf
    last: float = -math.inf
    has_cut_off: bool = False

    def survives(self, error: Exception) -> bool:
        """Wait a little after an error of the database; False if it is another one, or too long.

        Errors such as a missing table look the same as a lost connection to some drivers, hence
        the bound.
        """
        if not any(isinstance(each, AWAY) for each in _with_causes(error)):
            return False
        now = time.monotonic()
        self.since = self.since if now - self.last <= APART else now
        self.last, self.has_cut_off = now, True
        if now - self.since > LONGEST:
            return False
        time.sleep(PAUSE)
        return True


@contextmanager
def quiet_heartbeats() -> Iterator[None]:
    """Keep Optuna's heartbeat threads from printing that they ended with the connection."""
    before = threading.excepthook

    def hook(ended: threading.ExceptHookArgs) -> None:
        if not isinstance(ended.exc_value, (StorageInternalError, *AWAY)):
            before(ended)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those behind it: Optuna's own handling may stumble over the first one."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
