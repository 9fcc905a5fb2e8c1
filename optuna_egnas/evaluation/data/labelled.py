"""Image data for the search: named sets, folders of images, tensors and torch data sets.

Everything becomes one uint8 tensor in memory. A search sees training data only; what is kept for
the final test is read by `held_out.py` alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.utils.data import Dataset

from ...errors import DataError
from . import reading_0_1 as _reading_0_1
from .folders import FolderContent, Survey, read_folder
from .given import Reading, read_given
from .ground import GROUND
from .images import READING
from .options import DataOptions
from .paths import is_folder, located, readable, short_name
from .published import SOURCES, Content, Part, read_published
from .shares import check_fraction, digests_of, drawn, lowest

DATASETS = ("digits", *SOURCES, "folder:PATH")

_FOLDER = "folder:"
_DEFAULT_ROOT = "data"
_DIGITS_TEST_SHARE = 0.2
_LONGEST_NAME = 100


def load_training(
    dataset: str | Sequence[Any] | Dataset[Any],
    options: DataOptions | None = None,
    *,
    reading: int = READING,
) -> TrainingData:
    """The training part of a data set; no pixel of a test image is kept.

    `dataset` is one of DATASETS, a pair (images, labels) of tensors or arrays (images uint8 or
    float in [0, 1], [N, C, H, W] or [N, H, W]; labels [N]), or a map-style data set of pairs (PIL
    image, tensor or array; label). Labels are 0..K-1, or the classes' names. `reading` says how
    it is read and divided: 1 as version 0.1.0 did. Anything unfit is a DataError.
    """
    options = options or DataOptions()
    name, folder = name_of(dataset), folder_of(dataset) if isinstance(dataset, str) else None
    if folder is not None and reading > 1:
        return _from_folder(name, read_folder(folder, options), options, reading)
    if folder is not None:
        content, flip = _reading_0_1.read_folder(folder, "train", options), False
    elif isinstance(dataset, str):
        content = _read_set(dataset, options)
        flip = name in SOURCES and SOURCES[name].flip
    else:
        given = Reading(version=reading, ground=options.ground)
        content, flip = read_given(dataset, reading=given), False
    return TrainingData(
        name=name,
        samples=LabelledImages(images=content.images, labels=content.labels),
        class_names=content.class_names,
        flip=flip if options.flip is None else options.flip,
        reading=reading,
        ground=options.ground,
    )


def split(
    data: TrainingData, *, valid_fraction: float, seed: int, subset: int | None = None
) -> tuple[LabelledImages, LabelledImages]:
    """Disjoint images to train on and to validate on, each class on both sides.

    The images and the arguments alone decide, never their order; equal images stay together.
    With `subset`, so many images are drawn first, class by class. Where the data have images for
    validation, these are taken, and `subset` of the others.

    Raises:
        DataError: an argument is out of its bounds, or a class cannot be divided.
    """
    check_fraction("valid_fraction", valid_fraction)
    labels, names = data.samples.labels, data.class_names
    if data.reading == 1:
        parts = _reading_0_1.split_indices(labels, names, valid_fraction, seed, subset)
        return data.samples.take(parts[0]), data.samples.take(parts[1])
    digests = data.digests or digests_of(data.samples.images)
    given = data.validation
    chosen = torch.arange(len(labels)) if given is None else (~given).nonzero().flatten()
    if subset is not None:
        hashes, least = [digests[index] for index in chosen.tolist()], 2 if given is None else 1
        chosen = chosen[lowest(hashes, labels[chosen], names, subset, least=least, seed=seed)]
    if given is not None:
        return data.samples.take(chosen), data.samples.take(given.nonzero().flatten())
    hashes = [digests[index] for index in chosen.tolist()]
    valid = drawn(hashes, labels[chosen], names, valid_fraction, purpose="validation", seed=seed)
    return data.samples.take(chosen[~valid]), data.samples.take(chosen[valid])


def name_of(dataset: str | Sequence[Any] | Dataset[Any]) -> str:
    """What a data set is called: `folder:photos` also where it was given as `folder:./photos/`."""
    if not isinstance(dataset, str):
        return type(dataset).__name__ if isinstance(dataset, Dataset) else "tensors"
    if not dataset.startswith(_FOLDER) or dataset == _FOLDER:
        return dataset
    return readable(f"{_FOLDER}{Path(dataset.removeprefix(_FOLDER))}")


def folder_of(name: str) -> Path | None:
    """The folder of `folder:PATH`; None for other names.

    Raises:
        DataError: its `~` is nobody's.
    """
    if not name.startswith(_FOLDER) or name == _FOLDER:
        return None
    return located(name.removeprefix(_FOLDER))


def root_of(options: DataOptions) -> Path:
    """The folder of the published sets' files."""
    return located(_DEFAULT_ROOT if options.root is None else options.root)


def read_digits(part: Part) -> Content:
    """The training or the test part of scikit-learn's digits: a fifth is kept for the test."""
    bunch = load_digits()
    images = torch.from_numpy(bunch.images).mul(255 / 16).round().to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(bunch.target).long()
    names = tuple(map(str, bunch.target_names))
    chosen = _reading_0_1.fixed_part(labels, names, _DIGITS_TEST_SHARE, part)
    return Content(images[chosen], labels[chosen], names)


def _read_set(name: str, options: DataOptions) -> Content:
    """The training part of a named set; of the test no file is opened."""
    if options.image_size is not None:
        found = f"{options.image_size} and {short_name(name)}"
        raise DataError(f"image_size is for folder:PATH only, found {found}")
    if name == "digits":
        return read_digits("train")
    if name in SOURCES:
        return read_published(name, "train", root_of(options), download=options.download)
    near = [f"{_FOLDER}{short_name(name)}"] if name and is_folder(Path(name)) else []
    near += get_close_matches(name[:_LONGEST_NAME].lower(), DATASETS, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    known = ", ".join(DATASETS)
    raise DataError(f"a data set must be one of {known}, found {short_name(name)!r}{hint}")


def _from_folder(
    name: str, content: FolderContent, options: DataOptions, reading: int
) -> TrainingData:
    return TrainingData(
        name=name,
        samples=LabelledImages(images=content.images, labels=content.labels),
        class_names=content.class_names,
        flip=bool(options.flip),
        reading=reading,
        digests=content.digests,
        validation=content.validation,
        survey=content.survey,
    )


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

    Args:
        flip: whether a horizontal flip keeps an image's class.
        reading: how it was read and is to be divided; 1: as version 0.1.0 did.
        ground: the colour that transparent images of a given data set were laid on.
        digests: for each image what equal images share; default: a hash of its pixels here.
        validation: which images are those to validate on, bool [N]; default: a share is drawn.
        survey: what else is known of a folder of images.
    """

    name: str
    samples: LabelledImages
    class_names: tuple[str, ...]
    flip: bool
    reading: int = READING
    ground: str = GROUND
    digests: tuple[bytes, ...] | None = None
    validation: Tensor | None = None
    survey: Survey | None = None

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
        masks = () if self.validation is None else (self.validation,)
        for values in (self.samples.images, self.samples.labels, *masks):
            digest.update(values.flatten().numpy().data)
        return digest.hexdigest()[:16]
