"""Chains that a found one is compared with: the largest that fits, and random ones as large."""

from __future__ import annotations

from functools import partial
from random import Random

from .architecture import Architecture
from .bounds import MacroBounds, MicroBounds, largest_chain
from .cost import widest

DRAWS = 5
CLOSE = 0.03
"""Parameters are equal within this fraction."""
TRIES = 4000
"""A space without so many equal chains has fewer of them after so many draws."""


def rivals(
    macro: MacroBounds, micro: MicroBounds, found: Architecture, seed: int
) -> list[tuple[str, Architecture]]:
    """The largest chain that the limits allow, and random chains, none of them twice."""
    largest = largest_chain(macro)
    drawn = random_chains(macro, micro, found, seed)
    numbered = [(f"random network {number}", chain) for number, chain in enumerate(drawn, start=1)]
    return [("largest network that fits", largest), *numbered]


def random_chains(
    macro: MacroBounds, micro: MicroBounds, found: Architecture, seed: int
) -> list[Architecture]:
    """Chains of the whole space with as many parameters as the found one, which is none of them.

    Depth, every operation and every kernel size are uniform; the width is the largest that is not
    too large, and a chain that is then too small is drawn again.
    """
    random, params = Random(f"rivals {seed}"), macro.params(found)
    chains: list[Architecture] = []
    for _ in range(TRIES):
        chain = _drawn(macro, micro, int(params * (1 + CLOSE)), random)
        if chain is None or macro.params(chain) < params * (1 - CLOSE):
            continue
        if chain != found and chain not in chains:
            chains.append(chain)
        if len(chains) == DRAWS:
            break
    return chains


def _drawn(
    macro: MacroBounds, micro: MicroBounds, most: int, random: Random
) -> Architecture | None:
    depth = random.randint(macro.min_depth, macro.max_depth)
    ops = tuple(random.choice(micro.operations) for _ in range(depth))
    kernels = tuple(random.choice(micro.kernels) for _ in range(depth))
    return widest(
        partial(_of_width, ops, kernels),
        lambda chain: macro.params(chain) <= most and macro.fits(chain),
        at_most=macro.max_width,
    )


def _of_width(ops: tuple[str, ...], kernels: tuple[int, ...], width: int) -> Architecture:
    return Architecture(width=width, ops=ops, kernels=kernels)
