"""Storages of Optuna's other than databases, under URLs like theirs.

journal:///egnas.journal      a journal file: many workers of one machine
redis://host:6379/0           a journal in Redis
grpc://host:13000             Optuna's proxy in front of a database: very many workers
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import sqlalchemy as sa
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, GrpcStorageProxy, JournalStorage
from optuna.storages.journal import (
    JournalFileBackend,
    JournalFileSymlinkLock,
    JournalRedisBackend,
)

from .errors import SearchError

SCHEMES = ("journal", "redis", "grpc")
PORT = 13000
BLOCK = 4096
READY = 10
"""Seconds in which a proxy must answer."""


def open_backend(url: sa.URL, *, create: bool) -> BaseStorage:
    """The storage behind a URL of one of SCHEMES.

    Raises:
        SearchError: it names no file, or needs a package that is missing.
        Exception: it is out of reach; the clients of Redis and gRPC have errors of their own.
    """
    try:
        with warnings.catch_warnings():
            # Optuna calls some of these experimental: whoever asks for one need not hear of it.
            warnings.simplefilter("ignore", ExperimentalWarning)
            return _open(url, create=create)
    except ImportError:
        package = "redis" if url.drivername == "redis" else "grpcio protobuf"
        raise SearchError(f"A {url.drivername} URL needs: pip install {package}.") from None


def _open(url: sa.URL, *, create: bool) -> BaseStorage:
    if url.drivername == "journal":
        return _journal(url, create=create)
    if url.drivername == "redis":
        return JournalStorage(JournalRedisBackend(url.render_as_string(hide_password=False)))
    proxy = GrpcStorageProxy(host=url.host or "localhost", port=url.port or PORT)
    proxy.wait_server_ready(timeout=READY)
    return proxy


def _journal(url: sa.URL, *, create: bool) -> BaseStorage:
    if not url.database:
        raise SearchError("A journal must name its file, as in journal:///egnas.journal.")
    file = Path(url.database)
    if not create and not file.exists():
        raise SearchError(f"There is no search yet: the file {file} does not exist.")
    if file.exists() and not file.is_file():
        raise SearchError(f"A journal must be a plain file, but {file} is none.")
    if not file.parent.exists():
        raise SearchError(f"The folder of a journal must exist, but there is none: {file.parent}.")
    return JournalStorage(JournalFileBackend(str(file), lock_obj=_MendingLock(str(file))))


class _MendingLock(JournalFileSymlinkLock):
    """The lock of a journal's writers, each of which takes back what one before left half written.

    A line that a full disk or a kill has cut off would swallow the next one, and end all readers.
    """

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self._file = Path(file)

    def acquire(self) -> bool:
        """Acquire the lock, in a blocking way; always True."""
        super().acquire()
        try:
            _take_back_torn_line(self._file)
        except BaseException:
            self.release()
            raise
        return True


def _take_back_torn_line(file: Path) -> None:
    # One that is not there any more is an error, before a new one takes its place.
    with file.open("rb+") as journal:
        end = whole = journal.seek(0, os.SEEK_END)
        block = b""
        while whole and not block.endswith(b"\n"):
            start = max(0, whole - BLOCK)
            journal.seek(start)
            block = journal.read(whole - start)
            whole = start + block.rfind(b"\n") + 1
            block = block[: whole - start]
        if whole < end:
            journal.truncate(whole)
