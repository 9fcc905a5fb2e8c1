"""Names and paths as text: of any bytes, and short enough for one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

LONGEST = 60
"""Characters of a name in a message; of longer ones the middle is left out."""
NAMED = 3


def readable(name: str) -> str:
    r"""A name as text that any storage and file can hold, the same whatever the locale is.

    Bytes that are no UTF-8 become `\xe9` and the like. Other names stay as they are.
    """
    try:
        raw = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = name.encode("utf-8", "backslashreplace")
    return raw.decode("utf-8", "backslashreplace")


def short(name: str | Path) -> str:
    """A name for a message: readable, and of `LONGEST` characters at most."""
    text = readable(str(name))
    return text if len(text) <= LONGEST else f"{text[:25]}...{text[-LONGEST + 28 :]}"


def named(names: Sequence[str | Path]) -> str:
    """The first few names, and how many more there are."""
    first = ", ".join(map(short, names[:NAMED]))
    return first if len(names) <= NAMED else f"{first} and {len(names) - NAMED:,} more"


def counted(count: int, what: str, many: str | None = None) -> str:
    """So many of something: "1 image", "1,200 images"."""
    return f"{count:,} {what if count == 1 else many or what + 's'}"


def joined(parts: Iterable[str]) -> str:
    """Parts of a sentence, without those that are empty."""
    return "; ".join(part for part in parts if part)
