"""Bounds of numbers that users give: what is beyond them is refused by its name."""

from __future__ import annotations

from ..errors import InvalidSpace
from .text import short

LARGEST_INTEGER = 2**53
"""Beyond it, a whole number is not exact where it is calculated with."""
LARGEST_NUMBER = 1e9


def check_integer(
    name: str, value: object, *, at_least: int, at_most: int = LARGEST_INTEGER
) -> None:
    """Refuse what is not a whole number, too small or too large.

    Examples:
        >>> from optuna_egnas.methods import check_integer
        >>> check_integer("units", 0, at_least=1)
        Traceback (most recent call last):
        optuna_egnas.errors.InvalidSpace: `units` must be at least 1, but got units=0.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidSpace(f"`{name}` must be a whole number, but got {name}={short(value)}.")
    if value < at_least:
        raise InvalidSpace(f"`{name}` must be at least {at_least}, but got {name}={short(value)}.")
    if value > at_most:
        raise InvalidSpace(f"`{name}` must be at most {at_most:,}, but got {name}={short(value)}.")


def check_integers(name: str, values: tuple[int, ...], *, at_least: int) -> None:
    """Refuse a tuple in which a value is not a whole number, or is too small."""
    for value in values:
        check_integer(name, value, at_least=at_least)


def check_number(name: str, value: object, *, at_least: float = 0.0) -> None:
    """Refuse what is not a finite number, too small or too large.

    Examples:
        >>> from optuna_egnas.methods import check_number
        >>> check_number("share", "all")
        Traceback (most recent call last):
        optuna_egnas.errors.InvalidSpace: `share` must be a number, but got share='all'.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:
        raise InvalidSpace(f"`{name}` must be a number, but got {name}={short(value)}.")
    if value < at_least:
        raise InvalidSpace(f"`{name}` must be at least {at_least}, but got {name}={short(value)}.")
    if value > LARGEST_NUMBER:
        raise InvalidSpace(
            f"`{name}` must be at most {LARGEST_NUMBER:,.0f}, but got {name}={short(value)}."
        )
