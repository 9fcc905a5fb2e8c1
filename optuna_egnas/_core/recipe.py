"""How a network is trained: the optimizer, the learning rate, the augmentation, the precision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from ..errors import InvalidSpace
from .commands import PRECISION
from .declared import check_options, documented, option, options_of, shared
from .network import Shape

Precision = Literal["fp32", "bf16"]
Optimizer = Literal["sgd", "adamw"]
Decay = Literal["all", "weights"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
FP32: Precision = "fp32"
SGD: Optimizer = "sgd"
ONE_CYCLE = 0.3
"""Share of the steps in which the rate of a one-cycle schedule rises."""
SMALLEST_CROPPED_SIDE = 16

LATER = frozenset(
    ("warmup", "label_smoothing", "optimizer", "nesterov", "decay", "turn", "brightness")
)
"""Fields that the first stored recipes do not have; their defaults are what was done then."""
SMALL = ((4_000, 16), (20_000, 32))
"""Below so many training images, so many are in a batch."""
LARGEST = 1e30
"""The largest rate and the largest norm; larger ones act as infinite ones do."""


@documented
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is trained: the optimizer, a cosine schedule per step, the augmentation.

    `for_images` gives the published augmentation; by default there is none.

    Raises:
        InvalidSpace: a value is out of its bounds.

    Examples:
        >>> from optuna_egnas.options import Recipe
        >>> recipe = Recipe.for_images((3, 32, 32), flip=True)
        >>> recipe.flip, recipe.learning_rate, Recipe(learning_rate=0.05).flip
        (True, 0.025, False)
    """

    optimizer: Optimizer = option(
        SGD, help="sgd, with momentum, or adamw (arXiv 1711.05101), whose first beta is `momentum`"
    )
    learning_rate: float = option(
        0.025,
        help="the highest rate, which is that of the first step unless there is `warmup`",
        above=0,
        at_most=LARGEST,
    )
    warmup: float = option(
        0.0,
        help="share of the steps, from the first one on, in which the rate rises linearly",
        at_least=0,
        below=1,
    )
    momentum: float = option(
        0.9, help="share of its last change that each weight keeps", at_least=0, below=1
    )
    nesterov: bool = option(False, help="Nesterov's momentum; of sgd only")
    weight_decay: float = option(
        3e-4, help="of the parameters that `decay` names", at_least=0, at_most=LARGEST
    )
    decay: Decay = option(
        "all", help="what decays: all parameters, or weights only: no biases, no batch norms"
    )
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
    turn: float = option(
        0.0,
        help="largest angle in degrees by which an image is turned, either way",
        at_least=0,
        at_most=180,
    )
    brightness: float = option(
        0.0,
        help="pixels are multiplied by a number from 1 less this to 1 more this",
        at_least=0,
        at_most=1,
    )
    label_smoothing: float = option(
        0.0,
        flag="--label-smoothing",
        help="share of each label that is spread evenly over all classes, such as 0.1",
        default="0; in a final training that of the search",
        at_least=0,
        below=1,
    )
    precision: Precision = shared(
        FP32, PRECISION, default="fp32; in a final training that of the search"
    )

    @staticmethod
    def read_fields(texts: Iterable[str]) -> dict[str, Any]:
        """Read fields that are given as `NAME=VALUE`, as on the command line.

        Raises:
            InvalidSpace: a text is no NAME=VALUE, a field is unknown, or a value of another type.
        """
        known = {each.name: each for each in options_of(Recipe)}
        given = {}
        for text in texts:
            name, equals, value = text.partition("=")
            if not equals:
                raise InvalidSpace(f"A field of the recipe must be NAME=VALUE, but got {text!r}.")
            if name not in known:
                raise InvalidSpace(
                    f"A field of the recipe must be one of {', '.join(known)}, but got {name!r}."
                )
            given[name] = known[name].read_text(value)
        return given

    def __post_init__(self) -> None:
        check_options(self)
        if self.nesterov and (self.optimizer != SGD or not self.momentum):
            raise InvalidSpace(
                "`nesterov` must be false unless the optimizer is sgd with a momentum above 0, "
                f"but got nesterov=True, optimizer={self.optimizer}, momentum={self.momentum:g}."
            )

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

    @classmethod
    def suited(cls, input_shape: Shape, *, n_train: int, flip: bool) -> Recipe:
        """What suits so many images of this size: AdamW, one cycle, and batches by their number.

        Batches are of 16 images below 4,000, of 32 below 20,000, else of 64, so that few images
        make enough steps. The report of `studies/recipes` says how far this is measured.
        """
        side = min(input_shape[1:])
        return cls(
            optimizer="adamw",
            learning_rate=0.01,
            warmup=ONE_CYCLE,
            weight_decay=0.01,
            decay="weights",
            batch_size=cls.batch_for(n_train),
            crop_padding=0 if side < SMALLEST_CROPPED_SIDE else round(side / 14),
            flip=flip,
            label_smoothing=0.1,
        )

    @staticmethod
    def batch_for(n_train: int) -> int:
        """Images in a batch, by the number of training images; see `suited`."""
        return next((batch for most, batch in SMALL if n_train < most), 64)

    def for_short_training(self) -> Recipe:
        """Leave crops out: in few epochs they cost more than they bring."""
        return replace(self, crop_padding=0)

    def to_json(self) -> dict[str, Any]:
        """Plain values by field; fields that came after 0.1.0 only where they are not as then."""
        # As before there were any: they make no other search, and no other checkpoint.
        return {
            each.name: value
            for each in fields(self)
            if (value := getattr(self, each.name)) != each.default or each.name not in LATER
        }
