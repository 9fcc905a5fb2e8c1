"""Files of tensors and plain values that are known to be whole, and of which kind they are.

A file is a line that says what it is, the SHA-256 of the rest, and the rest as torch writes it.
Nothing in it is ever run: see `_archive.py`.
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any

import torch

from ._archive import read_archive

DIGEST = 64
"""Length of a SHA-256 in hexadecimal digits."""


def sealed(kind: str, record: dict[str, Any]) -> bytes:
    """A file of this kind, "checkpoint/1" say, that holds a record of tensors and plain values."""
    body = BytesIO()
    torch.save(record, body)
    content = body.getvalue()
    return _head(kind) + hashlib.sha256(content).hexdigest().encode() + content


def unsealed(kind: str, content: bytes) -> dict[str, Any]:
    """The record of a file of this kind, its tensors on the CPU.

    Raises:
        ValueError: it is of another kind, or not as it was written.
    """
    head = _head(kind)
    if not content.startswith(head):
        raise ValueError(f"it must begin with {head.decode().strip()}, but got {content[:24]!r}")
    digest, body = content[len(head) : len(head) + DIGEST], content[len(head) + DIGEST :]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise ValueError("its content must have the checksum at its head, but has another")
    record = read_archive(body)
    if not isinstance(record, dict):
        raise ValueError(f"it must hold a record, but got a {type(record).__name__}")
    return record


def _head(kind: str) -> bytes:
    return f"egnas-{kind}\n".encode()
