"""Whose the files of a search are: of several storages that hold it, some may be copies.

A copied or restored database names the same run and the same files as the one that it was copied
from. So beside the files of a run lies a list of the storages that have written some. Deleting a
search takes its storage from the list, and the files only when no other one is left there.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.storages import InMemoryStorage, RDBStorage

from .._core.rules import UNREADABLE, fields, list_of, optional, text, whole
from .._core.text import clipped
from .urls import shown

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from .artifacts import Store


FILE, DATABASE, MEMORY = "file", "database", "memory"
IDENTITIES = {
    "postgresql": "SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' || "
    "(SELECT oid FROM pg_database WHERE datname = current_database())::text",
    "mysql": "SELECT CONCAT(@@server_uuid, '/', DATABASE())",
}
"""What tells a database from its copies, also where it is reached under another address."""
_NUMBERS: WeakKeyDictionary[BaseStorage, str] = WeakKeyDictionary()


class Owner(NamedTuple):
    """A storage: what tells it from others, and what people call it."""

    kind: str
    id: str
    place: str
    inode: int | None = None
    device: int | None = None

    def is_same(self, other: Owner) -> bool:
        """Whether both are one storage: a file that was moved is, one that was copied is not."""
        if self.kind != other.kind or self.kind != FILE:
            return (self.kind, self.id) == (other.kind, other.id)
        if not self.inode:
            return self.id == other.id
        return self.inode == other.inode and (self.id == other.id or self.device == other.device)


OWNERS_RULE = fields(
    {
        "owners": list_of(
            fields(
                {
                    "kind": text,
                    "id": text,
                    "place": text,
                    "inode": optional(whole),
                    "device": optional(whole),
                },
                others=False,
            )
        )
    }
)


class Released(NamedTuple):
    """Whether the files of a run may go, and in words why not."""

    may_go: bool
    reason: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class OwnedStore:
    """A store of artifacts that says whose they are before the first one is written.

    Args:
        store: where they are kept.
        run: of the search.
        storage: that holds the search.
    """

    store: Store
    run: str
    storage: BaseStorage
    _is_marked: bool = field(default=False, init=False)

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Read an artifact."""
        return self.store.open_reader(artifact_id)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Write an artifact."""
        if not self._is_marked:
            self._is_marked = _mark(self.store, self.run, self.storage)
        self.store.write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """Remove an artifact."""
        self.store.remove(artifact_id)


def release(store: Store, run: str, storage: BaseStorage) -> Released:
    """Take a storage from the owners of a run's files; whether the files may go with it.

    Raises:
        Exception: the list cannot be written; each store has its own errors for that.
    """
    owners, own = _read(store, run), _owner(storage)
    if not owners:
        return Released(False, "their owner is not known")
    others = [each for each in owners if own is None or not each.is_same(own)]
    if len(others) == len(owners):
        return Released(False, f"they belong to {_named(others)}, of which this is a copy")
    if others:
        _write(store, run, others)
        return Released(False, f"they also belong to {_named(others)}")
    return Released(True)


def forget(store: Store, run: str) -> None:
    """Remove the list of a run's owners, whose files are gone.

    Raises:
        Exception: it cannot be removed; each store has its own errors for that.
    """
    store.remove(_name(run))


def _mark(store: Store, run: str, storage: BaseStorage) -> bool:
    """Write that a storage owns files of a run; whether that is written."""
    own = _owner(storage)
    # What is wrong with a store shows when the file itself is written; each has its own errors.
    with suppress(Exception):
        owners = _read(store, run)
        if own is not None and owners is not None:
            if not any(each.is_same(own) and each.place == own.place for each in owners):
                _write(store, run, [*(each for each in owners if not each.is_same(own)), own])
            return True
    return False


def _owner(storage: BaseStorage) -> Owner | None:
    """What tells a storage from others; None where nothing does."""
    # Optuna wraps a database in a cache, and a journal in its replay.
    inner = getattr(storage, "_backend", storage)
    for kind, read in _READERS:
        if isinstance(inner, kind):
            return read(inner)
    path, url = getattr(inner, "_file_path", None), getattr(inner, "_url", None)
    if path is not None:
        return _of_file(Path(path), f"journal:///{path}")
    if url is not None:
        return Owner(DATABASE, shown(str(url)), shown(str(url)))
    host, port = getattr(inner, "_host", None), getattr(inner, "_port", None)
    return Owner(DATABASE, f"grpc://{host}:{port}", f"grpc://{host}:{port}") if host else None


def _of_memory(storage: Any) -> Owner:
    number = _NUMBERS.setdefault(storage, uuid.uuid4().hex)
    return Owner(MEMORY, number, "a storage in memory")


def _of_database(storage: Any) -> Owner | None:
    url = storage.engine.url
    backend = url.get_backend_name()
    if backend != "sqlite":
        return Owner(DATABASE, f"{backend} {_identity(storage.engine)}", shown(url))
    path = re.sub(r"^file:|\?.*$", "", url.database or "")
    if path in ("", ":memory:"):
        return _of_memory(storage)
    return _of_file(Path(path), f"sqlite:///{Path(path).absolute()}")


def _of_file(path: Path, place: str) -> Owner | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return Owner(FILE, str(path.resolve()), place, found.st_ino, found.st_dev)


def _identity(engine: sa.Engine) -> str:
    """What a database says of itself, else its address."""
    query = IDENTITIES.get("mysql" if engine.dialect.name == "mariadb" else engine.dialect.name)
    # Some databases do not say it, or not to everybody.
    with suppress(sa.exc.SQLAlchemyError), engine.connect() as connection:
        if query is not None:
            return str(connection.execute(sa.text(query)).scalar_one())
    return f"{engine.url.host}:{engine.url.port}/{engine.url.database}"


_READERS: tuple[tuple[type, Callable[[Any], Owner | None]], ...] = (
    (InMemoryStorage, _of_memory),
    (RDBStorage, _of_database),
)


def _read(store: Store, run: str) -> list[Owner] | None:
    """The owners of a run's files; none where there is no list, None where it is unreadable.

    Raises:
        Exception: the store is out of reach; each has its own errors for that.
    """
    try:
        with store.open_reader(_name(run)) as file:
            content = file.read()
    except (ArtifactNotFound, KeyError):
        return []
    try:
        record: Mapping[str, Any] = json.loads(content)
    except UNREADABLE:
        return None
    return None if OWNERS_RULE(record) else [Owner(**each) for each in record["owners"]]


def _write(store: Store, run: str, owners: list[Owner]) -> None:
    record = {"owners": [each._asdict() for each in owners]}
    store.write(_name(run), BytesIO(json.dumps(record).encode()))


def _name(run: str) -> str:
    return f"egnas-{run}.owners"


def _named(owners: list[Owner]) -> str:
    return clipped(" and ".join(each.place for each in owners), 160)
