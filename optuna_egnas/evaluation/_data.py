"""Image data for the search: named sets, folders of images, tensors and torch data sets.

Everything becomes one uint8 tensor in memory. A search sees training data only: `load_training`
opens no test file; what is kept for the final test is read by `_test_images.py` alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Generator, Tensor
from torch.utils.data import Dataset

from ..errors import DataError, short
from ._given import read_given
from ._images import read_images
from ._sources import (
    SOURCES,
    Content,
    ImageList,
    Part,
    list_images,
    read_published,
)

DATASETS = ("digits", *SOURCES, "folder:PATH")

_FOLDER = "folder:"
_DEFAULT_ROOT = "data"
_DEFAULT_IMAGE_SIZE = 32
_DIGITS_TEST_SHARE = 0.2
# Whoever changes this seed makes test images of yesterday training images of today.
_TEST_SEED = 20250205


def load_training(
    dataset: str | tuple[Tensor, Tensor] | Dataset[Any], options: DataOptions | None = None
) -> TrainingData:
    """The training part of a data set; no test file is opened.

    `dataset` is one of DATASETS, a pair (images, labels) of tensors (images uint8 or float in
    [0, 1], [N, C, H, W] or [N, H, W]; labels [N]), or a map-style torch data set of pairs (PIL
    image or tensor, label). Labels are 0..K-1. Anything unfit is a DataError.
    """
    options = options or DataOptions()
    if isinstance(dataset, str):
        name, content = dataset, read_named(dataset, "train", options)
        flip = name in SOURCES and SOURCES[name].flip
    else:
        name = type(dataset).__name__ if isinstance(dataset, Dataset) else "tensors"
        content, flip = read_given(dataset), False
    return TrainingData(
        name=name,
        samples=LabelledImages(images=content.images, labels=content.labels),
        class_names=content.class_names,
        flip=flip if options.flip is None else options.flip,
    )


def split(
    data: TrainingData, *, valid_fraction: float, seed: int, subset: int | None = None
) -> tuple[LabelledImages, LabelledImages]:
    """Disjoint images to train on and to validate on, each class in proportion in both.

    The draw depends on the labels and the arguments only. With `subset`, so many images are drawn
    first, in proportion too. Either part has an image of every class, else it is a DataError.
    """
    _check_fraction("valid_fraction", valid_fraction)
    labels, names = data.samples.labels, data.class_names
    generator = Generator().manual_seed(seed)
    chosen = torch.arange(len(labels))
    if subset is not None:
        _check_divisible(labels, names)
        low, high = 2 * len(names), len(labels)
        if not low <= subset <= high:
            raise DataError(f"subset must be {low} (2 of each class) to {high}, found {subset}")
        chosen = _draw(labels, subset, least=2, left=0, generator=generator)
    train, valid = _cut(labels[chosen], names, valid_fraction, generator)
    return data.samples.take(chosen[train]), data.samples.take(chosen[valid])


def read_named(name: str, part: Part, options: DataOptions) -> Content:
    """One part of a named data set; of the other one no file is opened."""
    folder = folder_of(name)
    if folder is not None:
        return _read_folder(folder, part, options)
    if options.image_size is not None:
        raise DataError(
            f"image_size is for folder:PATH only, found {options.image_size} and {name}"
        )
    if name == "digits":
        return _read_digits(part)
    if name in SOURCES:
        return read_published(name, part, root_of(options), download=options.download)
    near = [f"{_FOLDER}{name}"] if name and Path(name).is_dir() else []
    near += get_close_matches(name.lower(), DATASETS, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise DataError(f"a data set must be one of {', '.join(DATASETS)}, found {name!r}{hint}")


def folder_of(name: str) -> Path | None:
    """The folder of `folder:PATH`; None for other names."""
    if not name.startswith(_FOLDER) or name == _FOLDER:
        return None
    return Path(name.removeprefix(_FOLDER)).expanduser()


def root_of(options: DataOptions) -> Path:
    """The folder of the published sets' files."""
    return Path(_DEFAULT_ROOT if options.root is None else options.root).expanduser()


def _read_digits(part: Part) -> Content:
    bunch = load_digits()
    images = torch.from_numpy(bunch.images).mul(255 / 16).round().to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(bunch.target).long()
    names = tuple(map(str, bunch.target_names))
    chosen = _fixed_part(labels, names, _DIGITS_TEST_SHARE, part)
    return Content(images[chosen], labels[chosen], names)


def _read_folder(path: Path, part: Part, options: DataOptions) -> Content:
    training, wanted = list_folder(path, part, options)
    size = options.image_size or _DEFAULT_IMAGE_SIZE
    images = read_images(wanted.files, reference=training.files[0], size=size)
    return Content(images, wanted.labels, wanted.class_names)


def list_folder(path: Path, part: Part, options: DataOptions) -> tuple[ImageList, ImageList]:
    """The images to train on, and those of a part, which have the same classes."""
    training = _list_part(path, "train", options)
    wanted = training if part == "train" else _list_part(path, part, options)
    if wanted.class_names != training.class_names:
        lone = ", ".join(sorted({*wanted.class_names} ^ {*training.class_names}))
        raise DataError(
            f"train and test must have the same classes, found {lone} in one, in {path}"
        )
    return training, wanted


