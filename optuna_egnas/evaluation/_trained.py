"""A trained network with all that is needed to use it, and its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .._core.architecture import Architecture
from .._core.cost import Shape
from ..errors import EgnasError, SearchError
from ._augmentation import ChannelStatistics
from ._network import build
from ._sealed import sealed, unsealed

KIND = "network/1"


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

    @property
    def test_accuracy(self) -> float | None:
        """Fraction of right answers on the test images."""
        if self.test_correct is None or self.n_test is None:
            return None
        return self.test_correct / self.n_test

    @property
    def statistics(self) -> ChannelStatistics:
        """By what an image is normalised, float [C, 1, 1] each."""
        return ChannelStatistics(*(torch.tensor(v)[:, None, None] for v in (self.mean, self.std)))

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


def packed(trained: TrainedNetwork) -> bytes:
    """The content of a network's file."""
    record = {name: getattr(trained, name) for name in TrainedNetwork.__slots__}
    record["architecture"] = trained.architecture.to_json()
    record["weights"] = dict(trained.weights)
    return sealed(KIND, record)


def unpacked(content: bytes, name: str = "The file") -> TrainedNetwork:
    """The network of a file's content; `name` is what an error calls the file.

    Raises:
        SearchError: it is no file of a network, or not as it was written.
    """
    try:
        record = unsealed(KIND, content)
        record["architecture"] = Architecture.from_json(record["architecture"])
        for key in ("input_shape", "class_names", "mean", "std"):
            record[key] = tuple(record[key])
        trained = TrainedNetwork(**record)
        trained.network()
    except (ValueError, TypeError, KeyError, RuntimeError, EgnasError) as error:
        reason = " ".join(str(error).split())
        raise SearchError(f"{name} must be a trained network of this package: {reason}") from None
    return trained
