"""Files behind the data sets: published idx and CIFAR files.

A reader opens the files of the one part it is asked for. The training part is therefore read
where the test files are absent or damaged, which torchvision's own classes refuse.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import re
import sys
import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from math import prod
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets

from ..._core.text import reason
from ...errors import DataError
from .paths import is_file, short_name

Part = Literal["train", "test"]

MEMORY_SHARE = 0.8
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")

_UINT8_MAGIC = 0x0800


def available_memory() -> int:
    """Bytes of RAM that can be filled without swapping; sys.maxsize where nobody tells."""
    meminfo = Path("/proc/meminfo")
    # sysconf counts the file cache, which the system would give back, as taken.
    found = re.search(r"MemAvailable:\s+(\d+) kB", meminfo.read_text() if meminfo.exists() else "")
    if found:
        return int(found[1]) * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return sys.maxsize


def check_memory(shape: Sequence[int]) -> None:
    """Refuse uint8 images [N, C, H, W] that would not fit in memory, before any is read."""
    needed, available = prod(shape), available_memory()
    if needed > MEMORY_SHARE * available:
        bound = f"{MEMORY_SHARE:.0%} of the {_size(available)} of memory available"
        found = f"{_size(needed)} needed for {' x '.join(map(str, shape))}"
        raise DataError(f"images may take {bound}, found {found}")


def _size(count: int) -> str:
    mebibytes = count / 2**20
    return f"{mebibytes / 1024:.1f} GiB" if mebibytes >= 1024 else f"{mebibytes:.1f} MiB"


class Content(NamedTuple):
    """What a reader returns: images uint8 [N, C, H, W], labels int64 [N], a name per class."""

    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]


def read_published(name: str, part: Part, root: Path, *, download: bool) -> Content:
    """One part of a published data set; damaged and foreign files are a DataError."""
    return SOURCES[name].read(part, find_published(name, part, root, download=download))


def find_published(name: str, part: Part, root: Path, *, download: bool) -> tuple[Path, ...]:
    """The files of one part of a published data set, in the first folder that has them all.

    With `download`, torchvision fetches the set into `root` where no folder has them. Nothing is
    read of files that are there; where they are missing, it is a DataError.
    """
    source = SOURCES[name]
    found = _found(source, part, root)
    if not found and download:
        _download(name, source, part, root)
        found = _found(source, part, root)
    if not found:
        places = ", ".join(map(short_name, source.places(root)))
        debian = ", or install Debian's dataset-fashion-mnist" if name == "fashion-mnist" else ""
        raise DataError(
            f"{name} needs {', '.join(source.files(part))} in one folder, found in none of "
            f"{places}; name another with --data-root, fetch them with --download{debian}"
        )
    return found


def _found(source: IdxSource | CifarSource, part: Part, root: Path) -> tuple[Path, ...]:
    for place in source.places(root):
        files = [place / file for file in source.files(part)]
        either = [file if is_file(file) else Path(f"{file}.gz") for file in files]
        if all(map(is_file, either)):
            return tuple(either)
    return ()


def _download(name: str, source: IdxSource | CifarSource, part: Part, root: Path) -> None:
    try:
        source.published(str(root), train=part == "train", download=True, **source.arguments)
    except (OSError, RuntimeError, HTTPException) as error:
        right = f"{name} must be downloadable into {root} or be put there by hand"
        raise DataError(f"{right}, found {reason(error)}") from error


def _content(file: Path) -> bytes:
    try:
        stored = file.read_bytes()
        return gzip.decompress(stored) if file.suffix == ".gz" else stored
    except (OSError, EOFError, zlib.error) as error:
        found = f"{file} ({reason(error)})"
        raise DataError(f"a data file must be readable and whole, found {found}") from error


def _read_idx(file: Path, dimensions: int) -> Tensor:
    """The uint8 tensor in an idx file of so many dimensions."""
    content = _content(file)
    magic = (_UINT8_MAGIC + dimensions).to_bytes(4, "big")
    if content[:4] != magic:
        found = f"{content[:4].hex() or 'nothing'} in {file}"
        raise DataError(f"an idx file of this kind must begin with {magic.hex()}, found {found}")
    header = 4 * (1 + dimensions)
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4)]
    length = header + prod(shape)
    if len(content) != length:
        found = f"{len(content)} in {file}"
        raise DataError(f"an idx file of shape {shape} must have {length} bytes, found {found}")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)[header:].reshape(shape)


def _unpickled(file: Path, published: str) -> Any:
    """The object in a CIFAR pickle, which is opened only when its md5 is the published one."""
    content = _content(file)
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != published:
        raise DataError(
            f"a CIFAR file must be the published one with md5 {published}, as foreign pickles can "
            f"run code; found {found} in {file}"
        )
    with warnings.catch_warnings():
        # Some releases of numpy 2.4 warn about the flags in the pickles of numpy of 2009.
        warnings.simplefilter("ignore")
        return pickle.loads(content, encoding="latin1")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdxSource:
    """A set of MNIST's kind: for each part one idx file of images and one of labels."""

    published: Any
    class_names: tuple[str, ...]
    prefixes: Mapping[Part, str] = field(
        default_factory=lambda: {"train": "train", "test": "t10k"}
    )
    arguments: Mapping[str, str] = field(default_factory=dict)
    transposed: bool = False
    debian: bool = False
    flip: bool = False

    def places(self, root: Path) -> list[Path]:
        """Folders to search, the first one first."""
        own = [root / self.published.__name__ / "raw", root]
        return [*own, DEBIAN_FASHION_MNIST] if self.debian else own

    def files(self, part: Part) -> list[str]:
        """Names of the files of one part: images, labels."""
        return [f"{self.prefixes[part]}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1")]

    def read(self, part: Part, found: Sequence[Path]) -> Content:
        """The content of the files that `files` names."""
        images, labels = _read_idx(found[0], 3), _read_idx(found[1], 1)
        if len(images) != len(labels):
            counts = f"{len(images)} in {found[0]} and {len(labels)} in {found[1]}"
            raise DataError(f"every image must have one label, found {counts}")
        upright = images.transpose(1, 2) if self.transposed else images
        return Content(upright.unsqueeze(1).contiguous(), labels.long(), self.class_names)


