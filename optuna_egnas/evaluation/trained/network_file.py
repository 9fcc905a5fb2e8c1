"""A trained network with all that is needed to use it, and its file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..._core.method import DEFAULT, Method, known_methods, method
from ..._core.network import Network, Shape
from ..._core.records import given, numbers, text, texts, value, whole, wholes
from ..._core.text import short
from ...errors import DataError, SearchError
from ..data.ground import GROUND
from ..data.images import check_reading
from ..engine.augmentation import ChannelStatistics
from ..engine.sealed import sealed, unsealed
from .weights import check_weights

KIND = "network/1"
LARGEST_LAYER = 2**27
"""Values of the largest layer's output for one image: 512 MiB, of which a pass needs a few."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainedNetwork:
    """A network after its final training.

    Args:
        search: the name of the search that found it.
        architecture: what it is built of, by its method.
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
        method: the name of the method whose network it is.

    Raises:
        DataError: there is no such reading or colour.
    """

    search: str
    architecture: Network
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
    method: str = DEFAULT

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
        """Mean and deviation by which an image is normalised, float [C, 1, 1] each."""
        return ChannelStatistics(*(_per_channel(v) for v in (self.mean, self.std)))

    def network(self) -> nn.Module:
        """The network on the CPU, in evaluation mode: normalised images [N, C, H, W] to logits."""
        network: nn.Module = method(self.method).build(
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
        return trained_of(record, record.pop("weights", None))
    except ValueError as error:
        raise SearchError(f"{name} must be a trained network of this package: {error}") from None


def metadata_of(trained: TrainedNetwork) -> dict[str, Any]:
    """All of a network but its weights, as plain values."""
    values = {name: getattr(trained, name) for name in TrainedNetwork.__slots__}
    del values["weights"]
    plain = {key: list(value) for key, value in values.items() if isinstance(value, tuple)}
    return {**values, **plain, "architecture": trained.architecture.to_json()}


def trained_of(metadata: Mapping[str, Any], weights: Any) -> TrainedNetwork:
    """The network that these were of.

    Raises:
        ValueError: they are of none, or do not fit each other.
    """
    fields = fields_of(metadata)
    check_weights(
        weights,
        method(fields["method"]),
        fields["architecture"],
        input_shape=fields["input_shape"],
        classes=len(fields["class_names"]),
    )
    return TrainedNetwork(**fields, weights=weights)


def fields_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """All of a network but its weights, from what `metadata_of` has written.

    Raises:
        ValueError: a field is missing, not known, of the wrong kind or out of its bounds.
    """
    for name in metadata:
        if name == "weights" or name not in TrainedNetwork.__slots__:
            raise ValueError(f"it must hold the fields of a network, but has {short(name)}.")
    of = _method(metadata)
    fields: dict[str, Any] = {
        "search": text(metadata, "search"),
        "method": of.name,
        "architecture": _architecture(value(metadata, "architecture"), of),
        "input_shape": tuple(wholes(metadata, "input_shape", at_least=1)),
        "class_names": tuple(texts(metadata, "class_names")),
        "mean": tuple(numbers(metadata, "mean")),
        "std": tuple(numbers(metadata, "std")),
        "seed": whole(metadata, "seed", at_most=2**64),
        "epochs": whole(metadata, "epochs"),
        **_reading(metadata),
    }
    if given(metadata, "n_test") or given(metadata, "test_correct"):
        n_test = fields["n_test"] = whole(metadata, "n_test", at_least=1)
        fields["test_correct"] = whole(metadata, "test_correct", at_most=n_test)
    _check_images(fields["input_shape"], fields["mean"], fields["std"])
    _check_pass(fields["architecture"], fields["input_shape"], of)
    names = fields["class_names"]
    if not names or len({*names}) < len(names):
        raise ValueError(f"`class_names` must be one or more, each once, but are {short(names)}.")
    return fields


def _reading(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """How image files are read; networks of 0.1.0 do not say it."""
    found = {"reading": metadata.get("reading", 1), "ground": metadata.get("ground", GROUND)}
    try:
        check_reading(**found)
    except DataError as error:
        raise ValueError(str(error)) from None
    return found


def _method(metadata: Mapping[str, Any]) -> Method:
    """The method whose network it is. A file makes nothing be loaded but what is installed."""
    name = text(metadata, "method") if given(metadata, "method") else DEFAULT
    if name not in known_methods() and name.partition(":")[0] not in sys.modules:
        raise ValueError(f"`method` must be one that is installed, but is {short(name)}.")
    try:
        return method(name)
    except SearchError as error:
        raise ValueError(str(error)) from None


def _architecture(record: Any, of: Method) -> Network:
    if not isinstance(record, dict):
        raise ValueError(f"`architecture` must be an object, but is {short(record)}.")
    try:
        return of.network_from_json(record)
    # A method's code may raise anything for what is no network.
    except Exception as error:
        raise ValueError(f"`architecture` is none: {' '.join(str(error).split())}") from None


def _check_images(shape: tuple[int, ...], mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    if len(shape) != 3:
        raise ValueError(f"`input_shape` must have 3 sizes, but is {short(shape)}.")
    if not len(mean) == len(std) == shape[0]:
        raise ValueError(
            f"`mean` and `std` must have a value for each of {shape[0]:,} channels, but have "
            f"{len(mean)} and {len(std)}."
        )
    # As they are calculated with: what is next to nothing is 0 there.
    if not torch.tensor(std, dtype=torch.float32).gt(0).all():
        raise ValueError(f"`std` must be above 0, but is {short(std)}.")


def _check_pass(network: Network, shape: tuple[int, ...], of: Method) -> None:
    """Refuse a network for images so large that they are no images of a training."""
    channels, height, width = shape
    largest = of.largest_output(network, input_shape=(channels, height, width))
    needed = max(largest, channels * height * width)
    if needed > LARGEST_LAYER:
        raise ValueError(
            f"a layer's output must have at most {LARGEST_LAYER:,} values for an image, but has "
            f"{short(needed)} for one of {short(shape)}."
        )
