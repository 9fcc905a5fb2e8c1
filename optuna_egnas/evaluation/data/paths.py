"""Names and paths: of any bytes and any length, shown in one line, asked about without errors."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from ...errors import DataError

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


def short_name(name: str | Path) -> str:
    """A name for a message: readable, and of `LONGEST` characters at most."""
    text = readable(str(name))
    return text if len(text) <= LONGEST else f"{text[:25]}...{text[-LONGEST + 28 :]}"


def named(names: Sequence[str | Path], most: int = NAMED) -> str:
    """The first few names, and how many more there are."""
    first = ", ".join(map(short_name, names[:most]))
    return first if len(names) <= most else f"{first} and {len(names) - most:,} more"


def counted(count: int, what: str, many: str | None = None) -> str:
    """Return a number with its noun: "1 image", "1,200 images"."""
    return f"{count:,} {what if count == 1 else many or what + 's'}"


def is_folder(path: Path) -> bool:
    """Whether a path is that of a folder; False also for one that no system would take."""
    try:
        return path.is_dir()
    # It is too long, say, or holds a zero byte.
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether a path is that of a regular file; False also for one that no system would take."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def exists(path: Path) -> bool:
    """Whether something is at a path; False for a link that leads nowhere, or to itself."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def located(path: str) -> Path:
    r"""The place of a path as it was given, or as `readable` has written it, with `\xe9` say.

    Raises:
        DataError: its `~` is nobody's.
    """
    try:
        place = Path(path).expanduser()
    except RuntimeError:
        raise DataError(f"a path must be one here, found no home for {short_name(path)}") from None
    if "\\x" not in path or exists(place):
        return place
    return Path(os.fsdecode(re.sub(rb"\\x([0-9a-f]{2})", _byte, os.fsencode(place))))


def _byte(escape: re.Match[bytes]) -> bytes:
    return bytes([int(escape[1], 16)])
