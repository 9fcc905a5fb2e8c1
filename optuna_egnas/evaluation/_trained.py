"""A trained network with all that is needed to use it, and its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .._core.architecture import Architecture
from .._core.cost import Shape
from ..errors import EgnasError, SearchError
from ._augmentation import ChannelStatistics
from ._images import GROUND, check_reading
from ._network import build
from ._sealed import sealed, unsealed

KIND = "network/1"
TUPLES = ("input_shape", "class_names", "mean", "std")
"""Fields that are lists where they are plain values."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedNetwork:
    """A network after its final training.

    Args:
        search: the name of the search that found it.
        architecture: what it is built of.
        input_shape: channels, height and width of its images.
        class_names: one per output, in their order.
        mean: of each channel of the training images, in units of uint8 pixels.
        std: the standard deviation of each channel, likewise; above 0.
        weights: a state dict of the network that `build` makes, on the CPU.
        seed: the seed of its training.
        epochs: those of its training.
        test_correct: right answers on the test images; None where they were not read.
        n_test: test images; None where they were not read.
        reading: how image files become its pixels: 1 as in 0.1.0, 2 as since then.
        ground: the colour that transparent images are laid on; reading 1 lays none.

    Raises:
        DataError: there is no such reading or colour.
    """

    search: str
    architecture: Architecture
    input_shape: Shape
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights: Mapping[str, Tensor]
    seed: int
    epochs: int
    test_correct: int | None = None
    n_test: int | None = None
    reading: int = 1
    ground: str = GROUND

    def __post_init__(self) -> None:
        check_reading(self.reading, self.ground)

    @property
    def test_accuracy(self) -> float | None:
        """Fraction of right answers on the test images."""
        if self.test_correct is None or self.n_test is None:
            return None
        return self.test_correct / self.n_test

    @property
    def statistics(self) -> ChannelStatistics:
        """By what an image is normalised, float [C, 1, 1] each."""
        return ChannelStatistics(*(_per_channel(v) for v in (self.mean, self.std)))

    def network(self) -> nn.Module:
        """The network on the CPU, in evaluation mode: normalised images [N, C, H, W] to logits."""
        network = build(
            self.architecture,
            input_shape=self.input_shape,
            classes=len(self.class_names),
            generator=torch.Generator(),
        )
        network.load_state_dict(dict(self.weights))
        return network.eval()


def _per_channel(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device="cpu")[:, None, None]


def packed(trained: TrainedNetwork) -> bytes:
    """The content of a network's file."""
    return sealed(KIND, {**metadata_of(trained), "weights": dict(trained.weights)})


def unpacked(content: bytes, name: str = "The file") -> TrainedNetwork:
    """The network of a file's content; `name` is what an error calls the file.

    Raises:
        SearchError: it is no file of a network, or not as it was written.
    """
    try:
        record = unsealed(KIND, content)
        return trained_of(record, record.pop("weights", {}))
    except ValueError as error:
        raise SearchError(
            f"{name} must be a trained network of this package: {' '.join(str(error).split())}"
        ) from None


def metadata_of(trained: TrainedNetwork) -> dict[str, Any]:
    """All of a network but its weights, as plain values."""
    values = {name: getattr(trained, name) for name in TrainedNetwork.__slots__}
    del values["weights"]
    plain = {key: list(value) for key, value in values.items() if isinstance(value, tuple)}
    return {**values, **plain, "architecture": trained.architecture.to_json()}


def trained_of(metadata: Mapping[str, Any], weights: Mapping[str, Tensor]) -> TrainedNetwork:
    """The network that these were of.

    Raises:
        ValueError: they are of none, or do not fit each other.
    """
    try:
        architecture = Architecture.from_json(metadata["architecture"])
        tuples = {key: tuple(metadata[key]) for key in TUPLES}
        values = {**metadata, **tuples, "architecture": architecture, "weights": weights}
        trained = TrainedNetwork(**values)
        trained.network(), trained.statistics
    except KeyError as error:
        raise ValueError(f"{error} is missing") from None
    except (TypeError, AttributeError, RuntimeError, EgnasError) as error:
        raise ValueError(str(error)) from None
    return trained
