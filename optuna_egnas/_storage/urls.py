"""Opens a storage, and turns what can go wrong there into one clear line without passwords."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from optuna.storages import BaseStorage

from .._core.commands import STORAGE
from ..errors import SearchError

DEFAULT_URL: str = STORAGE.default
DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}
"""The drivers that this package's extras install, for URLs that name none."""
SECRETS = ("pass", "pwd", "secret", "token", "key")
"""What the name of a URL's option holds if its value is not for everybody's eyes."""


def parse_url(text: str) -> sa.URL:
    """A storage URL with its driver; malformed ones are refused without being printed."""
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise SearchError(
            "A storage must be a URL such as sqlite:///egnas.db or "
            "postgresql://user@host:5432/database, but got something else."
        ) from None
    return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))


def shown(url: sa.URL | str) -> str:
    """A URL as it may be printed: its passwords hidden."""
    url = parse_url(url) if isinstance(url, str) else url
    hidden = url.update_query_dict(dict.fromkeys(_secret_options(url), "***"))
    return hidden.render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


def full_url(storage: str | BaseStorage | None) -> str:
    """A storage as it may be printed for any directory: a SQLite file by its absolute path."""
    if not isinstance(storage, str):
        return "the storage of your program"
    url = parse_url(storage)
    if url.drivername == "sqlite" and url.database not in (None, "", ":memory:"):
        url = url.set(database=str(Path(str(url.database)).absolute()))
    return shown(url)


def _whole(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


def _secret_options(url: sa.URL) -> list[str]:
    return [name for name in url.query if any(secret in name.lower() for secret in SECRETS)]
