"""`egnas show`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from .._core.commands import CSV, FRONT, JSON, RERUN, STORAGE, TRACE, TRIAL, WALK, WITHIN
from ..errors import SearchError
from ._arguments import Json, Name, Storage
from ._declared import typed
from ._output import opened, print_json, quiet_optuna, record, write_file

if TYPE_CHECKING:
    from .._search.studies import LinkedStudies


def show(  # noqa: PLR0913 - a parameter for each option
    name: Name = None,
    storage: Storage = STORAGE.default,
    trace: Annotated[Path | None, typed(TRACE)] = TRACE.default,
    trial: Annotated[str | None, typed(TRIAL)] = TRIAL.default,
    rerun: Annotated[bool, typed(RERUN)] = RERUN.default,
    walk: Annotated[bool, typed(WALK)] = WALK.default,
    front: Annotated[bool, typed(FRONT)] = FRONT.default,
    within: Annotated[float | None, typed(WITHIN)] = WITHIN.default,
    as_csv: Annotated[bool, typed(CSV)] = CSV.default,
    as_json: Json = JSON.default,
) -> None:
    """Show what a search has found, and its walk step by step."""
    from .._storage.studies import trials_of
    from ..replay import write_trace
    from . import _show_search as _show

    quiet_optuna()
    if as_json + as_csv + walk > 1:
        raise SearchError("Give only one of --json, --csv and --walk.")
    _check_front(within, front=front, other=as_csv or walk)
    with _show.storage_trouble(storage):
        studies = opened(storage, name)
        if rerun or trial is not None:
            _rerun(studies, trial, rerun=rerun, as_json=as_json)
        if trace is not None:
            write_file(trace, json.dumps(write_trace(studies)) + "\n")
        if front:
            _front(studies, storage, within, as_json=as_json)
        elif as_json:
            print_json(record(studies, resumed=len(trials_of(studies))))
        elif as_csv:
            typer.echo(_show.csv_of(studies), nl=False)
        else:
            _print(studies, storage, walk_only=walk)


def _print(studies: LinkedStudies, storage: str, *, walk_only: bool) -> None:
    from . import _show_search as _show
    from ._show_rivals import print_rivals

    if not walk_only:
        _show.print_result(studies, storage)
    _show.print_walk(studies, beside=walk_only)
    if not walk_only:
        print_rivals(studies.result().rivals)


def _check_front(within: float | None, *, front: bool, other: bool) -> None:
    """Refuse options that do not go together; `other`: something else than a front is wanted."""
    WITHIN.check(within)
    if front and other:
        raise SearchError("Give only one of --front, --csv and --walk.")
    if within is not None and not front:
        raise SearchError(f"--within must be given with --front, but got --within {within:g}.")


def _front(studies: LinkedStudies, storage: str, within: float | None, *, as_json: bool) -> None:
    from . import _show_front

    found = studies.front()
    if as_json:
        print_json(_show_front.front_record(studies, found, within))
    else:
        _show_front.print_front(studies, found, within, storage)


def _rerun(studies: LinkedStudies, trial: str | None, *, rerun: bool, as_json: bool) -> NoReturn:
    from .._search.rerun import rerun as train_again
    from . import _show_search as _show

    if trial is None or not rerun:
        raise SearchError("--trial and --rerun must be given together, but only one of them is.")
    seen = train_again(studies, trial)
    print_json(seen.to_json()) if as_json else _show.print_rerun(seen)
    raise typer.Exit(0 if seen.agrees else 1)
