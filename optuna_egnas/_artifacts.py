"""Opens the place where checkpoints are kept: a directory, s3://bucket/prefix or gs://...

An Optuna artifact store is all that is asked for, by `write`, `remove` and `open_reader`.
"""

from __future__ import annotations

import os
import re
import uuid
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

from optuna.artifacts import Boto3ArtifactStore, FileSystemArtifactStore, GCSArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.exceptions import ExperimentalWarning

from ._trouble import words_of_files
from .errors import SearchError

DEFAULT_PLACE = "egnas-artifacts"
EXTRAS = {"s3": "s3", "gs": "gcs"}
"""The extras of this package that bring what a bucket needs."""


class Store(Protocol):
    """What is used of Optuna's artifact stores."""

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Read an artifact; raises ArtifactNotFound where there is none."""

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Write an artifact, or write it anew."""

    def remove(self, artifact_id: str) -> None:
        """Remove an artifact; may raise where there is none."""


def full_place(place: str) -> str:
    """A place as any process would name it: a directory by its absolute path."""
    return place if _bucket(place) else str(Path(place).expanduser().absolute())


def open_artifacts(place: str) -> Store:
    """The store at a place; a directory is made when something is first written to it.

    Raises:
        SearchError: it cannot be written to, or the package for it is missing.
    """
    bucket = _bucket(place)
    if bucket is None:
        return _open_folder(Path(full_place(place)))
    scheme, name, prefix = bucket
    try:
        store = _Prefixed(store=_open_bucket(scheme, name), prefix=prefix.strip("/"))
        _probe(store)
    except ImportError:
        raise SearchError(
            f"The package for {place} is missing: pip install 'optuna-egnas[{EXTRAS[scheme]}]'."
        ) from None
    # Each cloud's client has errors of its own, which say what is wrong there.
    except Exception as error:
        raise SearchError(f"Cannot keep artifacts at {place}: {words_of(error)}") from None
    return store


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MemoryStore:
    """A store that ends with its process."""

    _kept: dict[str, bytes] = field(default_factory=dict, init=False)

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Read an artifact; KeyError where there is none."""
        return BytesIO(self._kept[artifact_id])

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Write an artifact, or write it anew."""
        self._kept[artifact_id] = content_body.read()

    def remove(self, artifact_id: str) -> None:
        """Remove an artifact, if there is one."""
        self._kept.pop(artifact_id, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prefixed:
    """A store whose artifacts have names that begin with a prefix."""

    store: Store
    prefix: str

    def open_reader(self, artifact_id: str) -> BinaryIO:
        return self.store.open_reader(self._name(artifact_id))

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        self.store.write(self._name(artifact_id), content_body)

    def remove(self, artifact_id: str) -> None:
        self.store.remove(self._name(artifact_id))

    def _name(self, artifact_id: str) -> str:
        return f"{self.prefix}/{artifact_id}" if self.prefix else artifact_id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    """A directory that need not be there before the first write."""

    store: Store
    path: Path

    def open_reader(self, artifact_id: str) -> BinaryIO:
        return self.store.open_reader(artifact_id)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self.store.write(artifact_id, content_body)
        except OSError:
            # What a full disk has taken of it only keeps the disk full.
            with suppress(OSError, ArtifactNotFound):
                self.store.remove(artifact_id)
            raise

    def remove(self, artifact_id: str) -> None:
        self.store.remove(artifact_id)


def words_of(error: BaseException) -> str:
    """What an error of a store says, on one line."""
    if isinstance(error, OSError):
        return words_of_files(error)
    return " ".join(str(error).split()) or type(error).__name__


def _bucket(place: str) -> tuple[str, str, str] | None:
    """Scheme, bucket and prefix; None for a directory."""
    if not place.strip():
        raise SearchError(f"Artifacts must be kept in a place that has a name, but got {place!r}.")
    found = re.fullmatch(r"(s3|gs)://([^/]+)/?(.*)", place)
    if found is None and "://" in place:
        raise SearchError(
            "Artifacts must be kept in a directory, s3://bucket/prefix or gs://bucket/prefix, "
            f"but got {place!r}."
        )
    return (found[1], found[2], found[3]) if found else None


def _open_folder(path: Path) -> Store:
    try:
        there = next(folder for folder in (path, *path.parents) if folder.exists())
    # A name may be longer than a file system takes.
    except OSError as error:
        raise SearchError(f"Artifacts cannot be kept in {path}: {error.strerror}.") from None
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        wrong = "cannot be written to" if there.is_dir() else "is no directory"
        raise SearchError(
            f"Artifacts must be kept where they can be written, but {there} {wrong}: "
            "choose another place with --artifacts."
        )
    return _Folder(store=FileSystemArtifactStore(path), path=path)


def _open_bucket(scheme: str, bucket: str) -> Store:
    if scheme == "s3":
        return Boto3ArtifactStore(bucket)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return GCSArtifactStore(bucket)


def _probe(store: Store) -> None:
    """Write something there and remove it: keys, bucket and rights are checked at the start."""
    name = f"egnas-probe-{uuid.uuid4().hex}"
    store.write(name, BytesIO(b"egnas"))
    with suppress(Exception):
        store.remove(name)
