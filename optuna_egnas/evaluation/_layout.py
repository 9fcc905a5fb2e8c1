"""How a folder of images is laid out: folders for classes, and for parts as people name them.

A part (training, validation, test) is one only where its own subfolders hold images: a class of
vehicles that is named `train` stays a class.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ..errors import DataError
from ._files import CAMERA, Entry, find_images, subfolders
from ._paths import counted, is_folder, named, readable, short

Split = Literal["train", "valid", "test"]

_WORDS: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training", "trn", "trainval", "trainvalid"), "train"),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "heldout"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "development"), "valid"),
    **dict.fromkeys(("eval", "evaluation"), "valid"),
}
_AROUND = "datasets|dataset|data|sets|set|images|image|imgs|img|pictures|photos|samples|split|seg"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFolders:
    """Class folders and the images in each of them, by the folders' names."""

    images: Mapping[str, tuple[Entry, ...]]
    others: Mapping[str, Counter[str]]
    loose: int = 0

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Image files, not opened, and the number of each one's class."""

    files: tuple[Path, ...] = ()
    labels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a folder of images holds; `valid` and `test` are None where it has no such part.

    `notes` say what was not used, in words; each is one line.
    """

    folder: Path
    class_names: tuple[str, ...]
    train: Labelled
    valid: Labelled | None = None
    test: Labelled | None = None
    notes: tuple[str, ...] = field(default=())


def split_of(name: str) -> Split | None:
    """The part that a folder's name stands for: `Training_Set` is "train"; None for others."""
    word = re.sub(r"[\W\d_]+", "", name.casefold())
    while word and word not in _WORDS:
        shorter = re.sub(f"^(?:{_AROUND})|(?:{_AROUND})$", "", word, count=1)
        if shorter == word:
            return None
        word = shorter
    return _WORDS.get(word)


def read_layout(folder: Path) -> Layout:
    """Find the classes and the parts of a folder of images. No image is decoded.

    Raises:
        DataError: there are not two classes, or it could be read in two ways.
    """
    if not is_folder(folder):
        raise DataError(f"an image folder must exist, found none at {short(folder)}")
    top = _class_folders(folder)
    inner = {
        name: _class_folders(_entered(folder / name)) for name in top.images if split_of(name)
    }
    parts = {name: held for name, held in inner.items() if _is_divided(held)}
    given = _one_of_each(parts, folder)
    classes = top.without([*given.values()])
    if "train" in given and _is_a_class(given, parts, classes):
        classes = top.without([name for kind, name in given.items() if kind != "train"])
        del given["train"]
    if "train" not in given:
        return _from_class_folders(folder, classes, parts, given)
    _check_alone(folder, given, parts, classes)
    unused = [name for name in classes.images if classes.images[name] or name in inner]
    return _laid_out(folder, parts[given["train"]], parts, given, [_not_used(unused)])


def _class_folders(folder: Path) -> ClassFolders:
    found = {place.name: find_images(place) for place in subfolders(folder)}
    return ClassFolders(
        images={name: each.images for name, each in found.items()},
        others={name: each.others for name, each in found.items()},
        loose=len(find_images(folder, deep=False).images),
    )


def _entered(folder: Path) -> Path:
    """The folder, or the only one in it that is of the same part: `seg_train/seg_train`."""
    inside = subfolders(folder)
    alike = len(inside) == 1 and split_of(inside[0].name) == split_of(folder.name)
    return inside[0] if alike and split_of(folder.name) else folder


def _is_divided(held: ClassFolders) -> bool:
    """Whether the images of a folder are in folders of their own, most of them at least."""
    return sum(map(len, held.images.values())) > held.loose


def _one_of_each(parts: Mapping[str, ClassFolders], folder: Path) -> dict[Split, str]:
    """The folder of each part."""
    given: dict[Split, str] = {}
    for name in sorted(parts):
        kind = split_of(name)
        assert kind is not None
        if kind in given:
            found = f"{short(given[kind])} and {short(name)} in {short(folder)}"
            raise DataError(f"an image folder must have one folder for a part, found {found}")
        given[kind] = name
    return given


def _is_a_class(
    given: Mapping[Split, str], parts: Mapping[str, ClassFolders], classes: ClassFolders
) -> bool:
    """Whether the folder like `train` is a class: the given test has it, and not what it holds."""
    inside = {_key(name) for name in parts[given["train"]].filled}
    outside = {_key(name) for name in (*classes.filled, given["train"])}
    others = {
        _key(name)
        for kind, part in given.items()
        if kind != "train"
        for name in parts[part].filled
    }
    return bool(classes.filled) and not others & inside and bool(others & outside)


def _check_alone(
    folder: Path,
    given: Mapping[Split, str],
    parts: Mapping[str, ClassFolders],
    classes: ClassFolders,
) -> None:
    """Refuse class folders beside a lone training folder: either may be meant."""
    beside = [name for name in classes.filled if split_of(name) is None]
    if len(given) == 1 and beside:
        train = given["train"]
        one = f"a part with the classes {named(parts[train].filled)}"
        other = f"a class beside {named(beside)}"
        raise DataError(
            f"an image folder must be clear, but {short(train)} in {short(folder)} may be {one}, "
            f"or {other}: move or rename one of them"
        )