@dataclass(frozen=True, slots=True, kw_only=True)
class CifarSource:
    """A set of CIFAR's kind: pickles of 3 x 32 x 32 images, and one of the classes' names."""

    published: Any
    arguments: Mapping[str, str] = field(default_factory=dict)
    flip: bool = True

    def places(self, root: Path) -> list[Path]:
        """Folders to search, the first one first."""
        return [root / self.published.base_folder]

    def files(self, part: Part) -> list[str]:
        """Names of the files of one part: batches of images, then the classes' names."""
        return [name for name, _ in self._checksums(part)]

    def read(self, part: Part, found: Sequence[Path]) -> Content:
        """The content of the files that `files` names."""
        sums = [md5 for _, md5 in self._checksums(part)]
        *batches, meta = map(_unpickled, found, sums)
        key = "labels" if "labels" in batches[0] else "fine_labels"
        labels = torch.cat([torch.tensor(batch[key]) for batch in batches])
        images = np.concatenate([batch["data"] for batch in batches]).reshape(-1, 3, 32, 32)
        names = tuple(meta[self.published.meta["key"]])
        return Content(torch.from_numpy(images), labels, names)

    def _checksums(self, part: Part) -> list[tuple[str, str]]:
        published, meta = self.published, self.published.meta
        batches = published.train_list if part == "train" else published.test_list
        return [*map(tuple, batches), (meta["filename"], meta["md5"])]


SOURCES: Mapping[str, IdxSource | CifarSource] = {
    "fashion-mnist": IdxSource(
        published=datasets.FashionMNIST,
        class_names=tuple(datasets.FashionMNIST.classes),
        debian=True,
        flip=True,
    ),
    "kmnist": IdxSource(published=datasets.KMNIST, class_names=tuple(datasets.KMNIST.classes)),
    "emnist": IdxSource(
        published=datasets.EMNIST,
        class_names=tuple(datasets.EMNIST.classes_split_dict["balanced"]),
        prefixes={"train": "emnist-balanced-train", "test": "emnist-balanced-test"},
        arguments={"split": "balanced"},
        transposed=True,
    ),
    "cifar10": CifarSource(published=datasets.CIFAR10),
    "cifar100": CifarSource(published=datasets.CIFAR100),
}
