"""How a folder of images is laid out: folders for classes, and for parts as people name them.

A part (training, validation, test) is one only where its own subfolders hold images: a class of
vehicles that is named `train` stays a class.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ...errors import DataError
from .class_folders import ClassFolders, class_key, read_class_folders
from .files import CAMERA, Entry, subfolders
from .paths import counted, is_folder, named, readable, short_name

Split = Literal["train", "valid", "test"]

_WORDS: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training", "trn", "trainval", "trainvalid"), "train"),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "heldout"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "development"), "valid"),
    **dict.fromkeys(("eval", "evaluation"), "valid"),
}
_AROUND = "datasets|dataset|data|sets|set|images|image|imgs|img|pictures|photos|samples|split|seg"
_MANY = 20
"""Names in a line of what was not used."""


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
    notes: tuple[str, ...] = ()


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
        raise DataError(f"an image folder must exist, found none at {short_name(folder)}")
    top = read_class_folders(folder)
    inner = {
        name: read_class_folders(_entered(folder / name)) for name in top.images if split_of(name)
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
    unused = sorted(name for name in classes.images if classes.images[name] or name in inner)
    unused += [counted(top.loose, "image")] if top.loose else []
    return _laid_out(folder, parts[given["train"]], parts, given, unused)


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
            found = f"{short_name(given[kind])} and {short_name(name)} in {short_name(folder)}"
            raise DataError(f"an image folder must have one folder for a part, found {found}")
        given[kind] = name
    return given


def _is_a_class(
    given: Mapping[Split, str], parts: Mapping[str, ClassFolders], classes: ClassFolders
) -> bool:
    """Whether the folder like `train` is a class: the given test has it, and not what it holds."""
    inside = {class_key(name) for name in parts[given["train"]].filled}
    outside = {class_key(name) for name in (*classes.filled, given["train"])}
    others = {
        class_key(name)
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
            f"an image folder must be clear, but {short_name(train)} in {short_name(folder)} "
            f"may be {one}, or {other}: move or rename one of them"
        )


def _from_class_folders(
    folder: Path,
    top: ClassFolders,
    parts: Mapping[str, ClassFolders],
    given: Mapping[Split, str],
) -> Layout:
    """The layout of class folders, beside which there may be a validation or a test part."""
    known = {class_key(name) for part in given.values() for name in parts[part].filled}
    flat = [name for name in top.filled if split_of(name) in ("valid", "test")]
    plain = [name for name in top.filled if name not in flat]
    if given and not plain:
        found = f"{named([*given.values()])} alone in {short_name(folder)}"
        raise DataError(f"an image folder must hold class folders or train as well, found {found}")
    if given and not known & {class_key(name) for name in top.filled}:
        part = next(iter(given.values()))
        raise DataError(
            f"an image folder must be clear, but {short_name(part)} in {short_name(folder)} "
            f"may be a class beside {named(plain)}, or a part with the classes "
            f"{named(parts[part].filled)}: move or rename it"
        )
    unused = [name for name in flat if given and class_key(name) not in known]
    doubtful = [name for name in flat if not given]
    if doubtful:
        raise DataError(
            f"an image folder must be clear, but {named(doubtful)} in {short_name(folder)} may be "
            "a class, or images without class folders of their own: rename it, or move it away"
        )
    return _laid_out(folder, top.without(unused), parts, given, unused)


def _laid_out(
    folder: Path,
    train: ClassFolders,
    parts: Mapping[str, ClassFolders],
    given: Mapping[Split, str],
    unused: Sequence[str],
) -> Layout:
    """The layout of these class folders to train on, and of the other given parts."""
    _check_classes(train)
    names = train.filled
    notes = [*([f"not used: {named(unused, _MANY)}"] if unused else []), *train.left_out()]
    others: dict[str, Labelled] = {}
    for kind in ("valid", "test"):
        if kind in given:
            part = _matched(parts[given[kind]], names)
            others[kind] = _labelled(part, names)
            missing = [name for name in names if not part.images.get(name)]
            notes += (
                [f"{short_name(given[kind])} has no images of {named(missing)}"] if missing else []
            )
            notes += part.left_out()
    return Layout(
        folder=folder,
        class_names=tuple(map(readable, names)),
        train=_labelled(train, names),
        valid=others.get("valid"),
        test=others.get("test"),
        notes=tuple(dict.fromkeys(notes)),
    )


def _check_classes(held: ClassFolders) -> None:
    """Refuse less than two classes, and a class of files that only a plug-in would read."""
    for name in sorted(held.images):
        unread = sorted(CAMERA & held.others[name].keys())
        if unread and not held.images[name]:
            right = "every class must have images that Pillow reads"
            found = f"only {', '.join(unread)} in {short_name(held.place / name)}"
            raise DataError(f"{right}, found {found}")
    _check_order(held)
    _check_names(held)
    if not held.filled:
        empty = f" (folders without images: {named(sorted(held.images))})" if held.images else ""
        right = "a subfolder with images for each class"
        raise DataError(
            f"an image folder must hold {right}, found {short_name(held.place)}{empty}"
        )
    if len(held.filled) == 1:
        below = held.place / held.filled[0]
        meant = len(read_class_folders(below).filled) >= 2
        hint = f" (did you mean folder:{short_name(below)}?)" if meant else ""
        found = f"only {short_name(below.name)} in {short_name(held.place)}{hint}"
        raise DataError(f"an image folder must hold at least 2 classes, found {found}")


def _check_order(held: ClassFolders) -> None:
    """Refuse classes that hold the parts, which would be mixed: `cat/train` and `cat/test`."""
    for name in held.filled:
        paths = [entry.path.relative_to(held.place / name) for entry in held.images[name]]
        parts = {split_of(path.parts[0]) if path.parent.name else None for path in paths}
        if None not in parts and len(parts) > 1:
            below = sorted({path.parts[0] for path in paths})
            right = f"parts must hold the classes, as in train/{short_name(name)}"
            raise DataError(f"{right}, found {named(below)} in {short_name(held.place / name)}")


def _check_names(held: ClassFolders) -> None:
    """Refuse what may be parts of other names than are understood: `pets_train`, `pets_test`."""
    doubtful = [
        name
        for name in held.filled
        if any(map(split_of, re.findall("[A-Z]?[a-z]+|[A-Z]+", name)))
        and all(entry.path.parent != held.place / name for entry in held.images[name])
    ]
    if len(doubtful) > 1:
        raise DataError(
            f"an image folder must be clear, but {named(doubtful)} in {short_name(held.place)} "
            "may be classes or parts: rename them to train and test, or move their images up"
        )


def _matched(part: ClassFolders, names: Sequence[str]) -> ClassFolders:
    """The folders of a part under the training classes' names, which they may spell otherwise."""
    keys = {class_key(name): name for name in names}
    spelt = {name: name for name in names}
    if len(keys) == len(names):
        spelt = {name: keys.get(class_key(name), name) for name in part.images} | spelt
    foreign = [name for name in part.filled if spelt.get(name) not in names]
    if foreign:
        found = f"{named(foreign)} in {short_name(part.place)} only"
        raise DataError(f"train, validation and test must have the same classes, found {found}")
    images: dict[str, tuple[Entry, ...]] = {}
    for name, entries in part.images.items():
        own = spelt.get(name, name)
        images[own] = (*images.get(own, ()), *entries)
    return replace(part, images=images)


def _labelled(held: ClassFolders, names: Sequence[str]) -> Labelled:
    listed = [
        (entry.path, label)
        for label, name in enumerate(names)
        for entry in held.images.get(name, ())
    ]
    return Labelled(
        files=tuple(path for path, _ in listed), labels=tuple(label for _, label in listed)
    )
