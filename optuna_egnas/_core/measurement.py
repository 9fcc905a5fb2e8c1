"""What a method is given to measure one candidate with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from .epoch import EpochRecord
from .history import Candidate
from .network import Network, Shape
from .recipe import Recipe


class Measurement(Protocol):
    """One candidate that is to be measured, with all that this takes.

    Tensors and modules are torch's. `training` and `validation` hold `images`, uint8
    [N, C, H, W], and `labels` on the device. No measurement sees test images.

    Examples:
        >>> from optuna_egnas.methods import Measurement, Trained
        >>> def accuracy_less_doubt(measurement: Measurement):
        ...     best = 0.0
        ...     for record in measurement.train():
        ...         best = max(best, record.valid_accuracy)
        ...         yield record
        ...     yield Trained(score=best - 0.01, details={"accuracy": best})
    """

    @property
    def candidate(self) -> Candidate:
        """What is measured."""

    @property
    def seed(self) -> int:
        """The seed of what is drawn for this candidate, 0 or more, the same in each attempt."""

    @property
    def recipe(self) -> Recipe:
        """How the networks of the search are trained."""

    @property
    def device(self) -> Any:
        """The `torch.device` of it all."""

    @property
    def input_shape(self) -> Shape:
        """The shape of an image: channels, rows, columns."""

    @property
    def classes(self) -> int:
        """The number of classes."""

    @property
    def training(self) -> Any:
        """The training images with their labels."""

    @property
    def validation(self) -> Any:
        """The validation images with their labels."""

    @property
    def inherited(self) -> Mapping[str, Any] | None:
        """The final weights of the candidate's parent, where it has one.

        None where it goes on from a checkpoint.
        """

    @property
    def records(self) -> tuple[EpochRecord, ...]:
        """The epochs that a checkpoint already holds; to be yielded again."""

    @property
    def state(self) -> Mapping[str, Any] | None:
        """What `note` kept last, also by another trial of the candidate; None: begin anew."""

    def build(self, network: Network) -> Any:
        """The module of any network on the device, with weights drawn from the seed."""

    def train(self) -> Iterator[EpochRecord]:
        """Train the candidate as usual: a record after each epoch, and checkpoints."""

    def correct(self, module: Any) -> int:
        """Right answers of a module on the validation images; it is left in evaluation mode."""

    def note(self, record: EpochRecord, state: Mapping[str, Any]) -> EpochRecord:
        """Take in a further epoch; a checkpoint is written when it is due. Returns the record.

        `state` holds plain values and tensors, all that the next epochs depend on; its "weights"
        are the final weights for those that begin with them.
        """
