"""`egnas delete`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .._arguments import STORAGE, Storage, checked_name, complete_name
from ..errors import SearchError
from ._output import errors, quiet_optuna


def delete(
    name: Annotated[str, typer.Argument(help="The search's name.", autocompletion=complete_name)],
    storage: Storage = STORAGE,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a search, its studies and its files; asks first."""
    from .. import _show
    from .._searches import check_may_be_deleted, delete_search
    from .._storage import open_storage, shown

    quiet_optuna()
    with _show.storage_trouble(storage):
        opened = open_storage(storage, create=False)
        studies = check_may_be_deleted(opened, checked_name(name))
        if not yes and not _agreed(f"Delete {' and '.join(studies)} in {shown(storage)}?"):
            errors.print("Nothing was deleted.")
            return
        stay = delete_search(opened, name)
    errors.print(f"Deleted {' and '.join(studies)}.")
    if stay is not None:
        errors.print(stay)


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise SearchError("Deleting must be agreed to, but nobody can be asked here: give --yes.")
    errors.print(f"{question} [y/N]", end=" ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
