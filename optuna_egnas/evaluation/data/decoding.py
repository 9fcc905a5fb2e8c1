"""Image files decoded, each once: a hash of what each shows, and the pixels of those wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..._core.text import clipped, reason
from ...errors import DataError
from .images import open_picture
from .layout import Labelled
from .paths import counted, named
from .published import check_memory

_REASON = 80


class Broken(NamedTuple):
    """A file that cannot be read, and why."""

    file: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoded:
    """Images that could be read, in the order of their files; of some also the pixels.

    Args:
        files, labels, digests: of all N; labels int64 [N].
        colours: whether each has colours, bool [N].
        kept: whether its pixels are here, bool [N].
        pixels: of those kept, uint8 [kept, C, size, size].
        broken: the files that could not be read.
    """

    files: tuple[Path, ...]
    labels: Tensor
    digests: tuple[bytes, ...]
    colours: Tensor
    kept: Tensor
    pixels: Tensor
    broken: tuple[Broken, ...]

    def images(self, wanted: Tensor, channels: int, ground: str) -> Tensor:
        """The images at `wanted` (bool [N]), uint8; those that are not here are read again."""
        rows = self.kept.cumsum(0) - 1
        here = self.pixels[:, :1] if channels == 1 else self.pixels.expand(-1, channels, -1, -1)
        if torch.equal(wanted, self.kept):
            return here.contiguous()
        size = (here.shape[2], here.shape[3])
        found = [
            here[rows[index]]
            if self.kept[index]
            else open_picture(self.files[index], ground=ground).pixels(size, channels)
            for index in wanted.nonzero().flatten().tolist()
        ]
        return torch.stack(found) if found else here[:0].contiguous()


def decode(
    listed: Labelled,
    *,
    size: int,
    ground: str,
    keep: Callable[[bytes], bool],
    channels: int | None = None,
    share: float = 1.0,
) -> Decoded:
    """Decode all files of a list; the pixels are made of those whose digest is to be kept.

    `channels` are those of the pixels; None: 3 if any that is kept has colours, else 1. About this
    `share` of the images will be kept.

    Raises:
        DataError: their pixels would not fit in memory.
    """
    pixels = _Pixels(len(listed.files), share, size, channels)
    good, digests, colours, kept, broken = [], [], [], [], []
    for index, file in enumerate(listed.files):
        try:
            picture = open_picture(file, ground=ground)
        except DataError as error:
            broken.append(Broken(file, _reason(error)))
            continue
        digest = picture.digest()
        wanted = keep(digest)
        if wanted:
            pixels.room_for(colour=picture.is_colour)
            pixels.add(picture.pixels((size, size), pixels.channels))
        good.append(index)
        digests.append(digest)
        colours.append(picture.is_colour)
        kept.append(wanted)
    return Decoded(
        files=tuple(listed.files[index] for index in good),
        labels=torch.tensor([listed.labels[index] for index in good], dtype=torch.int64),
        digests=tuple(digests),
        colours=torch.tensor(colours, dtype=torch.bool),
        kept=torch.tensor(kept, dtype=torch.bool),
        pixels=pixels.filled(),
        broken=tuple(broken),
    )


def check_broken(broken: Sequence[Broken], folder: Path, *, skip: bool) -> None:
    """Refuse files that cannot be read, all of them at once, unless they are to be skipped.

    Raises:
        DataError: there are some.
    """
    if broken and not skip:
        names = named([within(each.file, folder) for each in broken])
        words = counted(len(broken), "that is not", "that are not")
        raise DataError(
            f"every image file must be readable by Pillow, found {words}: {names} "
            f"({broken[0].reason}); --skip-broken (skip_broken=True) leaves them out"
        )


def within(file: Path, folder: Path) -> str:
    """A file's path from its folder on."""
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)


class _Pixels:
    """Rows of pixels that are filled one by one, gray until the first image with colours comes."""

    def __init__(self, most: int, share: float, size: int, channels: int | None) -> None:
        self.expected, self.size, self.count = round(most * share), size, 0
        self.is_open = channels is None
        # Memory that nothing is written to takes no room.
        self.rows = torch.empty((most, channels or 1, size, size), dtype=torch.uint8)

    @property
    def channels(self) -> int:
        return self.rows.shape[1]

    def room_for(self, *, colour: bool) -> None:
        """See to it that an image with or without colours fits."""
        turns = self.is_open and colour and self.channels == 1
        if turns or not self.count:
            channels = 3 if turns else self.channels
            check_memory((self.expected, channels, self.size, self.size))
        if turns:
            rows = torch.empty((len(self.rows), 3, self.size, self.size), dtype=torch.uint8)
            rows[: self.count] = self.rows[: self.count]
            self.rows = rows

    def add(self, image: Tensor) -> None:
        self.rows[self.count] = image
        self.count += 1

    def filled(self) -> Tensor:
        return self.rows[: self.count]


def _reason(error: DataError) -> str:
    cause = error.__cause__
    text = reason(cause) if isinstance(cause, Exception) else str(error)
    return clipped(text, _REASON)


def look_through(listed: Labelled, ground: str) -> Decoded:
    """Decode test images and throw their pixels away: what is left are their digests."""
    return decode(listed, size=1, ground=ground, keep=lambda digest: False)
