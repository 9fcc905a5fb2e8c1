"""How 0.1.0 read image files: without EXIF orientation and transparency, few modes, all alike.

Searches and networks of that version are read so for ever.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .._core.text import reason
from ..errors import DataError

Size = tuple[int, int]
"""Height and width, in pixels."""

_MODES = {"1": "L", "L": "L", "RGB": "RGB", "P": "RGB", "RGBA": "RGB", "CMYK": "RGB"}


def pixels(
    image: Image.Image, place: str, size: Size | None = None, channels: int | None = None
) -> Tensor:
    """A PIL image as uint8 [1, H, W] (grayscale) or [3, H, W] (colour).

    Where they are given, it is resized to `size`, and made grayscale or colour by `channels`, 1
    or 3. Transparency is dropped. A mode of more than 8 bits, or of another kind, is a DataError
    that names `place`.
    """
    mode = _MODES.get(image.mode)
    if mode is None:
        raise DataError(
            f"images must have one of the modes {', '.join(_MODES)}, found {image.mode} in {place}"
        )
    if image.mode == "P":
        # Straight to RGB, Pillow warns about palettes with a transparent colour.
        image = image.convert("RGBA")
    image = image.convert(mode if channels is None else {1: "L", 3: "RGB"}[channels])
    if size is not None:
        image = image.resize(size[::-1], Image.Resampling.BILINEAR)
    values = torch.from_numpy(np.array(image)).reshape(image.height, image.width, -1)
    return values.permute(2, 0, 1)


def read_image(file: Path, size: Size, channels: int | None = None) -> Tensor:
    """An image file as `pixels` has it; one that cannot be read is a DataError that names it."""
    try:
        with warnings.catch_warnings():
            for suspicion in (UserWarning, Image.DecompressionBombWarning):
                warnings.simplefilter("error", suspicion)
            with Image.open(file) as image:
                return pixels(image, str(file), size, channels)
    except DataError:
        raise
    # Pillow's decoders let errors of many kinds through for damaged files.
    except Exception as error:
        found = f"{file} ({reason(error)})"
        raise DataError(f"an image file must be readable by Pillow, found {found}") from error
