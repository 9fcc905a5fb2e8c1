"""What the spaces of all searches share: the task, the hard limits, and their JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from ..errors import InvalidSpace
from .architecture import Architecture
from .cost import Shape, count_macs, count_params
from .text import short

POLICIES = ("paper", "sound")
"""Named sets of rules."""
FORMAT = 1
LARGEST_INTEGER = 2**53
"""Beyond it, a whole number is not exact where it is calculated with."""
LARGEST_NUMBER = 1e9
MOST_LAYERS, MOST_CHANNELS, MOST_EPOCHS = 1000, 100_000, 1_000_000
"""Of one network, and of one training: far more than any search needs, and few enough to list."""


class Published(float):
    """The published value of a threshold, which stands where none was given."""

    __slots__ = ()


S = TypeVar("S", bound="Space")


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The task and the limits of a search.

    Args:
        policy: the named set of rules; `paper` is the published one (arXiv 2502.03553), `sound`
            takes coarse steps, equal budgets for equal networks, and a bar above the noise where
            a network is narrowed.
        level: under `sound`, the chance with which a narrower network that is no better would
            pass for better: above 0, at most 0.5 (then any gain passes).
        input_shape: channels, height and width of an image.
        classes: number of classes, at least 2.
        n_valid: number of validation images, where it is known: scores that are fractions are
            then compared as exact counts of right answers, others with a tolerance of 1e-9.
        max_params: no network with more parameters is ever proposed.
        max_macs: no network with more multiply-accumulates per image is ever proposed.
        inherit: where candidates begin with the incumbent's weights, the share of their epochs
            that they are then trained for, above 0, at most 1; None: all are trained from
            scratch. See `inheritance.py`.
    """

    policy: str = "paper"
    level: float = 0.25
    input_shape: Shape = (3, 32, 32)
    classes: int = 10
    n_valid: int | None = None
    max_params: int | None = None
    max_macs: int | None = None
    inherit: float | None = None

    def params(self, architecture: Architecture) -> int:
        """Trainable parameters of a network for this task."""
        return count_params(architecture, self.input_shape, self.classes)

    def macs(self, architecture: Architecture) -> int:
        """Multiply-accumulates of a network for one image of this task."""
        return count_macs(architecture, self.input_shape, self.classes)

    def fits(self, architecture: Architecture, max_params: int | None = None) -> bool:
        """Whether a network respects the limits, and `max_params` (parameters) where given."""
        caps = [cap for cap in (self.max_params, max_params) if cap is not None]
        if caps and self.params(architecture) > min(caps):
            return False
        return self.max_macs is None or self.macs(architecture) <= self.max_macs

    def to_json(self) -> dict[str, Any]:
        """Plain values under the field names, with a version."""
        return {"version": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls: type[S], record: Mapping[str, Any]) -> S:
        """Read what `to_json` wrote; a version or a field that is not known is refused."""
        values = dict(record)
        version = values.pop("version", None)
        if version != FORMAT:
            raise InvalidSpace(f"A stored space must be of version {FORMAT}, but got {version}.")
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise InvalidSpace(f"{cls.__name__} has no field named {unknown[0]!r}.")
        for name, value in values.items():
            values[name] = tuple(value) if isinstance(value, list) else value
        return cls(**values)


def check_shared(space: Space) -> None:
    """Refuse values that are out of bounds in any search."""
    if space.policy not in POLICIES:
        raise InvalidSpace(
            f"`policy` must be one of {', '.join(POLICIES)}, but got {short(space.policy)}."
        )
    check_number("level", space.level)
    if not 0 < space.level <= 0.5:
        raise InvalidSpace(
            f"`level` must be above 0 and at most 0.5, but got level={space.level}."
        )
    if space.inherit is not None:
        check_number("inherit", space.inherit)
        if not 0 < space.inherit <= 1:
            raise InvalidSpace(
                f"`inherit` must be above 0 and at most 1, but got inherit={space.inherit}."
            )
    if len(space.input_shape) != 3:
        raise InvalidSpace(
            f"`input_shape` must be (channels, height, width), but got {short(space.input_shape)}."
        )
    check_integers("input_shape", space.input_shape, at_least=1)
    check_integer("classes", space.classes, at_least=2)
    for name in ("n_valid", "max_params", "max_macs"):
        value = getattr(space, name)
        if value is not None:
            check_integer(name, value, at_least=1)


def check_integer(
    name: str, value: object, *, at_least: int, at_most: int = LARGEST_INTEGER
) -> None:
    """Refuse what is not a whole number, too small or too large."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidSpace(f"`{name}` must be a whole number, but got {name}={short(value)}.")
    if value < at_least:
        raise InvalidSpace(f"`{name}` must be at least {at_least}, but got {name}={short(value)}.")
    if value > at_most:
        raise InvalidSpace(f"`{name}` must be at most {at_most:,}, but got {name}={short(value)}.")


def check_integers(name: str, values: tuple[int, ...], *, at_least: int) -> None:
    """The same for each value of a tuple."""
    for value in values:
        check_integer(name, value, at_least=at_least)


def check_number(name: str, value: object, *, at_least: float = 0.0) -> None:
    """Refuse what is not a finite number, too small or too large."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:
        raise InvalidSpace(f"`{name}` must be a number, but got {name}={short(value)}.")
    if value < at_least:
        raise InvalidSpace(f"`{name}` must be at least {at_least}, but got {name}={short(value)}.")
    if value > LARGEST_NUMBER:
        raise InvalidSpace(
            f"`{name}` must be at most {LARGEST_NUMBER:,.0f}, but got {name}={short(value)}."
        )


def check_smallest_fits(space: Space, smallest: Architecture) -> None:
    """Refuse a space in which nothing fits, with the size of its smallest network."""
    if space.fits(smallest):
        return
    bounds = [
        f"{name}={value:,}"
        for name, value in (("max_params", space.max_params), ("max_macs", space.max_macs))
        if value is not None
    ]
    raise InvalidSpace(
        f"No network fits {' and '.join(bounds)}: the smallest one of this space (depth "
        f"{smallest.depth}, width {smallest.width}) has {space.params(smallest):,} parameters "
        f"and {space.macs(smallest):,} multiply-accumulates."
    )
