"""What each epoch of a measurement gave."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRecord:
    """What one epoch gave.

    `epoch` counts from 1. `train_loss` (mean, of smoothed labels where the recipe smooths them)
    and `train_correct` are those of the training passes themselves, over `n_train` augmented
    images. `n_valid` is 0 where nothing was validated, `n_train` where nothing was trained.
    `learning_rate` is that at the epoch's end: 0 after the last one. `seconds` covers the epoch's
    training and validation. `micro_batch` is the most images in one pass where a batch had to be
    divided; else None.

    Examples:
        >>> from optuna_egnas.methods import EpochRecord
        >>> EpochRecord(epoch=1, valid_correct=45, n_valid=50).valid_accuracy
        0.9
    """

    epoch: int
    train_loss: float = 0.0
    train_correct: int = 0
    n_train: int = 0
    valid_correct: int
    n_valid: int
    learning_rate: float = 0.0
    seconds: float = 0.0
    micro_batch: int | None = None

    @property
    def train_accuracy(self) -> float:
        """Fraction of right answers during training."""
        return self.train_correct / self.n_train

    @property
    def valid_accuracy(self) -> float:
        """Fraction of right answers on the validation images."""
        return self.valid_correct / self.n_valid
