"""What a trained network says of images: the classes that it holds for the likeliest.

An image is brought to the network's shape as those of a search in folders are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..._core.commands import TOP
from ..._core.method import method
from ..._core.network import Shape
from ..._storage.files import read_whole
from ...errors import DataError, SearchError
from ..data.ground import GROUND
from ..data.images import READING, read_image
from ..data.paths import named
from ..engine.conditions import plain_modes
from . import onnx as _onnx
from .formats import PixelNetwork, read_onnx, read_state_dict
from .network_file import TrainedNetwork, unpacked
from .onnx import Logits

BATCH = 64
USUAL_LAYER = 2**26
"""Values of a layer's output for the images that are predicted at once: 256 MiB."""
LARGEST_FILE = 2**30
"""Bytes of a network's file."""
ZIP = b"PK\x03\x04"
"""How torch's own files begin."""


class Guess(NamedTuple):
    """A class, and the probability that a network gives it."""

    class_name: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classifier:
    """What is needed to predict.

    Args:
        logits: of uint8 pixels [N, C, H, W].
        input_shape: channels, height and width of these.
        class_names: one per logit, in their order.
        reading: how image files become pixels, as `TrainedNetwork` has it.
        ground: likewise.
        batch: it takes at most so many images at once.
    """

    logits: Logits
    input_shape: Shape
    class_names: tuple[str, ...]
    reading: int = READING
    ground: str = GROUND
    batch: int = BATCH

    @classmethod
    def of(cls, trained: TrainedNetwork) -> Classifier:
        """That of a trained network, on the CPU."""
        of, shape = method(trained.method), trained.input_shape
        largest = max(1, of.largest_output(trained.architecture, input_shape=shape))
        return cls(
            logits=PixelNetwork(trained),
            input_shape=trained.input_shape,
            class_names=trained.class_names,
            reading=trained.reading,
            ground=trained.ground,
            batch=max(1, min(BATCH, USUAL_LAYER // largest)),
        )


@plain_modes()
def read_trained(file: Path) -> TrainedNetwork:
    """The network in its own file, or in a state dict's.

    Raises:
        SearchError: the file is neither, or not as it was written.
    """
    content = _content(file)
    if not content.startswith(ZIP):
        return unpacked(content, str(file))
    try:
        return read_state_dict(content)
    except ValueError as error:
        raise _refusal(file, "a state dict of this package", error) from None


@plain_modes()
def read_classifier(file: Path) -> Classifier:
    """Read a trained network from its file, a state dict or an exported ONNX file.

    Raises:
        SearchError: as `read_trained`; for ONNX also: its packages are missing.
    """
    if file.suffix in (".py", ".pt2"):
        raise SearchError(
            "To predict, a network must be in its own file, a state dict or ONNX, which hold no "
            f"code, but got {file}."
        )
    if file.suffix != ".onnx":
        return Classifier.of(read_trained(file))
    _onnx.check_packages()
    try:
        logits, batch, fields = read_onnx(_content(file))
    except ValueError as error:
        raise _refusal(file, "an ONNX of this package", error) from None
    return Classifier(
        logits=logits,
        input_shape=fields["input_shape"],
        class_names=fields["class_names"],
        reading=fields["reading"],
        ground=fields["ground"],
        batch=batch,
    )


@plain_modes()
def predict(
    classifier: Classifier, files: Sequence[Path], *, top: int = 3
) -> list[tuple[Guess, ...]]:
    """For each image file the `top` likeliest classes, or all if there are fewer.

    Raises:
        InvalidSpace: `top` is below 1.
        DataError: images cannot be read; they are named.
        SearchError: the network's images are neither grayscale nor colour, or it gives no finite
            numbers.
    """
    TOP.check(top)
    channels, height, width = classifier.input_shape
    if channels not in (1, 3):
        raise SearchError(
            f"To predict image files, a network must take 1 or 3 channels, but takes {channels}."
        )
    read = partial(read_image, reading=classifier.reading, ground=classifier.ground)
    broken: dict[Path, DataError] = {}
    guesses: list[tuple[Guess, ...]] = []
    for first in range(0, len(files), classifier.batch):
        images = []
        for file in files[first : first + classifier.batch]:
            try:
                images.append(read(file, (height, width), channels))
            except DataError as error:
                broken[file] = error
        if not broken:
            guesses += _guesses(classifier, torch.stack(images), top)
    if broken:
        raise _all_broken(broken, len(files))
    return guesses


def _all_broken(broken: Mapping[Path, DataError], count: int) -> DataError:
    """Return one error for all files that cannot be read."""
    if len(broken) == 1:
        return next(iter(broken.values()))
    names = named([file.name for file in broken])
    why = "asked for alone, each says why"
    return DataError(f"{len(broken)} of {count} image files cannot be read: {names}; {why}")


@torch.inference_mode()
def _guesses(classifier: Classifier, images: Tensor, top: int) -> list[tuple[Guess, ...]]:
    logits = classifier.logits(images).double()
    if not logits.isfinite().all():
        raise SearchError(
            "A network's logits must be finite, but are not for all of these images: it is no "
            "network for them."
        )
    probabilities = logits.softmax(1)
    values, answers = probabilities.sort(dim=1, descending=True, stable=True)
    rows = zip(values[:, :top].tolist(), answers[:, :top].tolist(), strict=True)
    return [
        tuple(
            Guess(classifier.class_names[answer], value)
            for value, answer in zip(*row, strict=True)
        )
        for row in rows
    ]


def _content(file: Path) -> bytes:
    try:
        return read_whole(file, at_most=LARGEST_FILE)
    except OSError as error:
        raise SearchError(f"Cannot read {file}: {error.strerror or error}.") from None


def _refusal(file: Path, what: str, error: Exception) -> SearchError:
    return SearchError(f"{file} must be {what}: {error}")
