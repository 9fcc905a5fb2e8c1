"""A search's data and recipe as it stores them, and found again: for another worker, say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from .._core.history import History
from .._core.method import DEFAULT, method
from .._core.proposal import Done
from .._core.recipe import FP32, Recipe
from .._core.rules import UNREADABLE
from .._core.text import clipped
from .._storage.link import Link, find_search, read_places
from .._storage.opening import open_storage
from ..errors import InvalidSpace, SearchError
from ..evaluation.data.ground import GROUND
from ..evaluation.data.images import READING
from ..evaluation.data.labelled import DATASETS, LabelledImages, load_training, split
from ..evaluation.data.options import DataOptions
from ..evaluation.engine.precision import AUTO, faster_precision

if TYPE_CHECKING:
    import torch
    from optuna.storages import BaseStorage

    from .._core.problem import Space
    from ..evaluation.data.labelled import TrainingData
    from ..options import SearchOptions
    from .studies import LinkedStudies


RECIPE = "recipe "
"""What the recipe's fields begin with among those of the data set."""
FINAL_RECIPE = "final recipe "
"""What the fields begin with in which a final training differs."""
READING_KEY, GROUND_KEY = "reading", "ground"
SKIP_BROKEN = "skip_broken"
"""Among the places of a search, where it was asked to leave out files that cannot be read."""


def stored_links(storage: str | BaseStorage | None, name: str) -> dict[str, Link]:
    """What the search of this name has stored, by role; empty where none can be read yet."""
    try:
        found = find_search(open_storage(storage, create=False), name)
    except SearchError:
        return {}  # who opens the storage to write there says what is wrong with it
    return {role: link for role, (_, link) in found.items()}


def reading_of(link: Link | None) -> int:
    """How the images of a search are read and divided: 1 is how version 0.1.0 did it.

    Raises:
        SearchError: a later version has begun the search, and reads them otherwise.
    """
    stored = READING if link is None else link.dataset.get(READING_KEY, 1)
    if link is not None and stored not in range(1, READING + 1):
        raise SearchError(
            f"The images of {link.name!r} must be read as this version can, 1 to {READING}, "
            f"but it was begun with reading {stored!r}."
        )
    return int(stored)


def reading_note(link: Link) -> str:
    """One line on a search that is read as an older version did; empty for others."""
    if not (link.dataset and reading_of(link) == 1):
        return ""
    return (
        f"{link.name!r} was begun by version 0.1.0: its images are read and divided as that "
        "version did it."
    )


def stored_images(
    studies: LinkedStudies, root: str | None = None
) -> tuple[LabelledImages, LabelledImages]:
    """The training and the validation images of a search, found again and divided again.

    `root` is the folder of the data sets' files here; default: where they were at first.

    Raises:
        SearchError: the search does not store where its data are from, or they have changed.
        DataError: the data are not there.
    """
    return stored_split(studies.link, stored_training(studies, root))


def stored_training(
    studies: LinkedStudies, root: str | None = None, *, skip_broken: bool = False
) -> TrainingData:
    """The training data of a search, found again; arguments and errors as `stored_images`.

    `skip_broken` leaves out files that cannot be read, also where the search did not.
    """
    name, options = stored_source(studies, root)
    options = replace(options, skip_broken=skip_broken or options.skip_broken)
    return load_training(name, options, reading=reading_of(studies.link))


def stored_test(
    studies: LinkedStudies,
    root: str | None = None,
    *,
    training: TrainingData | None = None,
    skip_broken: bool = False,
) -> LabelledImages:
    """The test images of a search, which only its final trainings' tests may see.

    `training` is its training data, which are read for this where they are not given.

    Raises:
        SearchError: the search does not store where its data are from.
        DataError: the data are not there.
    """
    # Here, not above: nothing that a search loads can read test images.
    from ..evaluation.data.held_out import load_test

    name, options = stored_source(studies, root)
    options = replace(options, skip_broken=skip_broken or options.skip_broken)
    return load_test(name, options, reading=reading_of(studies.link), training=training)


def stored_source(studies: LinkedStudies, root: str | None = None) -> tuple[str, DataOptions]:
    """Return where the data of a search are from; `root` as for `stored_images`.

    Raises:
        SearchError: the search does not store it.
    """
    link = studies.link
    name = str(link.dataset.get("dataset", ""))
    if name not in DATASETS and not name.startswith("folder:"):
        raise SearchError(
            f"The search {link.name!r} does not store where its data are: they were given as "
            f"{name or 'an objective of their own'}, and it stores the place of named data only."
        )
    # Without a fingerprint they are the user's own words, which need not be what they seem.
    said = link.dataset if "fingerprint" in link.dataset else {}
    places = read_places(studies.first)
    return name, DataOptions(
        root=root or places.get("data"),
        image_size=said.get("image_size"),
        test_fraction=said.get("test_fraction", DataOptions().test_fraction),
        ground=said.get(GROUND_KEY, GROUND),
        skip_broken=SKIP_BROKEN in places,
    )


