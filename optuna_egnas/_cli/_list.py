"""`egnas list`."""

from __future__ import annotations

from .._core.commands import JSON, STORAGE
from ._arguments import Json, Storage
from ._output import print_json, quiet_optuna


def list_searches(storage: Storage = STORAGE.default, as_json: Json = JSON.default) -> None:
    """List the searches of a storage with their states."""
    from .._search.catalogue import summaries
    from .._storage.opening import open_storage
    from . import _show_search as _show

    quiet_optuna()
    with _show.storage_trouble(storage):
        found = summaries(open_storage(storage, create=False))
    if not as_json:
        _show.print_summaries(found, storage)
        return
    rows = [
        {**each._asdict(), "last": each.last.isoformat() if each.last else None} for each in found
    ]
    print_json({"searches": rows})