def _from_class_folders(
    folder: Path,
    top: ClassFolders,
    parts: Mapping[str, ClassFolders],
    given: Mapping[Split, str],
) -> Layout:
    """The layout of class folders, beside which there may be a validation or a test part."""
    told = {_key(name) for part in given.values() for name in parts[part].filled}
    flat = [name for name in top.filled if split_of(name) in ("valid", "test")]
    plain = [name for name in top.filled if name not in flat]
    if given and not plain:
        found = f"{named([*given.values()])} alone in {short(folder)}"
        raise DataError(f"an image folder must hold class folders or train as well, found {found}")
    if given and not told & {_key(name) for name in top.filled}:
        part = next(iter(given.values()))
        raise DataError(
            f"an image folder must be clear, but {short(part)} in {short(folder)} may be a class "
            f"beside {named(plain)}, or a part with the classes {named(parts[part].filled)}: "
            "move or rename it"
        )
    unused = [name for name in flat if given and _key(name) not in told]
    doubtful = [name for name in flat if not given]
    if doubtful:
        raise DataError(
            f"an image folder must be clear, but {named(doubtful)} in {short(folder)} may be a "
            "class, or images without class folders of their own: rename it, or move it away"
        )
    return _laid_out(folder, top.without(unused), parts, given, [_not_used(unused)])


def _laid_out(
    folder: Path,
    train: ClassFolders,
    parts: Mapping[str, ClassFolders],
    given: Mapping[Split, str],
    notes: Sequence[str],
) -> Layout:
    names = train.filled
    _check_classes(folder, train)
    found = list(notes)
    labelled, lines = _labelled(train, names)
    found += [_at_top(train), *lines]
    others: dict[str, Labelled] = {}
    for kind in ("valid", "test"):
        if kind in given:
            part = parts[given[kind]]
            matched, lines = _labelled(_matched(part, names, folder / given[kind]), names)
            others[kind] = matched
            missing = [names[label] for label in range(len(names)) if label not in matched.labels]
            without = f"{short(given[kind])} has no images of {named(missing)}" if missing else ""
            found += [without, _at_top(part), *lines]
    return Layout(
        folder=folder,
        class_names=tuple(map(readable, names)),
        train=labelled,
        valid=others.get("valid"),
        test=others.get("test"),
        notes=tuple(dict.fromkeys(line for line in found if line)),
    )


def _check_classes(folder: Path, held: ClassFolders) -> None:
    """Refuse less than two classes, and a class of files that only a plug-in would read."""
    unread = [
        name
        for name, images in held.images.items()
        if not images and CAMERA & held.others[name].keys()
    ]
    if unread:
        endings = ", ".join(sorted(CAMERA & held.others[unread[0]].keys()))
        right = "every class must have images that Pillow reads"
        raise DataError(f"{right}, found only {endings} in {short(folder / unread[0])}")
    if len(held.filled) >= 2:
        return
    if not held.filled:
        empty = f" (folders without images: {named(sorted(held.images))})" if held.images else ""
        right = "a subfolder with images for each class"
        raise DataError(f"an image folder must hold {right}, found {short(folder)}{empty}")
    only = held.filled[0]
    below = folder / only
    meant = len([place for place in subfolders(below) if find_images(place).images]) >= 2
    hint = f" (did you mean folder:{short(below)}?)" if meant else ""
    raise DataError(
        f"an image folder must hold at least 2 classes, found only {short(only)} "
        f"in {short(folder)}{hint}"
    )


def _matched(part: ClassFolders, names: Sequence[str], place: Path) -> ClassFolders:
    """The folders of a part under the training classes' names, which they may spell otherwise."""
    keys = {_key(name): name for name in names}
    exact = len(keys) < len(names)
    spelt = {
        name: name if name in names or exact else keys.get(_key(name)) for name in part.images
    }
    foreign = [name for name in part.filled if spelt[name] not in names]
    if foreign:
        raise DataError(
            "train, validation and test must have the same classes, found "
            f"{named(foreign)} in {short(place)} only"
        )
    images: dict[str, tuple[Entry, ...]] = {}
    for name, entries in part.images.items():
        own = spelt[name] or name
        images[own] = (*images.get(own, ()), *entries)
    return replace(part, images=images)


def _labelled(held: ClassFolders, names: Sequence[str]) -> tuple[Labelled, list[str]]:
    """The files by class, each real file once, and what is to be said of them."""
    listed = [
        (label, entry) for label, name in enumerate(names) for entry in held.images.get(name, ())
    ]
    own: dict[str, tuple[bool, int]] = {}
    for index, (_, entry) in enumerate(listed):
        own[entry.real] = min(own.get(entry.real, (True, index)), (entry.is_linked, index))
    kept = [listed[index] for index in sorted(index for _, index in own.values())]
    again = len(listed) - len(kept)
    empty = sorted(name for name, images in held.images.items() if not images)
    notes = [
        f"left out: {_endings(held)}" if any(held.others.values()) else "",
        f"left out: folders without images: {named(empty)}" if empty else "",
        f"left out: {counted(again, 'link')} to images that are there" if again else "",
    ]
    files, labels = tuple(entry.path for _, entry in kept), tuple(label for label, _ in kept)
    return Labelled(files=files, labels=labels), notes


def _endings(held: ClassFolders) -> str:
    """What is no image, counted by its ending: "4 .txt, 1 .mp4"."""
    total: Counter[str] = sum(held.others.values(), Counter())
    most = total.most_common(6)
    words = [f"{count:,} {short(ending) or 'without ending'}" for ending, count in most]
    rest = sum(total.values()) - sum(count for _, count in most)
    return ", ".join([*words, *([f"{rest:,} others"] if rest else [])])


def _at_top(held: ClassFolders) -> str:
    return (
        f"left out: {counted(held.loose, 'image')} beside the class folders" if held.loose else ""
    )


def _not_used(names: Sequence[str]) -> str:
    return f"not used: {named(sorted(names))}" if names else ""


def _key(name: str) -> str:
    """What two spellings of one class's name share."""
    return unicodedata.normalize("NFC", name).casefold()
