"""Opens a storage, and turns what can go wrong there into one clear line without passwords."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage, get_storage

from .errors import SearchError

DEFAULT_URL = "sqlite:///egnas.db"
DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}
"""The drivers that this package's extras install, for URLs that name none."""


def open_storage(storage: str | BaseStorage | None, *, create: bool = True) -> BaseStorage:
    """The storage behind a URL; a storage object stays as it is; None is in memory.

    Args:
        storage: a SQLAlchemy URL, an Optuna storage, or None.
        create: whether a missing SQLite file may be made.

    Raises:
        SearchError: the URL is malformed, its driver is missing, or the database is out of reach.
    """
    if storage is None:
        return InMemoryStorage()
    if not isinstance(storage, str):
        return get_storage(storage)
    url = parse_url(storage)
    if not create:
        _check_file(url)
    with storage_errors(url):
        return get_storage(RDBStorage(url.render_as_string(hide_password=False)))


def parse_url(text: str) -> sa.URL:
    """A storage URL with its driver; malformed ones are refused without being printed."""
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise SearchError(
            "A storage must be a URL such as sqlite:///egnas.db or "
            "postgresql://user@host/database, but got something else."
        ) from None
    return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))


def shown(url: sa.URL | str) -> str:
    """A URL as it may be printed: its password hidden."""
    return (parse_url(url) if isinstance(url, str) else url).render_as_string(hide_password=True)


@contextmanager
def storage_errors(url: sa.URL) -> Iterator[None]:
    """Turn the errors of a database into a `SearchError` of one line."""
    try:
        yield
    except ImportError:
        backend = url.get_backend_name()
        extra = f"pip install 'optuna-egnas[{backend}]'"
        hint = extra if backend in DRIVERS else f"install a SQLAlchemy driver for {backend}"
        raise SearchError(f"The driver of {shown(url)} is missing: {hint}.") from None
    except sa.exc.NoSuchModuleError:
        raise SearchError(
            f"A storage must be SQLite, PostgreSQL or MySQL, but got {url.drivername}."
        ) from None
    except sa.exc.SQLAlchemyError as error:
        raise SearchError(f"Cannot use the storage {shown(url)}: {_reason(error, url)}") from None
    except RuntimeError as error:
        # Optuna's, where a database has the tables of another version.
        raise SearchError(f"Cannot use the storage {shown(url)}: {_one_line(error)}") from None


def _check_file(url: sa.URL) -> None:
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return
    if not Path(str(url.database)).exists():
        raise SearchError(f"There is no search yet: the file {url.database} does not exist.")


def _reason(error: sa.exc.SQLAlchemyError, url: sa.URL) -> str:
    """The driver's own words, on one line, without the password."""
    text = _one_line(getattr(error, "orig", None) or error)
    password = url.password
    return text.replace(str(password), "***") if password else text


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
