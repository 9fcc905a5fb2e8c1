"""Data that a user gives: images and labels, or a data set that is read item by item.

Items are read more than once: what differs from one reading to the next cannot be used again by a
final training, or by a search that goes on.
"""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from ..._core.text import reason
from ...errors import DataError
from . import images_0_1 as _images_0_1
from .ground import GROUND
from .images import READING, as_picture
from .labels import as_label, as_labels, one_kind
from .published import Content, check_memory
from .values import as_image, as_images, to_array, unfit

RIGHT = "data must be a name, a pair (images, labels), or a data set of such pairs"
PROBES = 24
"""Items, evenly spread, that are read twice before all are read, and once more then."""
READINGS = 256
"""Items that are read again, at least, where their reading draws random numbers."""


class Reading(NamedTuple):
    """How items become pixels.

    `version` and `ground` as for files of images; `channels`: of PIL images; None: as they are.
    """

    version: int = READING
    ground: str = GROUND
    channels: int | None = None


class Item(NamedTuple):
    """An item of a data set: uint8 [C, H, W], its label, and whether it was a PIL image."""

    image: Tensor
    label: int | str
    is_picture: bool

    def is_same(self, other: Item) -> bool:
        """Whether another reading gave the same."""
        return self.label == other.label and torch.equal(self.image, other.image)


def read_given(
    given: Any, *, reading: Reading | None = None, known: tuple[str, ...] | None = None
) -> Content:
    """Images and labels, or those of a data set's items, and the classes' names.

    `known` are the classes of the training data, for test images.

    Raises:
        DataError: they cannot be used; where there is code that converts them, it says so.
    """
    pair = _as_pair(given)
    if pair is not None:
        images = as_images(pair[0])
        labels = as_labels(pair[1], len(images), known=known)
        return Content(images, labels.numbers, labels.names)
    _check_data_set(given)
    images, found = _read_items(given, reading or Reading())
    labels = as_labels(one_kind(found), len(images), known=known, items=True)
    return Content(images, labels.numbers, labels.names)


def _as_pair(given: Any) -> tuple[Any, Any] | None:
    """Images and labels; None where these may be items."""
    if isinstance(given, (tuple, list)) and given and all(map(_is_part, given)):
        code = "give data[0] to search, and data=data[0], test=data[1] to train"
        raise unfit(RIGHT, f"{len(given)} such pairs", "", code)
    if not isinstance(given, (tuple, list)) or (given and all(map(_is_item, given))):
        return None
    if len(given) == 2:
        return given[0], given[1]
    code = "(data[0], data[1])" if len(given) > 2 else ""
    raise unfit(RIGHT, f"a {type(given).__name__} of {len(given)}", "", code)


