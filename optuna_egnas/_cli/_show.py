"""`egnas show`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from .._arguments import STORAGE, Json, Name, Storage
from ..errors import SearchError
from ._output import opened, print_json, quiet_optuna, record, write_file

if TYPE_CHECKING:
    from .._linked import LinkedStudies


def show(
    name: Name = None,
    storage: Storage = STORAGE,
    trace: Annotated[
        Path | None, typer.Option(help="Write the search to this file, for `egnas replay`.")
    ] = None,
    trial: Annotated[
        str | None, typer.Option(help="A trial, macro/N or micro/N, for --rerun.")
    ] = None,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Train --trial again: does it agree, bit for bit?")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what a search has found, and its walk step by step."""
    from .. import _show
    from .._linked import trials_of
    from .._trace import write_trace

    quiet_optuna()
    with _show.storage_trouble(storage):
        studies = opened(storage, name)
        if rerun or trial is not None:
            _rerun(studies, trial, rerun=rerun, as_json=as_json)
        if trace is not None:
            write_file(trace, json.dumps(write_trace(studies)) + "\n")
        if as_json:
            print_json(record(studies, resumed=len(trials_of(studies))))
            return
        _show.print_result(studies, storage)
        _show.print_walk(studies)


def _rerun(studies: LinkedStudies, trial: str | None, *, rerun: bool, as_json: bool) -> NoReturn:
    from .. import _show
    from .._rerun import rerun as train_again

    if trial is None or not rerun:
        raise SearchError("--trial and --rerun must be given together, but only one of them is.")
    seen = train_again(studies, trial)
    print_json(seen.to_json()) if as_json else _show.print_rerun(seen)
    raise typer.Exit(0 if seen.agrees else 1)
