"""The test images: the only module that reads them for their pixels, or where they are given.

`digits` keeps a fixed fifth for the test and `folder:PATH` its folder `test` or, without that, a
share that a hash decides (`test_fraction`); the other named sets come with test files. No
module that a search loads imports this one: it looks through test images by `look_through`, which
keeps no pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DataError
from . import reading_0_1 as _reading_0_1
from .decoding import check_broken, decode
from .folders import may_be_test, not_among, test_share
from .given import Reading, read_given
from .images import READING
from .labelled import LabelledImages, folder_of, load_training, read_digits, root_of
from .layout import Labelled, read_layout
from .options import DataOptions
from .published import SOURCES, Content, find_published, read_published

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from .labelled import TrainingData


def check_test(dataset: str, options: DataOptions, *, reading: int = READING) -> None:
    """Refuse a named data set whose test images are not there; opens none of them.

    Since reading 2, `load_training` has decoded those of a folder.
    """
    folder = folder_of(dataset)
    if folder is None and dataset in SOURCES:
        find_published(dataset, "test", root_of(options), download=options.download)
    elif folder is not None and reading == 1:
        _reading_0_1.list_folder(folder, "test", options)


def load_test(
    dataset: str,
    options: DataOptions | None = None,
    *,
    reading: int = READING,
    training: TrainingData | None = None,
) -> LabelledImages:
    """The test part of a named data set. Anything unfit is a DataError.

    `training` is its training part, which is read for this where it is not given.
    """
    options = options or DataOptions()
    folder = folder_of(dataset)
    if folder is None:
        content = _read_set(dataset, options)
    elif reading == 1:
        content = _reading_0_1.read_folder(folder, "test", options)
    else:
        return _read_folder(folder, options, training or load_training(dataset, options))
    classes, highest = len(content.class_names), int(content.labels.max())
    if highest >= classes:
        raise DataError(f"test labels must be 0..{classes - 1}, found {highest} in {dataset}")
    return LabelledImages(images=content.images, labels=content.labels)


def given_test(dataset: Sequence[Any] | Dataset[Any], training: TrainingData) -> LabelledImages:
    """Test images that are given, as `load_training` takes them; unlike its own: a DataError.

    PIL images become gray or colour like the training images.
    """
    reading = Reading(training.reading, training.ground, training.input_shape[0])
    content = read_given(dataset, reading=reading, known=training.class_names)
    samples = LabelledImages(images=content.images, labels=content.labels)
    found, shape = [*samples.images.shape[1:]], [*training.input_shape]
    if found != shape:
        raise DataError(f"test images must be {shape} like the training images, found {found}")
    return samples


def _read_set(name: str, options: DataOptions) -> Content:
    if name == "digits":
        return read_digits("test")
    return read_published(name, "test", root_of(options), download=options.download)


def _read_folder(folder: Path, options: DataOptions, training: TrainingData) -> LabelledImages:
    """The images of the test folder, or the share of all images that is kept for the test."""
    layout, (channels, size, _) = read_layout(folder), training.input_shape
    read = partial(decode, size=size, ground=options.ground, channels=channels)
    if training.survey is not None and training.survey.has_test_folder:
        part = read(layout.test or Labelled(), keep=lambda _: True)
        wanted = not_among(part, training.digests or ())
    else:
        part = read(layout.train, keep=lambda digest: may_be_test(digest, options))
        wanted = test_share(part, layout.class_names, options)
    check_broken(part.broken, folder, skip=options.skip_broken)
    images = part.images(wanted, channels, options.ground)
    return LabelledImages(images=images, labels=part.labels[wanted])
