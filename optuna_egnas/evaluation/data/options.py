"""What can be chosen of how a data set is read."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import DataError
from .images import GROUND, check_ground
from .shares import check_fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """How a named data set is read.

    Args:
        root: folder of the published sets' files; default: `data` in the working directory.
        download: fetch a published set into `root` where no copy is found.
        image_size: folder:PATH only; images become so many pixels high and wide; default: 32.
        test_fraction: folder:PATH without a test folder only; the share kept for the test.
        flip: whether a horizontal flip keeps an image's class; default: what the data set says.
        ground: the colour that transparent images are laid on: a name, or #rrggbb.
        skip_broken: folder:PATH only; leave out files that cannot be read, and say so.

    Raises:
        DataError: a value is out of its bounds.

    Examples:
        >>> from optuna_egnas.options import DataOptions
        >>> DataOptions(image_size=64, ground="black").test_fraction
        0.2
    """

    root: str | None = None
    download: bool = False
    image_size: int | None = None
    test_fraction: float = 0.2
    flip: bool | None = None
    ground: str = GROUND
    skip_broken: bool = False

    def __post_init__(self) -> None:
        check_fraction("test_fraction", self.test_fraction)
        check_ground(self.ground)
        if not isinstance(self.skip_broken, bool):
            raise DataError(f"skip_broken must be a bool, found {self.skip_broken!r:.60}")
        size = self.image_size
        if size is not None and not (isinstance(size, int) and size >= 1):
            raise DataError(f"image_size must be an int of at least 1, found {size!r}")
