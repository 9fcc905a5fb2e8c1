"""What can be chosen of how a data set is read."""

from __future__ import annotations

from dataclasses import dataclass

from ..._core.commands import DATA_FOLDER, IN_FOLDER, SKIP_BROKEN
from ..._core.declared import check_options, documented, option, shared
from ...errors import DataError
from .ground import GROUND, colour_of


@documented
@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """How a named data set is read.

    Raises:
        DataError: a value is out of its bounds.

    Examples:
        >>> from optuna_egnas.options import DataOptions
        >>> DataOptions(image_size=64, ground="black").test_fraction
        0.2
    """

    root: str | None = shared(None, DATA_FOLDER, default=IN_FOLDER)
    download: bool = option(
        False,
        flag="--download/--no-download",
        help="fetch a published data set into that folder if it is missing",
    )
    image_size: int | None = option(
        None,
        flag="--image-size",
        help="height and width, in pixels, of the images of folder:PATH",
        default="32",
        at_least=1,
    )
    test_fraction: float = option(
        0.2,
        flag="--test-fraction",
        help="share of the images of folder:PATH kept for the test where it has no test folder",
        above=0,
        below=1,
    )
    flip: bool | None = option(
        None,
        help="whether an image mirrored left to right keeps its class",
        default="what the data set says",
    )
    ground: str = option(
        GROUND,
        flag="--ground",
        help="the colour that transparent images are laid on: a name, or #rrggbb",
    )
    skip_broken: bool = shared(False, SKIP_BROKEN)

    def __post_init__(self) -> None:
        check_options(self, DataError)
        colour_of(self.ground)
