"""Reads Fashion-MNIST's files."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np

DATA = Path("/usr/share/datasets/fashion-mnist")
FILES = {"train": "train", "test": "t10k"}


class Part(NamedTuple):
    """Images uint8 [N, 28, 28] and labels [N]."""

    images: np.ndarray
    labels: np.ndarray


def read(folder: Path, part: str) -> Part:
    """Its training part, or its test part."""
    stem = FILES[part]
    images = gzip.decompress((folder / f"{stem}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{stem}-labels-idx1-ubyte.gz").read_bytes())
    return Part(
        np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28),
        np.frombuffer(labels, np.uint8, offset=8),
    )
