"""How a network is trained: the optimizer, the learning rate, the augmentation, the precision."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from .declared import check_options, documented, option
from .network import Shape

Precision = Literal["fp32", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
FP32: Precision = "fp32"
SMALLEST_CROPPED_SIDE = 16

LARGEST = 1e30
"""Of rates and norms: beyond it, they are no more than infinite."""


@documented
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is trained: SGD with a cosine schedule per step, and the augmentation.

    `for_images` gives the published augmentation; by default there is none.

    Raises:
        InvalidSpace: a value is out of its bounds.

    Examples:
        >>> from optuna_egnas.options import Recipe
        >>> recipe = Recipe.for_images((3, 32, 32), flip=True)
        >>> recipe.flip, recipe.learning_rate, Recipe(learning_rate=0.05).flip
        (True, 0.025, False)
    """

    learning_rate: float = option(
        0.025,
        help="the highest rate: that of the first step, but for `warmup`",
        above=0,
        at_most=LARGEST,
    )
    warmup: float = option(
        0.0,
        help="the rate rises in a straight line in this share of the steps, the first ones",
        at_least=0,
        below=1,
    )
    momentum: float = option(
        0.9, help="share of its last change that each weight keeps", at_least=0, below=1
    )
    weight_decay: float = option(3e-4, help="of all parameters alike", at_least=0, at_most=LARGEST)
    batch_size: int = option(
        64,
        help="images in a batch; a last batch of one image is left out",
        at_least=2,
        at_most=2**20,
    )
    gradient_clip: float = option(
        5.0, help="largest norm of all gradients together", above=0, at_most=LARGEST
    )
    crop_padding: int = option(
        0,
        help="pixels of zeros around an image before a random crop of its own size",
        at_least=0,
        at_most=2**16,
    )
    cutout: int = option(
        0,
        help="side in pixels of a random square that is set to the mean, 0 for none; its centre "
        "is in the image, its border may be cut off",
        at_least=0,
        at_most=2**16,
    )
    flip: bool = option(False, help="mirror half of the images left to right")
    label_smoothing: float = option(
        0.0,
        flag="--label-smoothing",
        help="this share of each label is spread evenly over all classes, 0.1 say",
        default="0; in a final training that of the search",
        at_least=0,
        below=1,
    )
    precision: Precision = option(
        FP32,
        flag="--precision",
        help="fp32, or bf16 for bfloat16 autocast in training and in validation",
        default="fp32; in a final training that of the search",
    )

    def __post_init__(self) -> None:
        check_options(self)

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
