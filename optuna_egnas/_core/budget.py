"""How long a candidate is trained: its epochs, and the learning rate and batch size with them.

Policies:
`paper`     the published attempt counter (arXiv 2502.03553): every attempt trains longer than the
            one before, whether or not that one was accepted, and whatever it looks like;
`cost`      by the network alone: equal networks get equal budgets, see `cost_epochs`;
`constant`  the same for all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import Literal

from ..errors import InvalidSpace
from .text import short

Policy = Literal["paper", "cost", "constant"]
POLICIES: tuple[Policy, ...] = ("paper", "cost", "constant")
DEPTH_EXPONENT, SIZE_EXPONENT = 1.1, -0.4
"""How the epochs that a network needs grow with its depth, and fall with its size."""
LARGEST = 10**18
"""What no network costs; arithmetic holds far beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How one candidate is trained. A cosine schedule ends with the last of `epochs`.

    Args:
        epochs: at least 1.
        learning_rate: rate of the first step, above 0; default: the published one.
        batch_size: images per step, at least 1; default: the published one.

    Raises:
        InvalidSpace: a value is out of its bounds.

    Examples:
        >>> from optuna_egnas import Budget
        >>> Budget(epochs=12)
        Budget(epochs=12, learning_rate=0.025, batch_size=64)
    """

    epochs: int
    learning_rate: float = 0.025
    batch_size: int = 64

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InvalidSpace(
                    f"`{name}` must be a whole number of at least 1, "
                    f"but got {name}={short(value)}."
                )
        if not 0 < self.learning_rate < math.inf:
            raise InvalidSpace(
                "`learning_rate` must be above 0 and finite, "
                f"but got learning_rate={self.learning_rate}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a network costs: layers, trainable parameters, multiply-accumulates per image.

    Raises:
        InvalidSpace: a value is no number from 1 to 1e18.
    """

    depth: int
    params: int
    macs: int

    def __post_init__(self) -> None:
        for name in ("depth", "params", "macs"):
            value = getattr(self, name)
            is_number = isinstance(value, Real)
            if not (is_number and value >= 1):
                raise InvalidSpace(f"`{name}` must be at least 1, but got {name}={short(value)}.")
            if value > LARGEST:
                raise InvalidSpace(
                    f"`{name}` must be at most {LARGEST:.0e}, but got {name}={short(value, 20)}."
                )


REFERENCE = Size(depth=10, params=309_450, macs=49_097_216)
"""The first network of the published search, depth 10 and width 64, for 32 x 32 colour images."""


def cost_epochs(
    *, depth: int, params: int, macs: int, base: int, reference: Size = REFERENCE
) -> int:
    """Epochs by the network alone (policy `cost`): `base` for the `reference`, at least 1.

    A network needs epochs in proportion to depth ** 1.1 * size ** -0.4, where size is the
    geometric mean of its parameters and multiply-accumulates: deeper ones learn slower, larger
    ones faster. Fitted to when the curves of 124 depth and width candidates of five recorded
    searches come within 15 % of their plateau, with a constant for each search: exponents
    1.14 +- 0.10 and -0.42 +- 0.09, R2 0.56 within searches, residual factor 1.22. So early, the
    length of the own budget plays no part (exponent -0.06 +- 0.18); on three of the five sets the
    first epoch is nearly enough, so most of the signal is CIFAR-10's and CIFAR-100's. Parameters
    and multiply-accumulates cannot be separated on these chains, and share one exponent.
    `studies/budgets/fit.py` does it again.

    Raises:
        InvalidSpace: a value is below 1.
    """
    if base < 1:
        raise InvalidSpace(f"`base` must be at least 1, but got base={base}.")
    size = Size(depth=depth, params=params, macs=macs)
    depths = size.depth / reference.depth
    sizes = math.sqrt(size.params / reference.params * size.macs / reference.macs)
    return max(1, round(base * math.pow(depths, DEPTH_EXPONENT) * math.pow(sizes, SIZE_EXPONENT)))


def budget_for(
    policy: Policy, base: Budget, *, size: Size | None, attempt: int, reference: Size = REFERENCE
) -> Budget:
    """The budget of a candidate: `base` is that of the first attempt, or of the `reference`.

    `attempt` counts from 0 (used by `paper`); `size` is needed by `cost` only.

    Raises:
        InvalidSpace: policy `cost` without a size.
    """
    if policy == "constant":
        return base
    if policy == "paper":
        return replace(base, epochs=base.epochs + attempt)
    if size is None:
        raise InvalidSpace("The policy `cost` must know each candidate's size, but got none.")
    epochs = cost_epochs(
        depth=size.depth,
        params=size.params,
        macs=size.macs,
        base=base.epochs,
        reference=reference,
    )
    return replace(base, epochs=epochs)
