"""Picture files and PIL images as a viewer shows them, and as tensors of pixels.

A picture is turned upright by its EXIF orientation, laid on one ground where it is transparent,
and brought to 8 bits of gray or colour. Of several frames the first one counts.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import ExifTags, Image, ImageFile
from torch import Tensor

from ..._core.text import reason
from ...errors import DataError
from . import images_0_1 as _images_0_1
from .ground import GROUND, colour_of
from .paths import readable

Size = tuple[int, int]
"""Height and width, in pixels."""

READING = 2
"""How pictures are read since 0.2.0; what stores no `reading` is of reading 1, that of 0.1.0."""
"""What transparent pictures are laid on, unless something else is asked for."""
FIRST_READING = (
    "This {} reads images as version 0.1.0 did: without EXIF orientation and without transparency."
)
"""What commands say of a search or a network of reading 1."""

# Of a damaged file Pillow also writes to its log, which would show on the terminal.
logging.getLogger("PIL").addHandler(logging.NullHandler())

LONGEST = 150
"""Characters of a path in a message."""

_LEFT_OUT = ("EPS", "MPEG")
"""Formats that Pillow recognises, but reads with another program only, or not at all."""
_HIGHEST = {"I": 65535, "I;12": 4095, "F": 1}
"""What is white in modes of more than 8 bits, and in files of 12; black is 0."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""For each EXIF orientation what turns the stored picture upright."""
_KEY_SCALE = {"L;2": 85, "L;4": 17}
"""Pillow spreads these samples over 0..255, but not the transparent one that the file names."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A picture as a viewer shows it: upright, without transparency, gray or colour, 8 bits.

    Args:
        image: of mode L where all its pixels are gray, else of mode RGB.
    """

    image: Image.Image

    @property
    def is_colour(self) -> bool:
        """Whether any pixel has channels that differ."""
        return self.image.mode == "RGB"

    def digest(self) -> bytes:
        """16 bytes that are the same for the same picture in any file format and mode."""
        head = f"{self.image.mode} {self.image.size}".encode()
        return blake2b(head + self.image.tobytes(), digest_size=16).digest()

    def pixels(self, size: Size | None, channels: int) -> Tensor:
        """Uint8 [channels, H, W], 1 (gray) or 3 (colour), resized to `size` where it is given."""
        image = self.image.convert({1: "L", 3: "RGB"}[channels])
        if size is not None:
            image = image.resize(size[::-1], Image.Resampling.BILINEAR)
        values = torch.from_numpy(np.array(image)).reshape(image.height, image.width, channels)
        return values.permute(2, 0, 1)


def check_reading(reading: object, ground: object) -> None:
    """Refuse what `read_image` does not know.

    Raises:
        DataError: there is no such reading, or no such colour.
    """
    if type(reading) is not int or not 1 <= reading <= READING:
        right = f"1 to {READING} in this version of optuna-egnas"
        raise DataError(f"the reading of images must be {right}, found {reading!r:.60}")
    colour_of(ground)


def is_picture(file: Path) -> bool:
    """Whether Pillow recognises a file as a picture, by its content; nothing is decoded.

    Formats that nothing at the head of a file tells are recognised by its ending, too.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _check_regular(file)
            with Image.open(file, formats=readable_formats()) as image:
                return _is_marked(str(image.format)) or _ends_like(file, str(image.format))
    except Image.DecompressionBombError:
        return True
    # Pillow's readers let errors of many kinds through for files of something else.
    except Exception:
        return False


@cache
def readable_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that it reads by itself, "PNG" say, sorted."""
    Image.init()
    stubs = [
        name
        for name, (factory, _) in Image.OPEN.items()
        if isinstance(factory, type) and issubclass(factory, ImageFile.StubImageFile)
    ]
    return tuple(sorted(Image.OPEN.keys() - {*stubs, *_LEFT_OUT}))


def open_picture(file: Path, *, ground: str = GROUND) -> Picture:
    """The picture in a file.

    Raises:
        DataError: the file cannot be read; it is named.
    """
    try:
        _check_regular(file)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=readable_formats()) as image:
                _check_structure(image, [str(each.message) for each in caught])
                return as_picture(image, _place(file), ground=ground)
    except DataError:
        raise
    # Pillow's decoders let errors of many kinds through for damaged files.
    except Exception as error:
        found = f"{_place(file)} ({reason(error)})"
        raise DataError(f"an image file must be readable by Pillow, found {found}") from error


def as_picture(image: Image.Image, place: str, *, ground: str = GROUND) -> Picture:
    """A PIL image as a picture; `place` is what an error calls it.

    Values of 16 bits are divided by 257 and rounded. Those of mode I must be from 0 to 65535,
    too, and those of mode F from 0 to 1.

    Raises:
        DataError: its values are beyond these, or Pillow cannot convert it.
    """
    colour = colour_of(ground)
    if 0 in image.size:
        raise DataError(f"an image must have at least 1 pixel, found {image.size} in {place}")
    try:
        # What turns the samples of a file into values is forgotten once they are read.
        tile = getattr(image, "tile", None)
        raw = tile[0][3] if tile else None
        raw = raw[0] if isinstance(raw, tuple) else raw
        image.load()
        # Before the rest: a TIFF is turned while it is loaded, and then says so.
        turn = _UPRIGHT.get(_orientation(image))
        flat = _flat(image, place, colour, raw)
    except DataError:
        raise
    except Exception as error:
        found = f"{place} ({reason(error)})"
        raise DataError(f"an image must be readable by Pillow, found {found}") from error
    return Picture(image=flat if turn is None else flat.transpose(turn))


