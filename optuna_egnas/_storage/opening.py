"""Opens a storage, and turns what can go wrong there into one clear line without passwords."""

from __future__ import annotations

import json
import re
import time
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage, get_storage

from ..errors import SearchError
from .backends import SCHEMES, open_backend
from .outage import is_patient, not_waiting, patient, patiently
from .trouble import probe, words_of_files
from .urls import DRIVERS, _secret_options, _whole, parse_url, shown

HEARTBEAT, GRACE = 60, 300
"""Seconds between two heartbeats of a worker, and without one until it counts as dead. A busy
database delays heartbeats, and a live worker that others take for dead loses its work."""

SAYS_LITTLE = "disk I/O error|unable to open database file"
"""What SQLite says where the operating system knows why."""
LOCKED = 2
"""Seconds that SQLite itself waits while another process writes: no signal can end that. The
calls of a storage go on waiting; see `_outage`."""
KEEPALIVE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
"""How PostgreSQL's client finds out that a server is lost without a word, in seconds and, last,
milliseconds; those that a URL names count instead."""
TRIES, PAUSE = 5, 0.2
"""How often, and after how many seconds, the tables of a new database are looked for again."""


def open_storage(
    storage: str | BaseStorage | None, *, create: bool = True, heartbeat: bool = False
) -> BaseStorage:
    """The storage behind a URL; a storage object stays as it is; None is in memory.

    Args:
        storage: a SQLAlchemy URL or one of `_backends`, an Optuna storage, or None.
        create: whether a missing SQLite file, or missing tables, may be made.
        heartbeat: whether workers tell through a database that they live; for `optimize` only,
            since Optuna warns at each `ask` outside of it.

    Raises:
        SearchError: the URL is malformed, its driver is missing, or the database is out of reach.
    """
    if storage is None:
        return InMemoryStorage()
    if not isinstance(storage, str):
        return _patient(get_storage(storage), None)
    url = parse_url(storage)
    with not_waiting():
        opened = _open_backend if url.drivername in SCHEMES else _open_database
        return _patient(opened(url, create=create, heartbeat=heartbeat), url)


def _patient(storage: BaseStorage, url: sa.URL | None) -> BaseStorage:
    """A storage that waits for what is behind it; see `_outage`."""
    if isinstance(storage, InMemoryStorage) or is_patient(storage):
        return storage
    return patient(
        storage,
        _in_words(url),
        file=None if url is None else _sqlite_file(url),
        words=lambda error: _reason(error, url),
    )


def _open_database(url: sa.URL, *, create: bool, heartbeat: bool) -> BaseStorage:
    _check_file(url, create=create)

    def opened() -> RDBStorage:
        if not create:
            _check_tables(url)
        return _open(url, heartbeat=heartbeat)

    with storage_errors(url), _opening_errors(url):
        database = patiently(
            opened,
            _in_words(url),
            file=_sqlite_file(url),
            words=lambda error: _reason(error, url),
        )
    # Optuna leaves its connections to the garbage collector, about which drivers complain.
    weakref.finalize(database, database.engine.dispose)
    return get_storage(database)


def _in_words(url: sa.URL | None) -> str:
    """What a storage is called in what is said of it, without passwords."""
    return "The storage of your program" if url is None else f"The storage {shown(url)}"


def _sqlite_file(url: sa.URL) -> Path | None:
    """The file of a SQLite database; None for one in memory, and for other databases."""
    of_a_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    # file:... is SQLite's own kind of URL, which it reads itself.
    if not of_a_file or str(url.database).startswith("file:"):
        return None
    return Path(str(url.database))


def _open_backend(url: sa.URL, *, create: bool, heartbeat: bool) -> BaseStorage:
    del heartbeat  # These have none.
    try:
        return patiently(
            lambda: open_backend(url, create=create),
            _in_words(url),
            words=lambda error: _reason(error, url),
        )
    except SearchError:
        raise
    except Exception as error:
        reason = _reason(error, url) or type(error).__name__
        raise SearchError(f"Cannot use the storage {shown(url)}: {reason}") from None


