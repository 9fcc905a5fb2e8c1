"""What a search will be, read and checked before anything of it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .._core.answers import check_begins
from .._core.method import DEFAULT, method
from .._core.problem import Space
from .._core.recipe import Recipe
from .._core.text import short
from ..errors import SearchError
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
from ..evaluation.engine.precision import AUTO, check_precision
from ..options import SearchOptions
from .identity import asked_recipes, decided_recipe, reading_of
from .same import check_same_method

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from .._storage.link import Link


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
        """What was found in a folder, for a person; nothing of other data."""
        survey, names = self.content.survey, self.content.class_names
        if survey is None:
            return ()
        train, valid = len(self.training.labels), len(self.validation.labels)
        counts = f"{train:,} images to train on, {valid:,} to validate on, {survey.n_test:,} for"
        first = f"{counted(len(names), 'class', 'classes')} ({named(names)}): {counts} the test."
        return first, *survey.lines()

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
    stored: Callable[[str], Link | None] = lambda _: None,
) -> Plan:
    """Read the data and check everything; for the arguments and the errors see `search`.

    `stored` knows what a search of a name has stored, if it is there: it keeps its method and its
    policy, the way its images are read, and the name of its folder however that is spelt now.
    """
    where = choose_device(device)
    check_precision(options.precision, where)
    name = name or default_name(data)
    link = stored(name)
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
    kept = None if link is None else link.space.policy
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
    kept: str | None = None,
) -> dict[str, Space]:
    """The spaces of a search on these data; `counts`: of training and of validation images.

    `kept` is the policy of a search that is there: it stays where the options name none.
    """
    n_train, n_valid = counts
    given = options.given()
    named = any("policy" in fields for fields in given.values())
    if not named and kept is not None:
        given = options.with_fields(policy=kept).given()
    of = method(options.method or DEFAULT)
    size = "quick" if content.name == "digits" else "full"
    # A method need not have both.
    size = size if size in of.profiles else next(iter(of.profiles), size)
    spaces = of.spaces(
        {
            "input_shape": content.input_shape,
            "classes": content.classes,
            "n_valid": n_valid,
            "n_train": n_train,
        },
        profile=options.profile or size,
        given=given,
        inherit=options.inherit,
    )
    spaces = {role: space.with_seed(options.seed) for role, space in spaces.items()}
    check_begins(spaces[of.roles[0].name])
    return spaces


def choose_device(device: str) -> torch.device:
    """The device of this name; `auto` takes CUDA, else Apple's MPS, else the CPU."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen).cpu()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise SearchError(
            "`device` must be auto or one that torch can use here, "
            f"but got {short(device)}: {reason}"
        ) from None
    return chosen


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