def read_image(
    file: Path,
    size: Size,
    channels: int | None = None,
    *,
    reading: int = READING,
    ground: str = GROUND,
) -> Tensor:
    """An image file as uint8 [C, *size]; 1 channel where it is gray, else 3, unless told.

    Raises:
        DataError: it cannot be read; it is named.
    """
    if reading == 1:
        return _images_0_1.read_image(file, size, channels)
    picture = open_picture(file, ground=ground)
    return picture.pixels(size, channels or (3 if picture.is_colour else 1))


def how_files_are_read(reading: int, ground: str) -> str:
    """Return in words what `read_image` does."""
    if reading == 1:
        return "resized (Pillow, bilinear), without EXIF orientation and without transparency"
    return f"turned upright by EXIF, laid on {ground}, resized (Pillow, bilinear)"


def _check_regular(file: Path) -> None:
    """Refuse a pipe, say, which would be waited for without an end."""
    if file.exists() and not (file.is_file() or file.is_dir()):
        raise DataError(f"an image file must be a regular file, found {_place(file)}")


def _place(file: Path) -> str:
    """A file for a message: on one line, of a long path its end."""
    text = readable(str(file))
    return text if len(text) <= LONGEST else f"...{text[-LONGEST:]}"


def _check_structure(image: Image.Image, suspicions: list[str]) -> None:
    """Refuse a TIFF with damaged fields: these say how its pixels lie.

    In other formats, Pillow warns of what does not matter for the pixels, EXIF above all.
    """
    serious = [text for text in suspicions if not text.startswith("Metadata Warning")]
    if image.format == "TIFF" and serious:
        raise OSError(serious[0])


def _is_marked(format: str) -> bool:
    """Whether files of a format begin with something that no others do."""
    return Image.OPEN[format][1] is not None if format in Image.OPEN else True


def _ends_like(file: Path, format: str) -> bool:
    return Image.EXTENSION.get(file.suffix.lower()) == format


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    # A picture can be seen whatever its EXIF is; Pillow lets errors of many kinds through.
    except Exception:
        return 1


def _flat(image: Image.Image, place: str, ground: tuple[int, int, int], raw: Any) -> Image.Image:
    """An image without transparency: of mode L where all is gray, else RGB."""
    shown = _in_bytes(image, place, raw)
    if shown.mode == "RGBA":
        under = Image.new("RGBA", shown.size, ground)
        shown = Image.alpha_composite(under, shown).convert("RGB")
    return shown.convert("L") if shown.mode == "RGB" and not _has_colour(shown) else shown


def _in_bytes(image: Image.Image, place: str, raw: Any) -> Image.Image:
    """An image in 8 bits: of mode RGBA where parts may be transparent, else L or RGB."""
    key = image.info.get("transparency")
    if image.mode[0] in "IF":
        values = np.asarray(image)
        shown = Image.fromarray(_scaled(values, raw if raw in _HIGHEST else image.mode[0], place))
        return _keyed(shown, values, key)
    if image.mode in ("1", "L", "RGB"):
        shown = image.convert("L" if image.mode == "1" else image.mode)
        return _keyed(shown, np.asarray(shown), _key(key, raw))
    if image.mode in ("P", "PA", "LA", "La", "RGBA", "RGBa"):
        return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    return image.convert("RGB")


def _scaled(values: Any, kind: str, place: str) -> Any:
    """Values of a mode of more than 8 bits as uint8."""
    high, least, most = _HIGHEST[kind], values.min(), values.max()
    # Written so that NaN fails, too.
    if not (least >= 0 and most <= high):
        found = f"{least:g} to {most:g} in {place}"
        raise DataError(f"an image of mode {kind} must hold 0 to {high}, found {found}")
    scaled = (
        np.rint(values * 255) if kind == "F" else (values.astype(int) * 255 + high // 2) // high
    )
    return scaled.astype(np.uint8)


def _key(key: Any, raw: Any) -> Any:
    """The transparent colour of an image in the values that its pixels have after loading."""
    if raw == "RGB;16B" and key is not None:
        return tuple(value >> 8 for value in key)
    return key * _KEY_SCALE[raw] if raw in _KEY_SCALE and key is not None else key


def _keyed(shown: Image.Image, values: Any, key: Any) -> Image.Image:
    """An image in mode RGBA, transparent where its values are the key; itself without a key."""
    wanted = (values.shape[2],) if values.ndim == 3 else ()
    if key is None or np.shape(key) != wanted:
        return shown
    differs = values != np.asarray(key)
    visible = differs.any(axis=2) if wanted else differs
    shown = shown.convert("RGBA")
    shown.putalpha(Image.fromarray(visible.astype(np.uint8) * 255))
    return shown


def _has_colour(image: Image.Image) -> bool:
    values = np.asarray(image)
    first = values[..., :1]
    return bool((values[..., 1:] != first).any())
