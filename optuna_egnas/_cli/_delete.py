"""`egnas delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from .._arguments import STORAGE, Storage, checked_name, complete_name
from ._output import agreed, errors, quiet_optuna


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
        if not yes and not agreed(f"Delete {' and '.join(studies)} in {shown(storage)}?"):
            errors.print("Nothing was deleted.")
            return
        delete_search(opened, name)
    errors.print(f"Deleted {' and '.join(studies)}.")
