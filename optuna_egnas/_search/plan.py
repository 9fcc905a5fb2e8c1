"""What a search will be, read and checked before anything of it is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .._core.answers import check_begins
from .._core.method import DEFAULT, method
from .._core.noise import standard_error
from .._core.problem import Space
from .._core.recipe import Recipe
from .._core.role import TASK
from ..evaluation.data.labelled import (
    LabelledImages,
    TrainingData,
    folder_of,
    load_training,
    name_of,
    split,
)
from ..evaluation.data.paths import counted, named, readable
from ..evaluation.engine.conditions import plain_modes
from ..evaluation.engine.device import choose_device
from ..evaluation.engine.precision import AUTO, check_precision
from ..options import SearchOptions
from .identity import asked_recipes, decided_recipe, reading_of
from .same import check_same_method

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from .._core.method import Method
    from .._storage.link import Link


FEW_VALIDATION_IMAGES = 200
"""With fewer validation images, the start says how coarse their scores are."""
UNEVEN = 2
"""From so many times the images of the smallest class, the start names the largest one."""


def doubt(count: int) -> float:
    """By how much two accuracies near 0.9 on so many images differ by chance, as a fraction."""
    return math.sqrt(2) * standard_error(0.9, count)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """The method; the data, divided; the spaces; how networks are trained, and where.

    `recipe` is that of the candidates, `final_recipe` that of what is found.
    `is_open`: the recipe's precision is still to be decided, once for the whole search.
    """

    name: str
    method: str
    content: TrainingData
    training: LabelledImages
    validation: LabelledImages
    spaces: Mapping[str, Space]
    recipe: Recipe
    final_recipe: Recipe
    is_open: bool
    device: torch.device

    def lines(self) -> tuple[str, ...]:
        """What was found in a folder, and what makes a choice doubtful; nothing of other data."""
        survey, names = self.content.survey, self.content.class_names
        if survey is None:
            return ()
        train, valid = len(self.training.labels), len(self.validation.labels)
        counts = f"{train:,} images to train on, {valid:,} to validate on, {survey.n_test:,} for"
        first = f"{counted(len(names), 'class', 'classes')} ({named(names)}): {counts} the test."
        return first, *survey.lines(), *self._few(), *self._uneven()

    def _few(self) -> Iterator[str]:
        """Say so where one validation image is a large step."""
        count = len(self.validation.labels)
        if count < FEW_VALIDATION_IMAGES:
            yield (
                f"Only {count:,} images validate: one image is {100 / count:.1f} points, and "
                f"scores differ by {100 * doubt(count):.0f} points by chance. More images, or a "
                "larger --valid-fraction, make the choice surer."
            )

    def _uneven(self) -> Iterator[str]:
        """Say so where one class has far more images than another."""
        labels = torch.cat([self.training.labels, self.validation.labels])
        counts = torch.bincount(labels.cpu(), minlength=len(self.content.class_names)).tolist()
        pairs = sorted(zip(counts, self.content.class_names, strict=True))
        (least, few), (most, many) = pairs[0], pairs[-1]
        if most >= UNEVEN * least:
            yield (
                f"The classes are uneven: {most:,} images of {readable(many)}, {least:,} of "
                f"{readable(few)}. Accuracy counts each image alike, so it hides a small class."
            )

    def decided(self, options: SearchOptions, link: Link | None) -> Mapping[str, Any]:
        """What is decided once for a search, given its stored link, if it has one."""
        if not self.is_open:
            return {}
        first = next(iter(self.spaces.values()))
        return decided_recipe(link, options, first, self.recipe, self.device)


@plain_modes()
def plan(
    data: str | Sequence[Any] | Dataset[Any],
    *,
    name: str | None,
    device: str,
    options: SearchOptions,
    stored: Callable[[str], Mapping[str, Link]] = lambda _: {},
) -> Plan:
    """Read the data and check everything; for the arguments and the errors see `search`.

    `stored` knows what a search of a name has stored, by role, if it is there: it keeps its
    method, its spaces and its recipes but for what the options give, the way its images are read,
    and the name of its folder however that is spelt now.
    """
    where = choose_device(device)
    check_precision(options.precision, where)
    name = name or default_name(data)
    links = stored(name)
    link = next(iter(links.values()), None)
    options = with_method(options, link)
    content = load_training(data, options.data, reading=reading_of(link))
    if link is not None:
        content = replace(content, name=_stored_name(content.name, link))
    training, validation = split(
        content,
        valid_fraction=options.valid_fraction,
        seed=options.seed,
        subset=options.subset,
    )
    kept = {role: link.space for role, link in links.items()}
    counts = len(training.labels), len(validation.labels)
    spaces = spaces_of(content, counts, options, kept=kept)
    recipe, final = asked_recipes(content, options, spaces, len(training.labels), link)
    return Plan(
        name=name,
        method=options.method or DEFAULT,
        content=content,
        training=training,
        validation=validation,
        spaces=spaces,
        recipe=recipe,
        final_recipe=final,
        is_open=options.precision == AUTO and "precision" not in options.recipe,
        device=where,
    )


def with_method(options: SearchOptions, link: Link | None) -> SearchOptions:
    """The options with the method of a search that is there, where they name none.

    Raises:
        SearchError: they name another one.
        InvalidSpace: they hold fields that its spaces do not have.
    """
    if link is None:
        return options
    if options.method is not None:
        check_same_method(link, options.method)
    return replace(options, method=link.method)


def spaces_of(
    content: TrainingData,
    counts: tuple[int, int],
    options: SearchOptions,
    *,
    kept: Mapping[str, Space] | None = None,
) -> dict[str, Space]:
    """The spaces of a search on these data; `counts`: of training and of validation images.

    `kept` are those of a search that is there, by role: they stay as they are where the options
    name neither a profile nor a field.
    """
    of, given = method(options.method or DEFAULT), _with_policy(options, kept).given()
    is_kept = options.profile is None and bool(kept) and set(kept or {}) == {*_names(of)}
    if is_kept:
        given = _over(kept or {}, given, inherit=options.inherit is not None)
    n_train, n_valid = counts
    spaces = of.spaces(
        {"input_shape": content.input_shape, "classes": content.classes, "n_valid": n_valid},
        profile=options.profile or default_profile(content, n_train, of),
        given=given,
        inherit=bool(options.inherit),
    )
    if not is_kept:
        spaces = of.adapted(spaces, n_train=n_train, given=given)
    spaces = {role: space.with_seed(options.seed) for role, space in spaces.items()}
    check_begins(spaces[of.roles[0].name])
    return spaces


def _with_policy(options: SearchOptions, kept: Mapping[str, Space] | None) -> SearchOptions:
    """The options with a policy: where they name none, that of the search or of the method."""
    if any("policy" in named for named in options.given().values()):
        return options
    policy = method(options.method or DEFAULT).policy
    for space in (kept or {}).values():
        policy = space.policy
    return options.with_fields(policy=policy) if policy else options


FEW_IMAGES = 5_000
"""Folders with fewer training images are searched in the profile `quick`, unless one is given."""


def default_profile(content: TrainingData, n_train: int, of: Method) -> str:
    """The profile of a search that names none: `quick` for digits and for few images."""
    is_small = folder_of(content.name) is not None and n_train < FEW_IMAGES
    size = "quick" if content.name == "digits" or is_small else "full"
    # A method need not have both.
    return size if size in of.profiles else next(iter(of.profiles), size)


def _names(of: Method) -> Iterator[str]:
    return (role.name for role in of.roles)


def _over(
    kept: Mapping[str, Space], given: Mapping[str, Mapping[str, Any]], *, inherit: bool
) -> dict[str, Mapping[str, Any]]:
    """The fields of stored spaces, with those that are given in their place.

    What is given for the first space alone is left to it, since the others may follow it.
    `inherit`: whether the options say that candidates inherit weights, or that they do not.
    """
    first = next(iter(kept))
    left = {*TASK, *(["inherit"] if inherit else [])}
    over: dict[str, Mapping[str, Any]] = {}
    for role, space in kept.items():
        own = given.get(role, {})
        follows = set() if role == first else set(given.get(first, {})) - set(own)
        stored = {item.name: getattr(space, item.name) for item in fields(space)}
        fields_kept = {name: value for name, value in stored.items() if name not in left | follows}
        over[role] = {**fields_kept, **own}
    return over


def default_name(data: str | Sequence[Any] | Dataset[Any]) -> str:
    """The name of a folder without its path, and of other data their own."""
    called = name_of(data)
    folder = folder_of(called)
    return called if folder is None else readable(_resolved(folder).name) or called


def _resolved(folder: Path) -> Path:
    try:
        return folder.resolve()
    # It is too long, or a link to itself: who opens it says so.
    except (OSError, RuntimeError, ValueError):
        return folder


def _stored_name(name: str, link: Link) -> str:
    """The name of the data, as the search has it if it means the same folder."""
    before = str(link.dataset.get("dataset", ""))
    here, there = folder_of(name), folder_of(before)
    if here is None or there is None or _resolved(here) != _resolved(there):
        return name
    return before
