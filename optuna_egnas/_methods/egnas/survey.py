"""What a space holds before anything is trained: sizes of its networks, and how many fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from .architecture import Architecture
from .bounds import MacroBounds

AXIS = 24
"""Most depths and widths that are counted, evenly spaced where there are more."""


class Sized(NamedTuple):
    """One network and what it costs; multiply-accumulates per image."""

    depth: int
    width: int
    params: int
    macs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceSurvey:
    """The chains of a macro space, limits aside: the smallest, the median, the largest.

    `networks` counts them all; `share` is that of those within the limits. Ordered by parameters.
    """

    networks: int
    smallest: Sized
    median: Sized
    largest: Sized
    share: float

    def lines(self) -> list[str]:
        """The lines that a person reads."""
        fit = f", {100 * self.share:.0f} % of them fit the limits" if self.share < 1 else ""
        listed = (
            ("smallest", self.smallest),
            ("median", self.median),
            ("largest", self.largest),
        )
        return [
            f"Space: {self.networks:,} chains{fit}; "
            "then operations and kernel sizes, layer by layer.",
            *(f"  {name:9}{_size(sized)}" for name, sized in listed),
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values under the field names."""
        sized = {name: getattr(self, name)._asdict() for name in ("smallest", "median", "largest")}
        return {"networks": self.networks, **sized, "share": round(self.share, 4)}


def survey(space: MacroBounds) -> SpaceSurvey:
    """Look at the chains of a space; of many, at an even grid of them."""
    depths = range(space.min_depth, space.max_depth + 1)
    widths = range(space.min_width, space.max_width + 1)
    chains = [
        Architecture.chain(depth=depth, width=width)
        for depth in _even(depths)
        for width in _even(widths)
    ]
    sized = sorted((_sized(space, chain) for chain in chains), key=lambda each: each.params)
    return SpaceSurvey(
        networks=len(depths) * len(widths),
        smallest=sized[0],
        median=sized[len(sized) // 2],
        largest=sized[-1],
        share=sum(map(space.fits, chains)) / len(chains),
    )


def _sized(space: MacroBounds, chain: Architecture) -> Sized:
    return Sized(chain.depth, chain.width, space.params(chain), space.macs(chain))


def _size(sized: Sized) -> str:
    return (
        f"depth {sized.depth:3}, width {sized.width:3}: {sized.params:>11,} parameters, "
        f"{sized.macs:>15,} multiply-accumulates"
    )


def _even(values: range) -> list[int]:
    """The values, or so many of them, both ends among them."""
    if len(values) <= AXIS:
        return list(values)
    return [values[round(index * (len(values) - 1) / (AXIS - 1))] for index in range(AXIS)]
