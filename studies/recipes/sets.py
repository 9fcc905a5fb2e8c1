"""The data sets of the study: those at hand without a download, and subsets of them."""

from __future__ import annotations

import argparse
import gzip
import io
import json
import lzma
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from optuna_egnas.evaluation.data.labelled import LabelledImages

CHOOSING = ("fashion-400", "digits", "fashion-6000")
"""On these the rule was chosen; the others confirm it."""


class Missing(Exception):
    """The files of a data set are not here."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Images:
    """A training and a test part; `epochs` are those of all trainings on it."""

    train: LabelledImages
    test: LabelledImages
    classes: int
    epochs: int
    padding: int
    flip: bool


def labelled(images: np.ndarray, labels: np.ndarray) -> LabelledImages:
    """From uint8 [N, H, W] or [N, H, W, C]."""
    pixels = images[..., None] if images.ndim == 3 else images
    order = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    return LabelledImages(
        images=torch.from_numpy(order.copy()), labels=torch.from_numpy(labels.astype(np.int64))
    )


def drawn(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """So many indices, equally many of each class."""
    random = np.random.default_rng(seed)
    classes = np.unique(labels)
    each = count // len(classes)
    return np.concatenate(
        [random.permutation(np.flatnonzero(labels == label))[:each] for label in classes]
    )


@cache
def _fashion(folder: Path) -> tuple[Any, ...]:
    found = []
    for stem in ("train", "t10k"):
        try:
            images = gzip.decompress((folder / f"{stem}-images-idx3-ubyte.gz").read_bytes())
            labels = gzip.decompress((folder / f"{stem}-labels-idx1-ubyte.gz").read_bytes())
        except OSError as error:
            raise Missing(str(error)) from None
        found += [
            np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28),
            np.frombuffer(labels, np.uint8, offset=8),
        ]
    return tuple(found)


def fashion(count: int, epochs: int) -> Callable[[int, argparse.Namespace], Images]:
    """So many images of Fashion-MNIST, drawn by the seed; all of its test images."""

    def load(seed: int, given: argparse.Namespace) -> Images:
        images, labels, test, answers = _fashion(given.fashion)
        if count < len(labels):
            index = drawn(labels, count, seed)
            images, labels = images[index], labels[index]
        return Images(
            train=labelled(images, labels),
            test=labelled(test, answers),
            classes=10,
            epochs=epochs,
            padding=2,
            flip=True,
        )

    return load


def digits(seed: int, given: argparse.Namespace) -> Images:
    """Those of scikit-learn, 8 x 8; a fifth, drawn by the seed, is the test."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images, labels = (found.images * 255 / 16).round().astype(np.uint8), found.target
    order = np.random.default_rng(seed).permutation(len(labels))
    n_test = len(labels) // 5
    return Images(
        train=labelled(images[order[n_test:]], labels[order[n_test:]]),
        test=labelled(images[order[:n_test]], labels[order[:n_test]]),
        classes=10,
        epochs=60,
        padding=0,
        flip=False,
    )


class _ArraysOnly(pickle.Unpickler):
    """Reads arrays of numpy, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if name in ("_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer"):
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"{module}.{name} is no array")


@cache
def _animals(wheel: Path) -> tuple[np.ndarray, np.ndarray]:
    if not wheel.exists():
        raise Missing(f"{wheel} is absent: pip download --no-deps animal-mnist==0.4")
    place = "animal_mnist/data/Animal_MNIST/animal_{}_version_3.gz"
    with zipfile.ZipFile(wheel) as archive:
        images, labels = (
            _ArraysOnly(io.BytesIO(gzip.decompress(archive.read(place.format(part))))).load()
            for part in ("data", "label")
        )
    return np.asarray(images, np.uint8).reshape(-1, 28, 28), np.asarray(labels).reshape(-1)


def animals(seed: int, given: argparse.Namespace) -> Images:
    """Drawings of animals from the wheel of animal-mnist; a fifth is the test."""
    images, labels = _animals(given.animals)
    order = np.random.default_rng(seed).permutation(len(labels))
    n_test = len(labels) // 5
    classes, numbers = np.unique(labels, return_inverse=True)
    return Images(
        train=labelled(images[order[n_test:]], numbers[order[n_test:]]),
        test=labelled(images[order[:n_test]], numbers[order[:n_test]]),
        classes=len(classes),
        epochs=15,
        padding=2,
        flip=True,
    )


@cache
def _cifar(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    place = folder / "cifar10-jpeg"
    try:
        packed = lzma.decompress((place / f"cifar10-{part}.jpgs.xz").read_bytes())
        index = json.loads((place / f"cifar10-{part}.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise Missing(str(error)) from None
    return _unpacked(packed, index)


def _unpacked(packed: bytes, index: Any) -> tuple[np.ndarray, np.ndarray]:
    offsets = index["offsets"]
    images = [
        np.asarray(Image.open(io.BytesIO(packed[first:last]))) for first, last in pairwise(offsets)
    ]
    return np.stack(images), np.asarray(index["labels"])


def cifar(count: int, epochs: int) -> Callable[[int, argparse.Namespace], Images]:
    """So many images of CIFAR-10 (JPEG), drawn by the seed; all of its test images."""

    def load(seed: int, given: argparse.Namespace) -> Images:
        images, labels = _cifar(given.folder, "train")
        test, answers = _cifar(given.folder, "test")
        index = drawn(labels, count, seed)
        return Images(
            train=labelled(images[index], labels[index]),
            test=labelled(test, answers),
            classes=10,
            epochs=epochs,
            padding=4,
            flip=True,
        )

    return load


SETS: dict[str, Callable[[int, argparse.Namespace], Images]] = {
    "fashion-400": fashion(400, 100),
    "digits": digits,
    "fashion-1000": fashion(1000, 60),
    "fashion-6000": fashion(6000, 20),
    "animals": animals,
    "cifar-6000": cifar(6000, 20),
    "fashion-60000": fashion(60000, 6),
}
