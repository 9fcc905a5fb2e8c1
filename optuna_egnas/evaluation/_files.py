"""The image files below a folder: hidden and system files passed over, links followed once."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from ..errors import DataError
from ._images import is_picture, readable_formats
from ._paths import exists, is_file, is_folder, short_name

_SYSTEM = re.compile(
    r"""
    \..* | .*~ | ~\$.* | \#.*\# | \#recycle | \#snapshot | \$recycle\.bin | (?-i:RECYCLER)
    | @eadir | @recycle | @tmp | @sharebin | @recently-snapshot | @__thumb | @syno.*
    | __macosx | __pycache__ | system\ volume\ information | found\.\d+ | lost\+found
    | network\ trash\ folder | temporary\ items | thumbs\.db(:encryptable)? | ehthumbs(_vista)?\.db
    | desktop\.ini | folder\.ini | picasa\.ini | icon\r
    | .*\.(sw[a-p] | tmp | temp | bak | part | partial | crdownload | download | opdownload
    | filepart | !ut | !qb | bc! | aria2 | lock)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
"""Names that editors, archives, downloads, file servers and operating systems leave behind."""
CAMERA = frozenset(
    f".{ending}"
    for ending in (
        *("heic", "heif", "hif", "jxl", "svg"),
        *("dng", "cr2", "cr3", "crw", "nef", "nrw", "arw", "sr2", "raf", "orf", "rw2", "pef"),
        *("srw", "raw", "rwl", "3fr", "iiq", "x3f"),
    )
)
"""Endings of images for which Pillow needs a plug-in."""


class Entry(NamedTuple):
    """A file: how it was reached, its real path, and whether a link lies between the two."""

    path: Path
    real: str
    is_linked: bool


class Found(NamedTuple):
    """The image files below a folder in the order of their paths, and endings of all others."""

    images: tuple[Entry, ...]
    others: Counter[str]


@cache
def image_endings() -> frozenset[str]:
    """Endings of the formats that Pillow reads by itself, `.png` say, in small letters."""
    known, readers = Image.registered_extensions(), readable_formats()
    return frozenset(ending for ending, name in known.items() if name in readers)


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder by name, without hidden ones and links to what holds them."""
    real = _real(folder)
    return sorted(Path(entry.path) for entry in _scan(folder) if _leads_down(entry, real))


def find_images(folder: Path, *, deep: bool = True) -> Found:
    """The images in a folder and, with `deep`, in all folders below it, each entered once.

    What an ending does not tell, the content does.

    Raises:
        DataError: a folder cannot be listed.
    """
    images, others = [], Counter[str]()
    start = (folder, _real(folder), folder.is_symlink())
    for entry in _walk(*start) if deep else _own_files(*start):
        ending = entry.path.suffix.lower()
        if ending in image_endings() or is_picture(entry.path):
            images.append(entry)
        elif exists(entry.path):
            others[ending] += 1
    return Found(tuple(sorted(images)), others)


def _walk(folder: Path, real: str, is_linked: bool) -> Iterator[Entry]:
    """All files below a folder; a folder is entered from its own place, if it has one here."""
    seen: set[str] = set()
    folders, links = [(folder, real, is_linked)], list[tuple[Path, str, bool]]()
    while folders or links:
        folder, real, is_linked = folders.pop() if folders else links.pop()
        if real in seen:
            continue
        seen.add(real)
        yield from _own_files(folder, real, is_linked)
        for entry in _scan(folder):
            if not _leads_down(entry, real):
                continue
            path = Path(entry.path)
            if entry.is_symlink():
                links.append((path, _real(path), True))
            else:
                folders.append((path, f"{real}{os.sep}{entry.name}", is_linked))


def _own_files(folder: Path, real: str, is_linked: bool) -> Iterator[Entry]:
    """Regular files, and links that lead nowhere: who lost images by them wants to know."""
    for entry in _scan(folder):
        path = Path(entry.path)
        if entry.is_symlink() and (is_file(path) or not exists(path)):
            yield Entry(path, _real(path), True)
        elif entry.is_file(follow_symlinks=False):
            yield Entry(path, f"{real}{os.sep}{entry.name}", is_linked)


def _leads_down(entry: os.DirEntry[str], real: str) -> bool:
    """Whether an entry of a folder (`real`) is a folder, and no link to what holds the link."""
    if not entry.is_symlink():
        return entry.is_dir(follow_symlinks=False)
    target = _real(entry.path)
    return is_folder(Path(target)) and os.path.commonpath([target, real]) != target


def _real(path: str | Path) -> str:
    """The path without links; where one of them may not be read, as it was given."""
    try:
        return os.path.realpath(path)
    except OSError:
        return str(Path(path).absolute())


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not _SYSTEM.fullmatch(entry.name)]
    except OSError as error:
        right = f"a folder of images must be readable, found {short_name(folder)}"
        raise DataError(f"{right} ({error.strerror or error})") from error
