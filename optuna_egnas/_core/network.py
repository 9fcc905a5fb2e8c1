"""What the package asks of a network, whatever method it is of."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

Shape = tuple[int, int, int]
"""Channels, height and width of one input image."""


class Network(Hashable, Protocol):
    """The plan of a network: a frozen value, equal to another one that builds the same network.

    It holds no weights. Its method reads it back from its JSON form, counts it and builds it.

    Examples:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True, slots=True)
        ... class Perceptron:
        ...     units: int
        ...
        ...     def to_json(self):
        ...         return {"units": self.units}
        >>> Perceptron(8) == Perceptron(8), Perceptron(8).to_json()
        (True, {'units': 8})
    """

    def to_json(self) -> dict[str, Any]:
        """Plain values; none is called `epochs`, `replicate`, `parent` or `phase`."""
