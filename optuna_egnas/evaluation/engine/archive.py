"""Reads the zip archives that torch.save writes, without trust in what they say of themselves.

torch's own reader compares no checksum, believes a tensor's size, unpacks what is compressed and
builds more than values. Here, all that is used has been held against its checksum, nothing is
built beyond plain values and dense tensors, and no more than the file has bytes for.
"""

from __future__ import annotations

import pickle
import pickletools
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from io import BytesIO
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..._core.text import short

DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
}

# fmt: off
OPCODES = {
    "PROTO", "STOP", "MARK", "GLOBAL", "REDUCE", "BUILD", "BINPERSID", "BINPUT", "LONG_BINPUT",
    "BINGET", "LONG_BINGET", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2",
    "LONG1", "BINFLOAT", "BINUNICODE", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3",
    "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS",
}
# fmt: on
"""The opcodes of pickles in which torch writes plain values and tensors."""
MOST_VALUES = 1_000_000
DEEPEST = 20
MOST_DIMENSIONS = 8


def read_archive(content: bytes) -> Any:
    """The plain values and tensors, on the CPU, that `torch.save` has written.

    Raises:
        ValueError: it is no such archive, is damaged, or holds anything else.
    """
    records = _records(content)
    if "data.pkl" not in records:
        raise ValueError("it must hold data.pkl, as torch writes it, but does not")
    order = records.get("byteorder", b"little").decode("ascii", "replace")
    if order != sys.byteorder:
        raise ValueError(f"its byte order must be {sys.byteorder}, but is {short(order)}")
    pickled = records["data.pkl"]
    _check_opcodes(pickled)
    try:
        found = _Unpickler(pickled, records).load()
    except _Refused as error:
        raise ValueError(str(error)) from None
    # A pickle that is none makes Python raise errors of many kinds.
    except Exception as error:
        raise ValueError(f"its data.pkl cannot be read: {type(error).__name__}") from None
    return _Plain().of(found)


def _records(content: bytes) -> dict[str, bytes]:
    """The archive's entries, each as its checksum says, by their names inside its one folder."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries = archive.infolist()
            _check_sizes(entries, len(content))
            records = {entry.filename: archive.read(entry) for entry in entries}
    except _Refused as error:
        raise ValueError(str(error)) from None
    # Damage makes zipfile raise errors of many kinds.
    except Exception as error:
        raise ValueError(f"it cannot be unpacked: {error or type(error).__name__}") from None
    if len(records) != len(entries) or len({name.split("/")[0] for name in records}) != 1:
        raise ValueError("its entries must lie in one folder, each once, but do not")
    return {name.partition("/")[2]: record for name, record in records.items()}


def _check_sizes(entries: list[zipfile.ZipInfo], available: int) -> None:
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise _Refused("its entries must be stored as they are, but one is compressed")
    declared = sum(entry.file_size for entry in entries)
    if declared > available:
        raise _Refused(
            f"its entries must have at most the file's {available:,} bytes, but have {declared:,}"
        )


def _check_opcodes(pickled: bytes) -> None:
    """Refuse what no writing of plain values needs, above all what makes a reader allocate."""
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            if opcode.name not in OPCODES:
                raise _Refused(f"its data.pkl must hold plain values, but has {opcode.name}")
            if opcode.name == "LONG_BINPUT" and (argument or 0) > len(pickled):
                raise _Refused("its data.pkl must number its values in turn, but does not")
    except _Refused as error:
        raise ValueError(str(error)) from None
    except Exception as error:
        raise ValueError(f"its data.pkl is no pickle: {short(str(error))}") from None


class _Refused(Exception):
    """What is wrong with an archive; not to be taken for an error of the libraries."""


class _Storage(NamedTuple):
    """The bytes of one tensor, and as what they count."""

    dtype: torch.dtype
    content: bytes


class _Held(NamedTuple):
    """A tensor, of which the rest of the pickle can change nothing."""

    tensor: Tensor


class _Rebuild:
    """A stand-in for torch's own function, without attributes that a pickle could set."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> _Held:
        if not isinstance(storage, _Storage):
            raise _Refused("a tensor must have bytes of its own, but one has none")
        counts = [offset, *size, *stride]
        if len(size) != len(stride) or len(size) > MOST_DIMENSIONS or not _are_counts(counts):
            raise _Refused(f"a tensor's shape must be whole numbers, but one has {short(counts)}")
        needed, there = prod(size), len(storage.content) // storage.dtype.itemsize
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if needed and not max(needed - 1, last) < there:
            raise _Refused(
                f"a tensor of shape {short(list(size))} must have as many values, but has "
                f"{there:,}"
            )
        if not needed:
            return _Held(torch.empty(size, dtype=storage.dtype))
        values = torch.frombuffer(bytearray(storage.content), dtype=storage.dtype)
        return _Held(values.as_strided(size, stride, offset))


def _are_counts(values: list[Any]) -> bool:
    return all(type(each) is int and 0 <= each < 2**63 for each in values)


class _Unpickler(pickle.Unpickler):
    """Builds nothing but dictionaries, lists, plain values and tensors."""

    def __init__(self, pickled: bytes, records: dict[str, bytes]) -> None:
        super().__init__(BytesIO(pickled))
        self.unused = dict(records)

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("torch._utils", "_rebuild_tensor_v2"): _Rebuild(),
            ("collections", "OrderedDict"): OrderedDict,
        }
        if (module, name) not in known:
            raise _Refused(
                "it must hold plain values and tensors only, but names "
                f"{short(f'{module}.{name}')}"
            )
        return known[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        _, dtype, key, _, count = pid
        # Each once: tensors that shared their bytes could be many times as large as the file.
        content = self.unused.pop(f"data/{key}", None)
        if content is None or not isinstance(dtype, torch.dtype):
            raise _Refused("each tensor must have bytes of its own, but one has none")
        if type(count) is not int or count * dtype.itemsize != len(content):
            raise _Refused(
                f"a tensor must have {short(count)} values, but has {len(content):,} bytes"
            )
        return _Storage(dtype, content)


class _Plain:
    """Turns what was unpickled into plain values; refuses what else there is, and endless ones."""

    def __init__(self) -> None:
        self.count = 0

    def of(self, found: Any, depth: int = 0) -> Any:
        """Return the value with its tensors in place of their records."""
        self.count += 1
        if depth > DEEPEST or self.count > MOST_VALUES:
            raise ValueError(
                f"it must hold at most {MOST_VALUES:,} values, {DEEPEST} deep, but holds more"
            )
        if isinstance(found, dict):
            return {self.of(key, depth + 1): self.of(found[key], depth + 1) for key in found}
        if type(found) in (list, tuple):
            return type(found)(self.of(item, depth + 1) for item in found)
        if isinstance(found, _Held):
            return found.tensor
        if found is None or type(found) in (bool, int, float, str):
            return found
        raise ValueError(f"it must hold plain values, but has a {type(found).__name__}")
