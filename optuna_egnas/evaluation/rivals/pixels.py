"""Rivals that are no networks: logistic regression and a random forest on the bare pixels."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..._core.network import Shape
from ..data.labelled import LabelledImages

TREES = 100
STEPS = 200
"""Most steps of the logistic regression's solver."""

Make = Callable[[int], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelRival:
    """A classifier of scikit-learn on pixels from 0 to 1.

    Args:
        name, words: as of a `Rival`.
        make: the classifier, from a seed.
        is_linear: whether it has a weight for each pixel and class; else its size says nothing.
    """

    name: str
    words: str
    make: Make
    is_linear: bool

    def sizes(self, input_shape: Shape, classes: int) -> tuple[int | None, int | None]:
        """Parameters, and multiply-accumulates for one image; None where they say nothing."""
        if not self.is_linear:
            return None, None
        pixels = input_shape[0] * input_shape[1] * input_shape[2]
        return (pixels + 1) * classes, pixels * classes

    def fit(self, training: LabelledImages, seed: int) -> Callable[[Tensor], Tensor]:
        """What it answers, int64 [N], to uint8 images [N, C, H, W], after its training."""
        from sklearn.exceptions import ConvergenceWarning

        classifier = self.make(seed % 2**32)
        with warnings.catch_warnings():
            # A solver that is stopped after its steps is a rival, too.
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier.fit(_flat(training.images), training.labels.cpu().numpy())

        def answer(images: Tensor) -> Tensor:
            found = np.asarray(classifier.predict(_flat(images)), dtype=np.int64)
            return torch.from_numpy(found)

        return answer


def _flat(images: Tensor) -> Any:
    return images.cpu().flatten(1).numpy().astype(np.float32) / 255


def _logistic(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=STEPS, random_state=seed)


def _forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(n_estimators=TREES, random_state=seed)


PIXELS = (
    PixelRival(name="logistic regression", words="on pixels", make=_logistic, is_linear=True),
    PixelRival(
        name="random forest", words=f"{TREES} trees on pixels", make=_forest, is_linear=False
    ),
)
