"""Labels of a user, numbers or names; what is unfit is refused with the code that converts it."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ._values import cast, dense, to_array, unfit

LONGEST = 40
"""Characters of a user's own value that are repeated."""


class Labels(NamedTuple):
    """Class numbers, int64 [N], and the classes' names in their order."""

    numbers: Tensor
    names: tuple[str, ...]


def as_labels(
    values: Any, count: int, *, known: tuple[str, ...] | None = None, items: bool = False
) -> Labels:
    """Class numbers of `count` images: from numbers 0..K-1, or from names as strings.

    Names are sorted. `known` are the classes of the training data, for test labels, which may
    lack some of them. `items`: they are those of a data set's items.

    Raises:
        DataError: they are anything else; it holds the code that converts them.
    """
    labels = _label_array(values)
    if labels.ndim != 1:
        raise unfit(
            "labels must be one class for each image",
            [*labels.shape],
            "the labels",
            _flat(labels, values),
        )
    if len(labels) != count:
        raise unfit("every image must have one label", f"{len(labels)} for {count} images")
    if labels.dtype.kind == "U":
        return _named(labels, known)
    if known is not None:
        return _among(labels, known)
    present = np.unique(labels)
    if int(present[0]) != 0 or int(present[-1]) != len(present) - 1:
        found = f"{len(present)} kinds in {present[0]}..{present[-1]}"
        raise unfit(
            f"labels must be all of 0..{len(present) - 1}",
            found,
            "",
            _without_gaps(present, None if items else values),
        )
    numbers = torch.from_numpy(labels.astype(np.int64))
    return Labels(numbers, tuple(map(str, range(len(present)))))


def as_label(value: Any, place: str) -> int | str:
    """The label of one item: a class number, or a name.

    Raises:
        DataError: it is anything else; it holds the code that converts it.
    """
    if isinstance(value, str):
        return str(value)
    try:
        return operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        pass
    size = getattr(value, "shape", None) or (isinstance(value, (list, tuple)) and (len(value),))
    if size and max(size) > 1:
        code = "label.argmax()" if hasattr(value, "argmax") else "np.argmax(label)"
    else:
        code = "label.decode()" if isinstance(value, bytes) else _whole(value)
    found = f"{type(value).__name__} {str(value)[:LONGEST]}"
    raise unfit("a label must be an int or a string", found, place, code)


def _whole(value: Any) -> str:
    """The code that makes an integer of a label, where nothing is lost by it."""
    try:
        return "int(label)" if float(value) == int(value) else ""
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return ""


def one_kind(labels: Sequence[int | str]) -> np.ndarray[Any, Any]:
    """Labels as an array of strings or of integers.

    Raises:
        DataError: some are strings, others are not.
    """
    names = [isinstance(label, str) for label in labels]
    if any(names) and not all(names):
        other = names.index(not names[0])
        found = f"{str(labels[0])[:LONGEST]!r} and {str(labels[other])[:LONGEST]!r}"
        raise unfit("labels must be all integers or all strings", found, f"items 0 and {other}")
    return np.asarray(labels, dtype=str if any(names) else np.int64)


def _label_array(values: Any) -> np.ndarray[Any, Any]:
    """Labels as an array of strings or of integers, of any shape that they have."""
    array = _plain_array(values)
    right, kind = "labels must be integers or strings", array.dtype.kind
    if kind in "iuU":
        return array
    if kind == "O":
        return _from_objects(array)
    if array.ndim == 2 and array.shape[1] > 1:
        return array  # one-hot, of whatever dtype; its shape is refused
    whole = cast("labels", "int64", tensor=isinstance(values, Tensor))
    code = {"b": whole, "f": whole, "S": 'np.asarray(labels).astype("str")'}.get(kind, "")
    if kind == "f" and not (array == np.floor(array)).all():
        code = ""  # they are no classes
    elif isinstance(values, (list, tuple)) and kind in "bf":
        code = "[int(label) for label in labels]"
    raise unfit(right, array.dtype, "the labels", code)


def _plain_array(values: Any) -> np.ndarray[Any, Any]:
    if isinstance(values, Tensor):
        tensor = dense(values, "labels", "the labels")
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    if isinstance(values, np.ndarray):
        return values
    if not isinstance(values, (list, tuple)):
        right = "labels must be a tensor, a numpy array or a list"
        raise unfit(right, type(values).__name__, "", to_array(values, "labels"))
    if any(isinstance(value, str) for value in values):
        return np.array([*values, None], dtype=object)[:-1]
    try:
        return np.asarray([_number(value) for value in values])
    except (TypeError, ValueError, RuntimeError):
        return np.array([*values, None], dtype=object)[:-1]


def _number(value: Any) -> Any:
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else value


def _from_objects(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    labels = [as_label(value, f"label {index}") for index, value in enumerate(array.ravel())]
    shaped: np.ndarray[Any, Any] = one_kind(labels).reshape(array.shape)
    return shaped


def _flat(labels: np.ndarray[Any, Any], given: Any) -> str:
    if labels.ndim != 2:
        return ""
    if labels.shape[1] == 1:
        return "np.ravel(labels)" if isinstance(given, (list, tuple)) else "labels.reshape(-1)"
    return "np.argmax(labels, 1)" if isinstance(given, (list, tuple)) else "labels.argmax(1)"


def _named(labels: np.ndarray[Any, Any], known: tuple[str, ...] | None) -> Labels:
    names, numbers = np.unique(labels, return_inverse=True)
    found = tuple(map(str, names))
    if known is None:
        return Labels(torch.from_numpy(numbers.reshape(-1).astype(np.int64)), found)
    strange = [name for name in found if name not in known]
    if strange:
        classes = ", ".join(name[:LONGEST] for name in known[:5]) + ("..." if known[5:] else "")
        right = f"test labels must be among the training data's {len(known)}, {classes}"
        raise unfit(right, repr(strange[0][:LONGEST]))
    places = torch.tensor([known.index(name) for name in found], dtype=torch.int64)
    return Labels(places[torch.from_numpy(numbers.reshape(-1))], known)


def _among(labels: np.ndarray[Any, Any], known: tuple[str, ...]) -> Labels:
    """Numbers of test images; where the training data have names, they do not say which."""
    if known != tuple(map(str, range(len(known)))):
        right = "test labels must be strings like those of the training data"
        raise unfit(right, f"{labels.dtype}")
    for bound in (labels.min(), labels.max()):
        if not 0 <= int(bound) < len(known):
            raise unfit(f"test labels must be 0..{len(known) - 1}", int(bound))
    return Labels(torch.from_numpy(labels.astype(np.int64)), known)


def _without_gaps(present: np.ndarray[Any, Any], given: Any) -> str:
    """The code that makes them 0..K-1; `given` is None where they are those of items."""
    low, tensor = int(present[0]), isinstance(given, Tensor)
    gapless = int(present[-1]) - low == len(present) - 1
    shift = f"{'-' if low > 0 else '+'} {abs(low)}"
    if given is None:
        label = f"label {shift}" if gapless else "str(label)"
        return f"[(image, {label}) for image, label in data]"
    name = "labels" if tensor or isinstance(given, np.ndarray) else "np.asarray(labels)"
    if gapless:
        return f"{name} {shift}"
    if tensor:
        return "labels.unique(return_inverse=True)[1]"
    return "np.unique(labels, return_inverse=True)[1]"
