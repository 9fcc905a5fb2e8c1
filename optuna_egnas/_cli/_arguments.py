"""From the words of the command line to the options of a search."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import SearchError
from ..evaluation.data.paths import readable

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..options import SearchOptions
    from ._declared import Chosen

STORAGE = "sqlite:///egnas.db"
Storage = Annotated[
    str, typer.Option(help="Where the search is kept: a SQLAlchemy URL.", show_default=True)
]


def complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """For shell completion: the names of the searches in the storage. Never raises."""
    with suppress(Exception):
        from .._storage.link import search_names
        from .._storage.opening import open_storage

        opened = open_storage(ctx.params.get("storage") or STORAGE, create=False)
        return [name for name in search_names(opened) if name.startswith(incomplete)]
    return []


Name = Annotated[
    str | None,
    typer.Argument(
        help="The search's name; default: the only one there is.", autocompletion=complete_name
    ),
]
Workers = Annotated[
    int,
    typer.Option(help="Worker processes; each gets a GPU of its own, or a share of the cores."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps ...")]
Simulated = Annotated[
    int | None,
    typer.Option("--workers", help="Simulate so many workers: how much faster are they than one?"),
]
Seed = Annotated[
    int | None,
    typer.Option(help="Of several final trainings, that of this seed; default: the lowest."),
]
FromFile = Annotated[
    Path | None,
    typer.Option("--from", help="A trained network's file, instead of a search."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


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
    """A name as any storage can hold it; an empty one does not stand for the default."""
    if not name.strip():
        raise SearchError(f"A search must have a name that can be seen, but got {name!r}.")
    return readable(name)
