"""From the words of the command line to the options of a search."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import SearchError
from .evaluation._paths import readable

if TYPE_CHECKING:
    from .options import SearchOptions

STORAGE = "sqlite:///egnas.db"
Storage = Annotated[
    str, typer.Option(help="Where the search is kept: a SQLAlchemy URL.", show_default=True)
]


def complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """For shell completion: the names of the searches in the storage. Never raises."""
    with suppress(Exception):
        from ._link import search_names
        from ._storage import open_storage

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
CheckpointEvery = Annotated[
    float | None,
    typer.Option(help="Seconds between two checkpoints, at least; default: 10."),
]
StaleAfter = Annotated[
    float | None,
    typer.Option(
        help="Seconds of silence after which a worker on another machine counts as dead, "
        "where the storage has no heartbeat; default: 900."
    ),
]
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

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def read_duration(text: str | None) -> float | None:
    """Seconds of "90", "90s", "30m", "2h", "1h30m" or "1.5d".

    Raises:
        SearchError: it is none of these.
    """
    if text is None:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * UNITS[unit] for number, unit in parts)
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    raise SearchError(
        "A time limit must be like 90s, 30m, 2h or 1h30m (a bare number: seconds), "
        f"but got {text!r}."
    )


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
    """A name as any storage can hold it; an empty one does not stand for the default."""
    if not name.strip():
        raise SearchError(f"A search must have a name that can be seen, but got {name!r}.")
    return readable(name)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