def _list_part(path: Path, part: Part, options: DataOptions) -> ImageList:
    """The files in the subfolder of that part, or else a fixed share of all files."""
    divided = [name for name in ("train", "test") if (path / name).is_dir()]
    if len(divided) == 2:
        return list_images(path / part)
    if divided:
        right = "both train and test, or class folders only"
        raise DataError(f"an image folder must hold {right}, found {divided[0]} alone in {path}")
    listed = list_images(path)
    chosen = _fixed_part(listed.labels, listed.class_names, options.test_fraction, part)
    files = tuple(listed.files[index] for index in chosen.tolist())
    return ImageList(files, listed.labels[chosen], listed.class_names)


def _check_fraction(name: str, value: float) -> None:
    if not (isinstance(value, int | float) and 0 < value < 1):
        found = short(value)
        raise DataError(f"{name} must lie between 0 and 1, both excluded, found {found}")


def _check_divisible(labels: Tensor, names: tuple[str, ...]) -> None:
    sizes = torch.bincount(labels)
    if sizes.min() < 2:
        found = f"{int(sizes.min())} of class {names[int(sizes.argmin())]}"
        raise DataError(f"every class must have at least 2 images to be divided, found {found}")


def _fixed_part(labels: Tensor, names: tuple[str, ...], fraction: float, part: Part) -> Tensor:
    """Indices of the training or the test images of a set that comes undivided."""
    train, test = _cut(labels, names, fraction, Generator().manual_seed(_TEST_SEED))
    return train if part == "train" else test


def _cut(
    labels: Tensor, names: tuple[str, ...], fraction: float, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Indices of all images in two parts, the second one with this fraction of them."""
    _check_divisible(labels, names)
    total, classes, count = len(labels), len(names), round(fraction * len(labels))
    if not classes <= count <= total - classes:
        bounds = f"{classes}..{total - classes} of {total} images, 1 of each class on either side"
        raise DataError(f"a fraction must give {bounds}, found {count} from {fraction}")
    second = _draw(labels, count, least=1, left=1, generator=generator)
    first = torch.ones(total, dtype=torch.bool)
    first[second] = False
    return first.nonzero().flatten(), second


def _draw(labels: Tensor, count: int, *, least: int, left: int, generator: Generator) -> Tensor:
    """Sorted indices of `count` images drawn at random, each class in proportion to its size.

    At least `least` of a class are drawn and `left` are not; the class sizes must allow that.
    """
    order = torch.empty(len(labels), dtype=torch.float64)
    for label in range(int(labels.max()) + 1):
        members = (labels == label).nonzero().flatten()
        rank = torch.randperm(len(members), generator=generator)
        # Each class is spread evenly over 0..1, so that any cut takes a like share of each.
        place = (rank.double() + 0.5) / len(members)
        place[rank < least] -= 1
        place[rank >= len(members) - left] += 1
        order[members] = place
    return order.argsort(stable=True)[:count].sort().values


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """How a named data set is read.

    Args:
        root: folder of the published sets' files; default: `data` in the working directory.
        download: fetch a published set into `root` where no copy is found.
        image_size: folder:PATH only; images become so many pixels high and wide; default: 32.
        test_fraction: folder:PATH without train and test only; the share kept for the test.
        flip: whether a horizontal flip keeps an image's class; default: what the data set says.

    Raises:
        DataError: a value is out of its bounds.
    """

    root: str | None = None
    download: bool = False
    image_size: int | None = None
    test_fraction: float = 0.2
    flip: bool | None = None

    def __post_init__(self) -> None:
        _check_fraction("test_fraction", self.test_fraction)
        size = self.image_size
        if size is not None and not (isinstance(size, int) and size >= 1):
            raise DataError(f"image_size must be an int of at least 1, found {size!r}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledImages:
    """Images uint8 [N, C, H, W] with labels int64 [N], at least one, labels from 0."""

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        filled = images.ndim == 4 and images.numel() > 0
        # More than 4 channels of an image at most 4 wide: the channels were put last.
        if images.dtype != torch.uint8 or not filled or images.shape[1] > 4 >= images.shape[3]:
            found = f"{images.dtype} {[*images.shape]}"
            raise DataError(f"images must be uint8 [N, C, H, W] and not empty, found {found}")
        if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
            found = f"{labels.dtype} {[*labels.shape]}"
            raise DataError(f"labels must be int64, 1 for each of {len(images)}, found {found}")
        if labels.min() < 0:
            raise DataError(f"labels must not be negative, found {int(labels.min())}")

    def take(self, indices: Tensor) -> LabelledImages:
        """A copy of the images at these indices [n]."""
        return LabelledImages(images=self.images[indices], labels=self.labels[indices])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingData:
    """What a search may see of a data set: every class 0..K-1 at least once, K at least 2.

    flip: whether a horizontal flip keeps an image's class.
    """

    name: str
    samples: LabelledImages
    class_names: tuple[str, ...]
    flip: bool

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise DataError(f"a data set must have at least 2 classes, found {self.classes}")
        present = torch.unique(self.samples.labels)
        if not torch.equal(present, torch.arange(self.classes)):
            found = f"{len(present)} kinds in {int(present[0])}..{int(present[-1])}, {self.name}"
            raise DataError(f"labels must be all of 0..{self.classes - 1}, found {found}")

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        _, channels, height, width = self.samples.images.shape
        return channels, height, width

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    def fingerprint(self) -> str:
        """16 hex digits of a SHA-256 over the images, their shape and the labels."""
        digest = hashlib.sha256(str(self.input_shape).encode())
        for values in (self.samples.images, self.samples.labels):
            digest.update(values.flatten().numpy().data)
        return digest.hexdigest()[:16]
