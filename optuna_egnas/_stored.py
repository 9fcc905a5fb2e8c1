"""A search's data and recipe, from what it stores: for another worker, or for a second look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._link import Link, read_places
from .errors import SearchError
from .evaluation._data import DATASETS, DataOptions, LabelledImages, load_training, split
from .evaluation._training import Recipe

if TYPE_CHECKING:
    from ._linked import LinkedStudies

RECIPE = "recipe "
"""Under what the recipe's fields stand among those of the data set."""


def stored_images(
    studies: LinkedStudies, root: str | None = None
) -> tuple[LabelledImages, LabelledImages]:
    """The training and the validation images of a search, found again and divided again.

    `root` is the folder of the data sets' files here; default: where they were at first.

    Raises:
        SearchError: the search does not store where its data are from, or they have changed.
        DataError: the data are not there.
    """
    link = studies.link
    name = str(link.dataset.get("dataset", ""))
    if name not in DATASETS and not name.startswith("folder:"):
        raise SearchError(
            f"The data of {link.name!r} cannot be found again from what is stored: they "
            f"were given as {name or 'an objective of their own'}, and only named data are stored."
        )
    options = DataOptions(
        root=root or read_places(studies.macro).get("data"),
        image_size=link.dataset["image_size"],
        test_fraction=link.dataset["test_fraction"],
    )
    content = load_training(name, options)
    if content.fingerprint() != link.dataset["fingerprint"]:
        raise SearchError(
            f"The data of {link.name!r} must have the fingerprint {link.dataset['fingerprint']}, "
            f"but {name} now has {content.fingerprint()}."
        )
    return split(
        content,
        valid_fraction=link.dataset["valid_fraction"],
        seed=link.seed,
        subset=link.dataset["subset"],
    )


def stored_recipe(link: Link) -> Recipe:
    """How the networks of a search are trained."""
    fields = {
        key.removeprefix(RECIPE): value
        for key, value in link.dataset.items()
        if key.startswith(RECIPE)
    }
    return Recipe(**fields)