@contextmanager
def storage_errors(url: sa.URL) -> Iterator[None]:
    """Turn the errors of a database into a `SearchError` of one line."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        raise SearchError(f"Cannot use the storage {shown(url)}: {_reason(error, url)}") from None
    except StorageInternalError as error:
        # Optuna's own words are about the commit; its cause is what the database has said.
        cause = error.__cause__ or error
        raise SearchError(f"Cannot use the storage {shown(url)}: {_reason(cause, url)}") from None
    except (ValueError, RecursionError) as error:
        if not _is_no_json(error):
            raise
        raise SearchError(
            f"Cannot use the storage {shown(url)}: it holds a value that is no JSON."
        ) from None
    except KeyError as error:
        if "Record does not exist" not in str(error):
            raise
        raise SearchError(
            f"A study of this search in {shown(url)} was renamed or deleted meanwhile: "
            "repeat the command to go on with the others."
        ) from None


def _is_no_json(error: Exception) -> bool:
    """Whether this came of a stored value; Python reads no whole number of thousands of digits."""
    own = isinstance(error, (json.JSONDecodeError, RecursionError))
    return own or "integer string conversion" in str(error)


@contextmanager
def _opening_errors(url: sa.URL) -> Iterator[None]:
    """Raise a SearchError for what can go wrong only while a storage is opened."""
    try:
        yield
    except ImportError:
        raise SearchError(f"The driver of {shown(url)} is missing: {_driver_hint(url)}.") from None
    except sa.exc.NoSuchModuleError:
        raise SearchError(
            "A storage must be SQLite, PostgreSQL or MySQL, or journal, redis or grpc, "
            f"but got {url.drivername}."
        ) from None
    except (RuntimeError, TypeError, ValueError) as error:
        # Optuna's, where the tables are of another version; a driver's, for an option in the URL.
        raise SearchError(f"Cannot use the storage {shown(url)}: {_reason(error, url)}") from None


def _open(url: sa.URL, *, heartbeat: bool) -> RDBStorage:
    """Open a database; workers that start together make its tables together, and trip once."""
    for _ in range(TRIES):
        try:
            return _database(url, heartbeat=heartbeat)
        except sa.exc.DBAPIError as error:
            if not isinstance(error, sa.exc.IntegrityError) and "already exists" not in str(error):
                raise
            time.sleep(PAUSE)
    return _database(url, heartbeat=heartbeat)


def _database(url: sa.URL, *, heartbeat: bool) -> RDBStorage:
    kwargs = {"connect_args": _connect_args(url)}
    if not heartbeat:
        return RDBStorage(_whole(url), engine_kwargs=kwargs)
    with warnings.catch_warnings():
        # Optuna calls heartbeats experimental: whoever starts a search need not hear of it.
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RDBStorage(
            _whole(url),
            engine_kwargs=kwargs,
            heartbeat_interval=HEARTBEAT,
            grace_period=GRACE,
        )


def _connect_args(url: sa.URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"timeout": LOCKED}
    if url.drivername in ("postgresql+psycopg", "postgresql+psycopg2"):
        return {name: value for name, value in KEEPALIVE.items() if name not in url.query}
    return {}


def _driver_hint(url: sa.URL) -> str:
    backend = url.get_backend_name()
    if backend not in DRIVERS:
        return f"install a SQLAlchemy driver for {backend}"
    known = DRIVERS[backend]
    hint = f"pip install 'optuna-egnas[{known.split('+')[0]}]'"
    return hint if url.drivername == known else f"{hint}, and begin the URL with {backend}://"


def _check_file(url: sa.URL, *, create: bool) -> None:
    """Refuse a SQLite file, or a folder for it, that is not there."""
    file = _sqlite_file(url)
    if file is None:
        return
    if not create and not is_there(file):
        raise SearchError(f"There is no search yet: the file {file} does not exist.")
    if not is_there(file.parent):
        raise SearchError(
            f"The folder of a SQLite file must exist, but there is none at {file.parent}."
        )


def is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        # No path at all: a name that is too long, or with a null byte.
        return False


def _check_tables(url: sa.URL) -> None:
    """Refuse a database without studies before Optuna makes its tables there."""
    engine = sa.create_engine(_whole(url), connect_args=_connect_args(url))
    try:
        there = sa.inspect(engine).has_table("studies")
    finally:
        engine.dispose()
    if not there:
        raise SearchError(f"There is no search yet: {shown(url)} holds no studies.")


def _reason(error: BaseException, url: sa.URL | None) -> str:
    """The driver's own words, on one line, without the passwords."""
    text = " ".join(str(getattr(error, "orig", None) or error).split())
    if isinstance(error, OSError):
        text = words_of_files(error)
    text = text or type(error).__name__
    if url is None:
        return text
    file = _sqlite_file(url)
    if re.search(SAYS_LITTLE, text) and file is not None and (why := probe(file)) is not None:
        text = f"{text}: {why.strerror or why}"
    values = [url.password, *(url.query[name] for name in _secret_options(url))]
    for value in values:
        for password in (value,) if isinstance(value, str) else value or ():
            text = text.replace(password, "***") if password else text
    return text
