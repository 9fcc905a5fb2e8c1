"""From the words of the command line to the options of a search."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import SearchError

if TYPE_CHECKING:
    from .options import SearchOptions

STORAGE = "sqlite:///egnas.db"
Storage = Annotated[
    str, typer.Option(help="Where the search is kept: a SQLAlchemy URL.", show_default=True)
]
Workers = Annotated[
    int,
    typer.Option(help="Worker processes; each gets a GPU of its own, or a share of the cores."),
]
Simulated = Annotated[
    int | None,
    typer.Option("--workers", help="Simulate so many workers: how much faster are they than one?"),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def read_arguments(data: str) -> tuple[str, str | None, SearchOptions]:
    # Here, since they load torch: `egnas --help` need not.
    from ._study_file import read_study_file
    from .options import SearchOptions

    if not data.endswith(".toml") or data.startswith("folder:"):
        return data, None, SearchOptions()
    file = read_study_file(Path(data))
    return file.dataset, file.name, file.options


def changed_options(
    options: SearchOptions,
    *,
    plain: dict[str, Any],
    data: dict[str, Any],
    macro: dict[str, Any],
) -> SearchOptions:
    """The options with those of the command line, where they were given."""
    return replace(
        options,
        data=replace(options.data, **_given(data)),
        macro={**options.macro, **_given(macro)},
        **_given(plain),
    )


def checked_name(name: str) -> str:
    """A name as it was given; an empty one does not stand for the default."""
    if not name.strip():
        raise SearchError(f"A search must have a name that can be seen, but got {name!r}.")
    return name


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
