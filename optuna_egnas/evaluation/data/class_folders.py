"""The class folders in a folder, and the image files in each of them."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .files import Entry, find_images, subfolders
from .paths import counted, named, short_name

_MANY = 6
"""Endings in a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFolders:
    """Class folders and the images in each of them, by the folders' names.

    Args:
        place: the folder that holds them.
        images: each real file once.
        others: how many other files have an ending.
        loose: images beside the folders.
        again: links to images that are there as well.
    """

    place: Path
    images: Mapping[str, tuple[Entry, ...]]
    others: Mapping[str, Counter[str]]
    loose: int = 0
    again: int = 0

    @property
    def filled(self) -> list[str]:
        """The names of the folders that hold images, in their order."""
        return sorted(name for name, images in self.images.items() if images)

    def without(self, names: Sequence[str]) -> ClassFolders:
        """All but some of the folders."""
        return replace(
            self,
            images={key: value for key, value in self.images.items() if key not in names},
            others={key: value for key, value in self.others.items() if key not in names},
        )

    def left_out(self) -> tuple[str, ...]:
        """What is in the folder and is no image of a class, a line each."""
        empty = sorted(name for name, images in self.images.items() if not images)
        lines = {
            f"{counted(self.loose, 'image')} beside the class folders": self.loose,
            _endings(sum(self.others.values(), Counter())): any(self.others.values()),
            f"folders without images: {named(empty)}": empty,
            f"{counted(self.again, 'link')} to images that are there": self.again,
        }
        return tuple(f"left out: {line}" for line, is_so in lines.items() if is_so)


def read_class_folders(folder: Path) -> ClassFolders:
    """The subfolders of a folder, but hidden ones, and what each holds."""
    found = {place.name: find_images(place) for place in subfolders(folder)}
    images = _each_once({name: each.images for name, each in found.items()})
    return ClassFolders(
        place=folder,
        images=images,
        others={name: each.others for name, each in found.items()},
        loose=len(find_images(folder, deep=False).images),
        again=sum(len(each.images) - len(images[name]) for name, each in found.items()),
    )


def class_key(name: str) -> str:
    """What two spellings of one class's name share."""
    return unicodedata.normalize("NFC", name).casefold()


def _each_once(images: Mapping[str, tuple[Entry, ...]]) -> dict[str, tuple[Entry, ...]]:
    """List each real file once, at its own place where that is one of these."""
    own: dict[str, Entry] = {}
    for entries in images.values():
        for entry in entries:
            before = own.setdefault(entry.real, entry)
            if before.is_linked and not entry.is_linked:
                own[entry.real] = entry
    kept = {entry.path for entry in own.values()}
    return {
        name: tuple(entry for entry in entries if entry.path in kept)
        for name, entries in images.items()
    }


def _endings(others: Counter[str]) -> str:
    """Files that are no images, counted by their ending: "4 .txt, 1 .mp4"."""
    most = others.most_common(_MANY)
    words = [f"{count:,} {short_name(ending) or 'without ending'}" for ending, count in most]
    rest = sum(others.values()) - sum(count for _, count in most)
    return ", ".join([*words, *([f"{rest:,} others"] if rest else [])])
