"""`egnas doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from ._arguments import STORAGE, Json, Storage
from ._output import print_json, quiet_optuna


def doctor(
    storage: Storage = STORAGE,
    artifacts: Annotated[
        str | None, typer.Option(help="Where checkpoints are to be kept; default: as stored.")
    ] = None,
    data_root: Annotated[
        str | None, typer.Option(help="Folder of the data sets' files; default: data.")
    ] = None,
    as_json: Json = False,
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