def stored_split(link: Link, content: TrainingData) -> tuple[LabelledImages, LabelledImages]:
    """The training data of a search, divided again into training and validation images.

    Raises:
        SearchError: they are not those of the search, or it was given none.
    """
    if "fingerprint" not in link.dataset:
        raise SearchError(
            f"The search {link.name!r} must have been given images, "
            "but its objective was its user's own."
        )
    if content.fingerprint() != link.dataset["fingerprint"]:
        raise SearchError(
            f"The data of {link.name!r} must have the fingerprint {link.dataset['fingerprint']}, "
            f"but {content.name} now has {content.fingerprint()}."
        )
    return split(
        content,
        valid_fraction=link.dataset["valid_fraction"],
        seed=link.seed,
        subset=link.dataset["subset"],
    )


def stored_recipe(link: Link) -> Recipe:
    """How the candidates of a search are trained."""
    return recipe_from(link.dataset)


def recipe_from(dataset: Mapping[str, Any]) -> Recipe:
    """The recipe among the values that identify a search's data and training."""
    return read_recipe(_fields_under(RECIPE, dataset))


def read_recipe(fields: Mapping[str, Any]) -> Recipe:
    """The recipe with these fields, as they are stored.

    Raises:
        SearchError: this version knows no such recipe.
    """
    try:
        return Recipe(**fields)
    except (InvalidSpace, *UNREADABLE) as error:
        reason = clipped(str(error), 200)
        raise SearchError(f"A stored recipe must be one of this version, but: {reason}") from None


def final_recipe(link: Link) -> Recipe:
    """How the network that a search finds is trained for good, unless options say otherwise."""
    return read_recipe(
        {**stored_recipe(link).to_json(), **_fields_under(FINAL_RECIPE, link.dataset)}
    )


def asked_recipes(
    content: TrainingData,
    options: SearchOptions,
    spaces: Mapping[str, Space],
    n_train: int,
    link: Link | None,
) -> tuple[Recipe, Recipe]:
    """How the candidates are trained, and how what is found, by these options.

    A search that is there keeps its own recipes but for what the options say.
    """
    policy = next(iter(spaces.values())).policy
    if link is None:
        recipes = method(options.method or DEFAULT).recipes(
            policy, input_shape=content.input_shape, n_train=n_train, flip=content.flip
        )
    else:
        recipes = stored_recipe(link), final_recipe(link)
    given = dict(options.recipe)
    if options.precision != AUTO:
        given = {"precision": options.precision, **given}
    candidates, final = (replace(recipe, **given) for recipe in recipes)
    return candidates, final


def identity(
    content: TrainingData, options: SearchOptions, recipes: tuple[Recipe, Recipe], n_train: int
) -> dict[str, Any]:
    """What tells this search's data and training from others, flat, as plain values."""
    recipe, final = (asdict(each) for each in recipes)
    otherwise = {name: value for name, value in final.items() if value != recipe[name]}
    data = {
        "dataset": content.name,
        "fingerprint": content.fingerprint(),
        "n_train": n_train,
        "valid_fraction": options.valid_fraction,
        "subset": options.subset,
        "image_size": options.data.image_size,
        "test_fraction": options.data.test_fraction,
        "deterministic": options.deterministic,
    }
    if content.reading > 1:
        data |= {READING_KEY: content.reading, GROUND_KEY: options.data.ground}
    return {
        **data,
        **_recipe_fields(recipes[0]),
        **{f"{FINAL_RECIPE}{name}": value for name, value in otherwise.items()},
    }


def decided_recipe(
    link: Link | None,
    options: SearchOptions,
    space: Space,
    recipe: Recipe,
    device: torch.device,
) -> dict[str, Any]:
    """The precision of a search: the stored one, else what is faster here."""
    if link is not None:
        precision = stored_recipe(link).precision
    elif options.deterministic:
        precision = FP32
    else:
        first = space.follow(History()).next
        assert not isinstance(first, Done), "`check_begins` has refused it"
        precision = faster_precision(
            space, first.candidate.architecture, recipe=recipe, device=device
        )
    return _recipe_fields(replace(recipe, precision=precision))


def _fields_under(prefix: str, dataset: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key.removeprefix(prefix): value for key, value in dataset.items() if key.startswith(prefix)
    }


def _recipe_fields(recipe: Recipe) -> dict[str, Any]:
    """A recipe among what tells searches apart; searches from before `precision` were fp32."""
    fields = recipe.to_json()
    if recipe.precision == FP32:
        del fields["precision"]
    return {f"{RECIPE}{key}": value for key, value in fields.items()}
