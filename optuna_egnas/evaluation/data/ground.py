"""The colour that transparent images are laid on."""

from __future__ import annotations

from ...errors import DataError

GROUND = "white"


def colour_of(ground: object) -> tuple[int, int, int]:
    """Red, green and blue from 0 to 255 of an opaque colour that Pillow knows by this name.

    Raises:
        DataError: it is none.
    """
    from PIL import ImageColor

    try:
        red, green, blue, *alpha = ImageColor.getrgb(str(ground))
    except ValueError:
        red, green, blue, *alpha = -1, -1, -1
    known = isinstance(ground, str) and all(0 <= value <= 255 for value in (red, green, blue))
    if not known or alpha not in ([], [255]):
        right = "an opaque colour such as white, #808080 or rgb(0,0,0)"
        raise DataError(f"ground must be {right}, found {str(ground)!r:.60}")
    return red, green, blue
