"""Reads a file that a user names: a plain file of at most so many bytes, and nothing else."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MIB = 2**20


def read_whole(path: Path, *, at_most: int) -> bytes:
    """The bytes of a file.

    Raises:
        OSError: it cannot be read, is larger than `at_most` bytes, or is no plain file: a pipe
            may never end, and a device never does. `strerror` says which.
    """
    try:
        found = path.stat()
    # A null byte, or a character that the file system's encoding lacks.
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error)) from None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "It must be a plain file, but is a pipe or a device")
    content, size = b"", found.st_size
    if size <= at_most:
        with path.open("rb") as file:
            # A file that is being written, or one of unknown size, may have more.
            content = file.read(size + MIB)
        size = len(content)
    if size > at_most:
        raise OSError(errno.EFBIG, f"It must have at most {at_most:,} bytes, but has {size:,}")
    return content
