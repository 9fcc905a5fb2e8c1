"""What an error of a storage says: that it is full, away, busy or read-only, or something else."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path

import sqlalchemy as sa


class Trouble(Enum):
    """What keeps a storage, or a folder, from being used."""

    FULL = "is full"
    AWAY = "cannot be used"
    BUSY = "is busy"
    READ_ONLY = "is read-only"


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
WORDS = (
    (Trouble.BUSY, r"is locked|lock wait timeout|deadlock"),
    (
        Trouble.FULL,
        r"disk is full|disk full|no space left|quota exceeded|file too large|table .* is full"
        r"|could not extend|maxmemory|MISCONF",
    ),
    (
        Trouble.READ_ONLY,
        r"readonly database|read.?only (transaction|mode|replica|file)|read-only option"
        r"|during recovery",
    ),
    (Trouble.AWAY, r"no route to host|connection (refused|reset|timed out)|UNAVAILABLE"),
)
"""How databases and their servers say so; the first that fits counts."""
LOST = (sa.exc.OperationalError, sa.exc.InterfaceError)
"""What drivers raise where a database does not answer."""
LOST_BY_NAME = ("ConnectionError", "TimeoutError")
"""The same of Redis' client, whose package need not be there."""
OWN_FAULT = r"no such (table|column)|syntax error"
"""What SQLite says with the same class of errors, and what no waiting mends."""


def trouble_with(chain: Iterable[BaseException], file: Path | None = None) -> Trouble | None:
    """What an error of a storage, with those behind it, says of it; None: nothing of that kind.

    `file`: that of a SQLite database.
    """
    for each in chain:
        if isinstance(each, OSError):
            return trouble_of_files(each)
        if isinstance(each, sa.exc.DBAPIError) or _is_of_a_server(each):
            found = _trouble_in_words(each)
            if found is Trouble.READ_ONLY and file is not None and not file.exists():
                # So says SQLite of a file that was deleted while it was open.
                return Trouble.AWAY
            if found is not None:
                return found
    return None


def trouble_of_files(error: OSError) -> Trouble:
    """What an error of the operating system says of the place of a file."""
    if error.errno in FULL:
        return Trouble.FULL
    return Trouble.READ_ONLY if error.errno in READ_ONLY else Trouble.AWAY


def with_causes(
    error: BaseException | None, handled: BaseException | None = None
) -> Iterator[BaseException]:
    """An error and those behind it, up to the one that was handled before.

    Optuna's own handling of the first error may stumble.
    """
    while error is not None and error is not handled:
        yield error
        error = error.__cause__ or error.__context__


def cause_of(chain: tuple[BaseException, ...]) -> BaseException:
    """The error that says most: that of the database or of the operating system."""
    for each in chain:
        if isinstance(each, (OSError, sa.exc.DBAPIError)) or _is_of_a_server(each):
            return each
    return chain[0]


def _is_of_a_server(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in ("redis", "grpc")


def _trouble_in_words(error: BaseException) -> Trouble | None:
    text = str(getattr(error, "orig", None) or error)
    for trouble, words in WORDS:
        if re.search(words, text, re.IGNORECASE):
            return trouble
    is_lost = isinstance(error, LOST) or type(error).__name__ in LOST_BY_NAME
    return Trouble.AWAY if is_lost and not re.search(OWN_FAULT, text) else None
