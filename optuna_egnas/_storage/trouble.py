"""What an error of a storage says: that it is full, away, busy or read-only, or something else."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import Enum
from pathlib import Path

import sqlalchemy as sa

from ..errors import SearchError


class Trouble(Enum):
    """What keeps a storage, or a folder, from being used."""

    FULL = "is full"
    AWAY = "cannot be used"
    BUSY = "is busy"
    READ_ONLY = "is read-only"


PROBED = 8192
"""Bytes that are written to see whether there is space."""
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
"""Patterns of what databases and servers report; the first that fits counts."""
LOST = (sa.exc.OperationalError, sa.exc.InterfaceError)
"""What drivers raise where a database does not answer."""
LOST_BY_NAME = ("ConnectionError", "TimeoutError")
"""Names of the errors that Redis' client raises; its package may be missing."""
CLOUDS = ("botocore", "boto3", "google", "urllib3", "requests")
"""The clients of artifact stores."""
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
            if found is not None:
                return found if file is None else _trouble_with_file(found, file)
    return None


def _trouble_with_file(found: Trouble, file: Path) -> Trouble:
    """The trouble behind SQLite's message: some messages say less than the file, some mislead."""
    if found is Trouble.READ_ONLY and not file.exists():
        # So it says of a file that was deleted while it was open.
        return Trouble.AWAY
    error = probe(file) if found is Trouble.AWAY else None
    return found if error is None else trouble_of_files(error)


def probe(file: Path) -> OSError | None:
    """Why nothing can be written beside a file of SQLite, or to it; None where that is possible.

    SQLite itself says `disk I/O error` of a quota, say.
    """
    probed = file.with_name(f".egnas-probe-{os.getpid()}")
    try:
        file.stat()
        _check_size(file)
        with probed.open("wb") as written:
            written.write(bytes(PROBED))
            written.flush()
            os.fsync(written.fileno())
    except OSError as error:
        return error
    finally:
        with suppress(OSError):
            probed.unlink(missing_ok=True)
    return None


def _check_size(file: Path) -> None:
    """Raise the error of a file that may not grow; where the system has no such limit, pass."""
    with suppress(ImportError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        if limit != resource.RLIM_INFINITY and file.stat().st_size + PROBED > limit:
            raise OSError(errno.EFBIG, f"File larger than {limit} bytes, the limit of ulimit -f")


def trouble_of_files(error: OSError) -> Trouble:
    """What an error of the operating system says of the place of a file."""
    if error.errno in FULL:
        return Trouble.FULL
    return Trouble.READ_ONLY if error.errno in READ_ONLY else Trouble.AWAY


def words_of_files(error: OSError) -> str:
    """What an error of the operating system says, on one line."""
    said = error.strerror or " ".join(str(error).split()) or type(error).__name__
    return said if error.filename is None else f"{said} ({error.filename})"


def trouble_with_artifacts(error: BaseException) -> Trouble | None:
    """The trouble that an artifact store has by its error; None where waiting mends nothing."""
    if isinstance(error, OSError) and error.errno in FULL:
        return Trouble.FULL
    # The store's own, of the operating system's or a cloud's client's; not those of the studies.
    own = (SearchError, OSError)
    is_away = isinstance(error, own) or type(error).__module__.partition(".")[0] in CLOUDS
    return Trouble.AWAY if is_away else None


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
