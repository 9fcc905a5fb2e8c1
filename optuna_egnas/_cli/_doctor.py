"""`egnas doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from .._core.commands import JSON, LOCAL_DATA_FOLDER, STORAGE, STORED_ARTIFACTS
from ._arguments import Json, Storage
from ._declared import typed
from ._output import print_json, quiet_optuna


def doctor(
    storage: Storage = STORAGE.default,
    artifacts: Annotated[str | None, typed(STORED_ARTIFACTS)] = STORED_ARTIFACTS.default,
    data_root: Annotated[str | None, typed(LOCAL_DATA_FOLDER)] = LOCAL_DATA_FOLDER.default,
    as_json: Json = JSON.default,
) -> None:
    """Check installation, device, storage, artifacts and data, and say what to do."""
    from .._search.doctor import examine
    from ._show_search import print_checks

    quiet_optuna()
    found = examine(storage, data_root=data_root, artifacts=artifacts)
    broken = any(check.state == "fail" for check in found)
    if as_json:
        print_json({"well": not broken, "checks": [check._asdict() for check in found]})
    else:
        print_checks(found)
    raise typer.Exit(1 if broken else 0)
