"""From the words of the command line to the options of a search."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .._core.commands import (
    DEVICE,
    FROM_FILE,
    GIVEN_NAME,
    JSON,
    NAMED_NETWORK,
    ONLY_NAME,
    RECIPE_FIELD,
    SEED,
    STORAGE,
    YES,
)
from ..errors import SearchError
from ..evaluation.data.paths import readable
from ._declared import told, typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..options import SearchOptions
    from ._declared import Chosen


def complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """For shell completion: the names of the searches in the storage. Never raises."""
    with suppress(Exception):
        from .._storage.link import search_names
        from .._storage.opening import open_storage

        opened = open_storage(ctx.params.get("storage") or STORAGE.default, create=False)
        return [name for name in search_names(opened) if name.startswith(incomplete)]
    return []


Storage = Annotated[str, typed(STORAGE)]
Name = Annotated[str | None, typer.Argument(help=told(ONLY_NAME), autocompletion=complete_name)]
GivenName = Annotated[str, typer.Argument(help=told(GIVEN_NAME), autocompletion=complete_name)]
Device = Annotated[str, typed(DEVICE)]
RecipeFields = Annotated[list[str] | None, typed(RECIPE_FIELD)]
Seed = Annotated[int | None, typed(SEED)]
NetworkName = Annotated[str | None, typed(NAMED_NETWORK)]
FromFile = Annotated[Path | None, typed(FROM_FILE)]
Json = Annotated[bool, typed(JSON)]
Yes = Annotated[bool, typed(YES, "-y")]


def read_arguments(data: str) -> tuple[str, str | None, SearchOptions]:
    from .._search.study_file import read_study_file
    from ..options import SearchOptions

    if not data.endswith(".toml") or data.startswith("folder:"):
        return data, None, SearchOptions()
    file = read_study_file(Path(data))
    return file.dataset, file.name, file.options


def changed_options(
    options: SearchOptions,
    chosen: Chosen,
    known: Callable[[SearchOptions], SearchOptions] = lambda options: options,
) -> SearchOptions:
    """The options with those of the command line, where they were given.

    `known` is asked for their method where fields of its spaces are among them.
    """
    from ..options import DataOptions, SearchOptions

    data = replace(options.data, **chosen.of(DataOptions))
    changed = replace(options, data=data, **chosen.of(SearchOptions))
    fields = chosen.of_spaces()
    return known(changed).with_fields(**fields) if fields else changed


def checked_name(name: str) -> str:
    """Return a name that any storage can hold; an empty one is refused."""
    if not name.strip():
        raise SearchError(f"The name must not be blank, but got {name!r}.")
    return readable(name)
