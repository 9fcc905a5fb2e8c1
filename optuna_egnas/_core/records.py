"""Reads plain records (JSON, TOML) strictly, field by field.

Every refusal is a ValueError that names the field, what would be right, and what is there.
"""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Literal, TypeGuard, get_args, get_origin

from .text import short

WORDS = {bool: "true or false", float: "a number", int: "a whole number", str: "text"}
LARGEST = 2**53
"""The largest count that a floating-point number holds exactly."""


def given(record: Any, key: str) -> bool:
    """Whether a field is there and not null."""
    return isinstance(record, dict) and record.get(key) is not None


def value(record: Any, key: str) -> Any:
    """A field of any kind."""
    if not isinstance(record, dict):
        raise ValueError(f"an object with `{key}` must stand where {short(record)} is.")
    if key not in record:
        raise ValueError(f"`{key}` is missing.")
    return record[key]


def each(record: Any, key: str) -> list[Any]:
    """A list of anything."""
    values = value(record, key)
    if not isinstance(values, list):
        raise ValueError(f"`{key}` must be a list, but got {short(values)}.")
    return values


def text(record: Any, key: str) -> str:
    """A field of text."""
    return _text(value(record, key), key)


def texts(record: Any, key: str) -> list[str]:
    """A list of texts."""
    return [_text(item, key) for item in each(record, key)]


def number(record: Any, key: str) -> float:
    """A finite number of at least 0."""
    found = value(record, key)
    if not _is_number(found) or not 0 <= found < LARGEST:
        raise ValueError(f"`{key}` must be a number of at least 0, but got {short(found)}.")
    return found


def numbers(record: Any, key: str) -> list[float]:
    """A list of finite numbers."""
    for item in (found := each(record, key)):
        if not _is_number(item) or not -LARGEST < item < LARGEST:
            raise ValueError(f"`{key}` must hold finite numbers, but got {short(item)}.")
    return found


def whole(record: Any, key: str, *, at_least: int = 0, at_most: int = LARGEST) -> int:
    """A whole number of at least 0, or of another bound."""
    return _whole(value(record, key), key, at_least, at_most)


def wholes(record: Any, key: str, *, at_least: int = 0, at_most: int = LARGEST) -> list[int]:
    """A list of whole numbers of at least 0, or of another bound."""
    return [_whole(item, key, at_least, at_most) for item in each(record, key)]


def wrong_kind(found: object, kind: Any) -> str | None:
    """What a value should be, in words, if it is not of this type; None if it is.

    `kind` is a type of WORDS, a tuple of one (which plain records hold as a list), some texts
    (`Literal`), or one of these `| None`, where None is taken, too.
    """
    if isinstance(kind, UnionType):
        plain = next(each for each in get_args(kind) if each is not NoneType)
        return None if found is None else wrong_kind(found, plain)
    if get_origin(kind) is Literal:
        fits = isinstance(found, str) and found in get_args(kind)
        return None if fits else f"one of {', '.join(get_args(kind))}"
    if get_origin(kind) is tuple:
        element = get_args(kind)[0]
        fits = isinstance(found, (list, tuple)) and not any(
            wrong_kind(item, element) for item in found
        )
        return None if fits else f"a list, each {WORDS[element]}"
    return None if _is_of(found, kind) else WORDS[kind]


def _is_of(found: object, kind: type) -> bool:
    if kind is float:
        return _is_number(found)
    return isinstance(found, kind) and (kind is bool or not isinstance(found, bool))


def _is_number(found: object) -> TypeGuard[int | float]:
    return isinstance(found, (int, float)) and not isinstance(found, bool)


def _text(found: object, key: str) -> str:
    if not isinstance(found, str):
        raise ValueError(f"`{key}` must be text, but got {short(found)}.")
    return found


def _whole(found: object, key: str, at_least: int, at_most: int) -> int:
    bound = f"{at_least:,} to {at_most:,}" if at_most < LARGEST else f"at least {at_least:,}"
    if not isinstance(found, int) or isinstance(found, bool) or not at_least <= found <= at_most:
        raise ValueError(f"`{key}` must be a whole number, {bound}, but got {short(found)}.")
    return found
