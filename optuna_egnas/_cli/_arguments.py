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
    typer.Option(
        "--workers", help="Simulate this number of workers, and print how much faster they are."
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(help="The seed of one of several final trainings; default: the lowest."),
]
FromFile = Annotated[
    Path | None,
    typer.Option("--from", help="The file of a trained network, in place of a search."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def read_arguments(data: str) -> tuple[str, str | None, SearchOptions]:
    from .._search.study_file import read_study_file
    from ..options import SearchOptions

    if not data.endswith(".toml") or data.startswith("folder:"):
        return data, None, SearchOptions()
    file = read_study_file(Path(data))
    return file.dataset, file.name, file.options


def changed_options(options: SearchOptions, chosen: Chosen) -> SearchOptions:
    """The options with those of the command line, where they were given."""
    from ..options import DataOptions, SearchOptions

    data = replace(options.data, **chosen.of(DataOptions))
    changed = replace(options, data=data, **chosen.of(SearchOptions))
    return changed.with_fields(**chosen.of_spaces())


def checked_name(name: str) -> str:
    """Return a name that any storage can hold; an empty one is refused."""
    if not name.strip():
        raise SearchError(f"The name must not be blank, but got {name!r}.")
    return readable(name)
