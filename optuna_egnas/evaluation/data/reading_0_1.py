"""How 0.1.0 found and divided images: torchvision's list of a folder, and draws by position.

Searches of that version are read and divided so for ever, and so is the fifth of the digits that
is kept for the test.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Generator, Tensor
from torchvision import datasets

from ..._core.text import reason
from ...errors import DataError
from .images_0_1 import read_image
from .paths import is_folder, short_name
from .published import Content, Part, check_memory

if TYPE_CHECKING:
    from .options import DataOptions


_DEFAULT_IMAGE_SIZE = 32

# Whoever changes this seed makes test images of yesterday training images of today.
_TEST_SEED = 20250205


class ImageList(NamedTuple):
    """Image files [N], not opened, their labels int64 [N], and the class folders' names."""

    files: tuple[Path, ...]
    labels: Tensor
    class_names: tuple[str, ...]


def read_folder(path: Path, part: Part, options: DataOptions) -> Content:
    """One part of a folder of images; of the other one no file is opened."""
    training, wanted = list_folder(path, part, options)
    size = options.image_size or _DEFAULT_IMAGE_SIZE
    images = _read_images(wanted.files, reference=training.files[0], size=size)
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


def fixed_part(labels: Tensor, names: tuple[str, ...], fraction: float, part: Part) -> Tensor:
    """Indices of the training or the test images of a set that comes undivided."""
    train, test = _cut(labels, names, fraction, Generator().manual_seed(_TEST_SEED))
    return train if part == "train" else test


def split_indices(
    labels: Tensor, names: tuple[str, ...], fraction: float, seed: int, subset: int | None
) -> tuple[Tensor, Tensor]:
    """Indices of the images to train on and to validate on, each class in proportion in both."""
    generator = Generator().manual_seed(seed)
    chosen = torch.arange(len(labels))
    if subset is not None:
        _check_divisible(labels, names)
        low, high = 2 * len(names), len(labels)
        if not low <= subset <= high:
            raise DataError(f"subset must be {low} (2 of each class) to {high}, found {subset}")
        chosen = _draw(labels, subset, least=2, left=0, generator=generator)
    train, valid = _cut(labels[chosen], names, fraction, generator)
    return chosen[train], chosen[valid]


def _list_images(folder: Path) -> ImageList:
    """The images of a folder with one subfolder per class, in the order of their names."""
    if not is_folder(folder):
        raise DataError(f"an image folder must exist, found none at {short_name(folder)}")
    try:
        listing = datasets.ImageFolder(str(folder))
    except OSError as error:
        right, found = "a subfolder with images for each class", f"{folder} ({reason(error)})"
        raise DataError(f"an image folder must hold {right}, found {found}") from error
    if len(listing.classes) < 2:
        found = f"only {listing.classes[0]} in {folder}"
        raise DataError(f"an image folder must hold at least 2 classes, found {found}")
    return ImageList(
        files=tuple(Path(file) for file, _ in listing.samples),
        labels=torch.tensor(listing.targets, dtype=torch.int64),
        class_names=tuple(listing.classes),
    )


def _list_part(path: Path, part: Part, options: DataOptions) -> ImageList:
    """The files in the subfolder of that part, or else a fixed share of all files."""
    divided = [name for name in ("train", "test") if is_folder(path / name)]
    if len(divided) == 2:
        return _list_images(path / part)
    if divided:
        right = "both train and test, or class folders only"
        raise DataError(f"an image folder must hold {right}, found {divided[0]} alone in {path}")
    listed = _list_images(path)
    chosen = fixed_part(listed.labels, listed.class_names, options.test_fraction, part)
    files = tuple(listed.files[index] for index in chosen.tolist())
    return ImageList(files, listed.labels[chosen], listed.class_names)


def _read_images(files: Sequence[Path], *, reference: Path, size: int) -> Tensor:
    """Image files as uint8 [N, C, size, size], grayscale or colour like the reference file.

    A file that cannot be read, or is not of the reference's kind, is a DataError naming it.
    """
    # In its smallest size: what it needs in full is checked first.
    channels = len(read_image(reference, (1, 1)))
    check_memory((len(files), channels, size, size))
    images = torch.empty((len(files), channels, size, size), dtype=torch.uint8)
    for index, file in enumerate(files):
        image = read_image(file, (size, size))
        if len(image) != channels:
            gray, colour = (reference, file) if channels == 1 else (file, reference)
            found = f"{gray} in grayscale and {colour} in colour"
            raise DataError(f"images must be all grayscale or all colour, found {found}")
        images[index] = image
    return images


def _check_divisible(labels: Tensor, names: tuple[str, ...]) -> None:
    sizes = torch.bincount(labels)
    if sizes.min() < 2:
        found = f"{int(sizes.min())} of class {names[int(sizes.argmin())]}"
        raise DataError(f"every class must have at least 2 images to be divided, found {found}")


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