def _is_part(value: Any) -> bool:
    """Whether a part of what was given holds many images, and a label for each."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return False
    images, labels = (tuple(getattr(each, "shape", ())) for each in value)
    return len(images) > 2 and len(labels) == 1 and images[0] == labels[0] > 1


def _is_item(value: Any) -> bool:
    """Whether a part of a list may be an item; of a pair of lists, neither part is one."""
    if isinstance(value, Mapping):
        return True
    if not isinstance(value, (tuple, list)) or not value:
        return False
    first = value[0]
    return isinstance(first, (Image.Image, Tensor, np.ndarray)) and getattr(first, "ndim", 2) < 4


def _check_data_set(given: Any) -> None:
    """Refuse what is no data set whose items can be read by their number."""
    code = ""
    if isinstance(given, DataLoader):
        code = "loader.dataset"
    elif isinstance(given, Mapping):
        code = _of_mapping(given)
    elif hasattr(given, "to_numpy"):
        code = "(images.to_numpy(), labels.to_numpy())"
    elif isinstance(given, (Tensor, np.ndarray)):
        code = "(images, labels)"
    elif isinstance(given, IterableDataset) or (_has(given, "__iter__") and not _is_sized(given)):
        code = "list(data)"
    elif isinstance(given, (str, bytes)) or not _is_sized(given):
        code = _of_unsized(given)
    else:
        return
    raise unfit(RIGHT, type(given).__name__, "", code)


def _of_unsized(given: Any) -> str:
    if hasattr(given, "__fspath__"):
        return f"'folder:{given}'"[:60]
    if _has(given, "__getitem__") and not isinstance(given, (str, bytes)):
        return "give its class a method __len__"
    return to_array(given, "data")


def _has(given: Any, name: str) -> bool:
    return callable(getattr(type(given), name, None))


def _is_sized(given: Any) -> bool:
    return _has(given, "__len__") and _has(given, "__getitem__")


def _of_mapping(given: Mapping[Any, Any]) -> str:
    if "train" in given:
        return 'data["train"]'
    return f"({_picked('data', given)})" if len(given) > 1 else ""


def _picked(name: str, item: Mapping[Any, Any]) -> str:
    """The code that takes the image and the label of a mapping, by their kinds and names."""
    keys = [*item]
    images = [key for key in keys if hasattr(item[key], "shape") or hasattr(item[key], "getpixel")]
    image = next((key for key in images if "im" in str(key)), (images or keys)[0])
    others = [key for key in keys if key != image] or keys
    label = next((key for key in others if "label" in str(key)), others[0])
    return f"{name}[{image!r}], {name}[{label!r}]"


def _read_items(dataset: Any, reading: Reading) -> tuple[Tensor, list[int | str]]:
    """All images, and their labels; refuses a data set that does not give the same again."""
    count = _count(dataset)
    with _own_generators():
        probes = sorted({index * (count - 1) // max(PROBES - 1, 1) for index in range(PROBES)})
        first = {index: _read_item(dataset, index, reading) for index in probes}
        for index in reversed(probes):
            _check_same(first[index], _read_item(dataset, index, reading), index)
        before = _states()
        images, labels = _read_all(dataset, count, reading, first)
        if _states() != before:
            for _ in range(math.ceil(READINGS / count)):
                _read_again(dataset, images, labels, reading)
    return images, labels


def _count(dataset: Any) -> int:
    try:
        count = len(dataset)
    # The data set is somebody else's code.
    except Exception as error:
        raise DataError(f"a data set must have a length, found {reason(error)}") from error
    if count < 1:
        raise unfit("a data set must have at least 1 image", type(dataset).__name__)
    return count


def _read_all(
    dataset: Any, count: int, reading: Reading, first: Mapping[int, Item]
) -> tuple[Tensor, list[int | str]]:
    shape = first[0].image.shape
    check_memory((count, *shape))
    images, labels = torch.empty((count, *shape), dtype=torch.uint8), []
    only_pictures = True
    for index in range(count):
        item = _read_item(dataset, index, reading)
        _check_same(first.get(index, item), item, index)
        only_pictures = only_pictures and item.is_picture
        image = item.image
        if only_pictures and len(image) > images.shape[1]:
            # So far all were gray.
            check_memory((count, *image.shape))
            images = images.expand(-1, len(image), -1, -1).clone()
        if only_pictures and len(image) < images.shape[1]:
            image = image.expand(images.shape[1], -1, -1)
        _check_alike(images, image, index)
        images[index] = image
        labels.append(item.label)
    return images, labels


def _check_alike(images: Tensor, image: Tensor, index: int) -> None:
    if image.shape == images.shape[1:]:
        return
    found = f"{[*images.shape[1:]]} in item 0 and {[*image.shape]}"
    code = ""
    if image.shape[1:] != images.shape[2:]:
        height, width = images.shape[2:]
        code = f"add torchvision.transforms.Resize(({height}, {width})) to its transform"
    raise unfit("images must have one shape", found, f"item {index}", code)


def _read_again(
    dataset: Any, images: Tensor, labels: Sequence[int | str], reading: Reading
) -> None:
    for index, label in enumerate(labels):
        item = _read_item(dataset, index, reading)
        if item.is_picture and len(item.image) == 1:
            item = item._replace(image=item.image.expand(images.shape[1], -1, -1))
        _check_same(Item(images[index], label, True), item, index)


def _check_same(before: Item, after: Item, index: int) -> None:
    if not before.is_same(after):
        raise DataError(
            "a data set must give the same each time, found another image or label in item "
            f"{index} when it was read again: leave random transforms out of it, "
            "the search augments by itself"
        )


def _read_item(dataset: Any, index: int, reading: Reading) -> Item:
    place = f"item {index}"
    try:
        item = dataset[index]
    # The data set is somebody else's code.
    except Exception as error:
        right = "every item of a data set must be readable"
        raise DataError(f"{right}, found {reason(error)} in {place}") from error
    right = "items must be pairs of an image and a label"
    if isinstance(item, Mapping) and len(item) > 1:
        raise unfit(right, "a mapping", place, f"[({_picked('item', item)}) for item in data]")
    if not isinstance(item, (tuple, list)) or len(item) < 2:
        raise unfit(right, type(item).__name__, place)
    if len(item) > 2:
        code = "[(item[0], item[1]) for item in data]"
        raise unfit(right, f"{len(item)} values", place, code)
    image, label = item
    is_picture = isinstance(image, Image.Image)
    found = _pixels(image, place, reading) if is_picture else as_image(image, place)
    return Item(found, as_label(label, place), is_picture)


def _pixels(image: Image.Image, place: str, reading: Reading) -> Tensor:
    if reading.version == 1:
        return _images_0_1.pixels(image, place)
    picture = as_picture(image, place, ground=reading.ground)
    channels = reading.channels if reading.channels in (1, 3) else None
    return picture.pixels(None, channels or (3 if picture.is_colour else 1))


@contextmanager
def _own_generators() -> Iterator[None]:
    """Leave the global generators as they are, whatever a data set draws from them."""
    python, arrays = random.getstate(), np.random.get_state(legacy=False)
    begun = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    gpus = [*range(torch.cuda.device_count())] if begun else []
    with torch.random.fork_rng(devices=gpus):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(arrays)


def _states() -> bytes:
    """The states of the global generators of the CPU."""
    torchs = torch.get_rng_state().numpy().tobytes()
    return pickle.dumps((random.getstate(), np.random.get_state(legacy=False), torchs))
