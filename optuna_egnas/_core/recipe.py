"""How a network is trained: the optimizer, the learning rate, the augmentation, the precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from ..errors import InvalidSpace, short
from .network import Shape

Precision = Literal["fp32", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
FP32: Precision = "fp32"
SMALLEST_CROPPED_SIDE = 16

_BOUNDS: tuple[tuple[tuple[str, ...], str, Callable[[Any], bool]], ...] = (
    (("learning_rate", "gradient_clip"), "above 0, at most 1e30", lambda it: 0 < it <= 1e30),
    (("weight_decay",), "at least 0, at most 1e30", lambda it: 0 <= it <= 1e30),
    (("crop_padding", "cutout"), "at least 0, at most 65536", lambda it: 0 <= it <= 2**16),
    (("momentum", "warmup", "label_smoothing"), "at least 0 and below 1", lambda it: 0 <= it < 1),
    (("batch_size",), "at least 2, at most 1048576", lambda it: 2 <= it <= 2**20),
    (("precision",), "one of fp32, bf16", lambda it: it in PRECISIONS),
)
"""Of the fields of a recipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is trained: SGD with a cosine schedule per step, and the augmentation.

    `for_images` gives the published augmentation; by default there is none.

    Args:
        learning_rate: the highest rate, above 0: that of the first step, but for `warmup`.
        warmup: in this share of the steps, the first ones, the rate rises in a straight line;
            at least 0, below 1.
        momentum: at least 0, below 1.
        weight_decay: at least 0, for all parameters alike.
        batch_size: at least 2. A last batch of one image is left out.
        gradient_clip: largest norm of all gradients together, above 0.
        crop_padding: pixels of zeros around an image before a random crop of its own size.
        cutout: side in pixels of a random square that is set to the mean; 0 for none. Its
            centre is in the image, its border may be cut off.
        flip: mirror half of the images left to right.
        label_smoothing: this share of each label is spread evenly over all classes; at least 0,
            below 1.
        precision: fp32, or bf16 for bfloat16 autocast in training and in validation.

    Raises:
        InvalidSpace: a value is out of its bounds.
    """

    learning_rate: float = 0.025
    warmup: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 3e-4
    batch_size: int = 64
    gradient_clip: float = 5.0
    crop_padding: int = 0
    cutout: int = 0
    flip: bool = False
    label_smoothing: float = 0.0
    precision: Precision = FP32

    def __post_init__(self) -> None:
        for names, bound, holds in _BOUNDS:
            for name in names:
                if not holds(getattr(self, name)):
                    value = getattr(self, name)
                    raise InvalidSpace(f"`{name}` must be {bound}, but got {name}={short(value)}.")

    @classmethod
    def for_images(cls, input_shape: Shape, *, flip: bool) -> Recipe:
        """The published recipe (padding 4, cutout 16 at 32 x 32), in proportion to the side.

        Images of a side below 16 pixels are neither cropped nor cut out.
        """
        side = min(input_shape[1:])
        # Digits, 8 x 8, at depth 12: a padding of 1 costs 27 points after 4 epochs, 2 after 12.
        if side < SMALLEST_CROPPED_SIDE:
            return cls(flip=flip)
        return cls(crop_padding=round(side / 8), cutout=round(side / 2), flip=flip)

    def for_few_epochs(self, n_train: int) -> Recipe:
        """The same for a short training: the rate rises high and falls, and no pixel is hidden.

        That is the one-cycle schedule of Smith and Topin (2017). Batches are of 32 images where
        an epoch has less than 100 steps of 64: too few, however the rate goes.
        """
        few = n_train < 100 * 64
        batch_size = min(self.batch_size, 32) if few else self.batch_size
        return replace(
            self,
            learning_rate=0.1,
            warmup=0.3,
            batch_size=batch_size,
            crop_padding=0,
            cutout=0,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, one per field; `warmup` and `label_smoothing` only where there are any."""
        fields = asdict(self)
        # As before there were any: they make no other search, and no other checkpoint.
        for name in ("warmup", "label_smoothing"):
            if not fields[name]:
                del fields[name]
        return fields
