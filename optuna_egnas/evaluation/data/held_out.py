"""The test images: the only module that reads them. A search cannot load it.

`digits` keeps a fixed fifth for the test and `folder:PATH` its folder `test` or, without that, a
fixed `test_fraction`; the other named sets come with test files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import DataError
from .given import read_given
from .labelled import DataOptions, LabelledImages, folder_of, list_folder, read_named, root_of
from .sources import SOURCES, find_published

if TYPE_CHECKING:
    from torch import Tensor
    from torch.utils.data import Dataset

    from .labelled import TrainingData


def check_test(dataset: str, options: DataOptions) -> None:
    """Refuse a named data set whose test images are not there; opens none of them."""
    folder = folder_of(dataset)
    if folder is not None:
        list_folder(folder, "test", options)
    elif dataset in SOURCES:
        find_published(dataset, "test", root_of(options), download=options.download)


def load_test(dataset: str, options: DataOptions | None = None) -> LabelledImages:
    """The test part of a named data set. Anything unfit is a DataError."""
    content = read_named(dataset, "test", options or DataOptions())
    classes, highest = len(content.class_names), int(content.labels.max())
    if highest >= classes:
        raise DataError(f"test labels must be 0..{classes - 1}, found {highest} in {dataset}")
    return LabelledImages(images=content.images, labels=content.labels)


def given_test(
    dataset: tuple[Tensor, Tensor] | Dataset[Any], training: TrainingData
) -> LabelledImages:
    """Test images that are given, as `load_training` takes them; unlike its own: a DataError."""
    content = read_given(dataset)
    samples = LabelledImages(images=content.images, labels=content.labels)
    found, shape = [*samples.images.shape[1:]], [*training.input_shape]
    if found != shape:
        raise DataError(f"test images must be {shape} like the training images, found {found}")
    highest = int(samples.labels.max())
    if highest >= training.classes:
        raise DataError(f"test labels must be 0..{training.classes - 1}, found {highest}")
    return samples
