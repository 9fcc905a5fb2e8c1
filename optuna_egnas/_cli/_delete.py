"""`egnas delete`."""

from __future__ import annotations

from .._core.commands import STORAGE, YES
from ._arguments import GivenName, Storage, Yes, checked_name
from ._output import agreed, errors, quiet_optuna


def delete(
    name: GivenName,
    storage: Storage = STORAGE.default,
    yes: Yes = YES.default,
) -> None:
    """Delete a search, its studies and its files; asks first."""
    from .._search.catalogue import check_may_be_deleted, delete_search
    from .._storage.opening import open_storage
    from .._storage.urls import shown
    from . import _show_search as _show

    quiet_optuna()
    with _show.storage_trouble(storage):
        opened = open_storage(storage, create=False)
        studies = check_may_be_deleted(opened, checked_name(name))
        if not yes and not agreed(f"Delete {' and '.join(studies)} in {shown(storage)}?"):
            errors.print("Nothing was deleted.")
            return
        stay = delete_search(opened, name)
    errors.print(f"Deleted {' and '.join(studies)}.")
    if stay is not None:
        errors.print(stay)
