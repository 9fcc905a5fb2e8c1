"""Reads tensors and torch data sets that a user gives, item by item where need be."""

from __future__ import annotations

import operator
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from ..errors import DataError, one_line
from ._images_0_1 import pixels
from ._sources import Content, as_bytes, as_labels, check_memory


def read_given(dataset: Any) -> Content:
    """Tensors, or a torch data set read item by item, with numbers for the classes' names."""
    match dataset:
        case Dataset():
            images, labels = _read_items(dataset)
        case [Tensor() as images, Tensor() as labels]:
            images, labels = as_bytes(images, "the images"), as_labels(labels)
            images = images.unsqueeze(1) if images.ndim == 3 else images
        case _:
            right = "a name, a pair of tensors (images, labels) or a torch Dataset"
            raise DataError(f"data must be {right}, found {type(dataset).__name__}")
    return Content(images, labels, tuple(map(str, range(len(torch.unique(labels))))))


def _read_items(dataset: Any) -> tuple[Tensor, Tensor]:
    sized = hasattr(dataset, "__len__") and not isinstance(dataset, IterableDataset)
    if not (sized and len(dataset)):
        found = type(dataset).__name__
        raise DataError(f"a data set must be map-style with at least 1 image, found {found}")
    count, shape = len(dataset), _read_item(dataset, 0)[0].shape
    check_memory((count, *shape))
    images, labels = torch.empty((count, *shape), dtype=torch.uint8), []
    for index in range(count):
        image, label = _read_item(dataset, index)
        if image.shape != shape:
            found = f"{[*shape]} in item 0 and {[*image.shape]} in item {index}"
            raise DataError(f"images must have one shape, found {found}")
        images[index] = image
        labels.append(label)
    return images, torch.tensor(labels, dtype=torch.int64)


def _read_item(dataset: Any, index: int) -> tuple[Tensor, int]:
    """Image [C, H, W] and label of one item."""
    place = f"item {index}"
    try:
        image, label = dataset[index]
        label = operator.index(label)
    # The data set is somebody else's code.
    except Exception as error:
        wrong = f"{one_line(error)} in {place}"
        raise DataError(f"items must be pairs of an image and an int, found {wrong}") from error
    if isinstance(image, Image.Image):
        return pixels(image, place), label
    if not isinstance(image, Tensor) or image.ndim not in (2, 3):
        wrong = f"{[*getattr(image, 'shape', ())] or type(image).__name__} in {place}"
        raise DataError(f"an image must be a PIL image or a tensor [C, H, W], found {wrong}")
    values = as_bytes(image, place)
    return values.unsqueeze(0) if values.ndim == 2 else values, label
