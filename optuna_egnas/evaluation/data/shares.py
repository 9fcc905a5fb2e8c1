"""How images are divided into shares: by a hash of what they show, never by their order.

A removed or added image moves no other one, and equal images always stay together.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor

from ..._core.text import short
from ...errors import DataError
from .paths import counted, short_name

_RANGE = 2.0**64


def check_fraction(name: str, value: float) -> None:
    """Refuse what is no share.

    Raises:
        DataError: the value does not lie between 0 and 1.
    """
    if not (isinstance(value, int | float) and 0 < value < 1):
        raise DataError(f"{name} must lie between 0 and 1, both excluded, found {short(value)}")


def digests_of(images: Tensor) -> tuple[bytes, ...]:
    """For each of the uint8 images [N, C, H, W] 16 bytes that equal images share."""
    values = images.flatten(1).contiguous().numpy()
    return tuple(blake2b(row.data, digest_size=16).digest() for row in values)


def drawn(
    digests: Sequence[bytes],
    labels: Tensor,
    names: Sequence[str],
    fraction: float,
    *,
    purpose: str,
    seed: int,
) -> Tensor:
    """Which images [N] belong to a share: those whose hash is among the lowest of all hashes.

    About `fraction` of the images, and at least one of every class on either side: where a class
    has none there, its lowest (or highest) images cross over. `purpose` and `seed` make one draw
    independent of another.

    Raises:
        DataError: a class has no two images that differ.
    """
    places = _places(digests, purpose, seed)
    inside = torch.tensor([places[digest] < fraction for digest in digests], dtype=torch.bool)
    for label in range(len(names)):
        members = (labels == label).nonzero().flatten().tolist()
        groups = sorted({digests[index] for index in members}, key=places.__getitem__)
        if len(groups) < 2:
            right = "at least 2 images that differ, to be divided"
            found = f"{len(groups)} of {counted(len(members), 'image')} of class"
            raise DataError(
                f"every class must have {right}, found {found} {short_name(names[label])}"
            )
        sides = {bool(inside[index]) for index in members}
        if len(sides) == 1:
            crossing = groups[-1] if sides == {True} else groups[0]
            moved = [index for index, digest in enumerate(digests) if digest == crossing]
            inside[moved] = not sides.pop()
    _check_both_sides(inside, labels, names)
    return inside


def lowest(
    digests: Sequence[bytes],
    labels: Tensor,
    names: Sequence[str],
    count: int,
    *,
    least: int,
    seed: int,
) -> Tensor:
    """Sorted indices of `count` images of the lowest hashes, each class in proportion to its size.

    At least `least` of a class are taken, and copies of a class's images after all others.

    Raises:
        DataError: there are not so many images, or too few for `least` of each class.
    """
    low, high = least * len(names), len(labels)
    if not low <= count <= high:
        words = f"{low} ({least} of each class) to {high}"
        raise DataError(f"subset must be {words}, found {count}")
    places = _places(digests, "subset", seed)
    order = torch.empty(len(labels), dtype=torch.float64)
    for label in range(len(names)):
        members = _copies_last((labels == label).nonzero().flatten().tolist(), digests, places)
        # Each class is spread evenly over 0..1, so that any cut takes a like share of each.
        rank = (torch.arange(len(members)).double() + 0.5) / len(members)
        rank[:least] -= 1
        order[members] = rank
    return order.argsort(stable=True)[:count].sort().values


def place_of(digest: bytes, *, purpose: str, seed: int) -> float:
    """A number from 0 to 1 that only the digest, the purpose and the seed decide."""
    key = f"{purpose} {seed}".encode()
    return int.from_bytes(blake2b(digest, digest_size=8, key=key).digest(), "big") / _RANGE


def _places(digests: Sequence[bytes], purpose: str, seed: int) -> dict[bytes, float]:
    return {digest: place_of(digest, purpose=purpose, seed=seed) for digest in {*digests}}


def _copies_last(
    members: list[int], digests: Sequence[bytes], places: dict[bytes, float]
) -> list[int]:
    """Sort indices by their places, with repeated images of one digest at the end."""
    seen: set[bytes] = set()
    repeated = {}
    for index in members:
        repeated[index] = digests[index] in seen
        seen.add(digests[index])
    return sorted(members, key=lambda index: (repeated[index], places[digests[index]]))


def _check_both_sides(inside: Tensor, labels: Tensor, names: Sequence[str]) -> None:
    """Refuse a division that copies under several labels have spoilt."""
    for side in (inside, ~inside):
        counts = torch.bincount(labels[side], minlength=len(names))
        if int(counts.min()) == 0:
            right = "have images on either side of a division"
            emptied = short_name(names[int(counts.argmin())])
            found = f"only copies of other classes' images in {emptied}"
            raise DataError(f"every class must {right}, found {found}")
