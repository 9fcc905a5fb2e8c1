"""`egnas plot`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .._arguments import STORAGE, Json, Name, Storage
from ._output import errors, opened, print_json, quiet_optuna, say


def plot(
    name: Name = None,
    storage: Storage = STORAGE,
    out: Annotated[Path, typer.Option(help="The folder that the files are written to.")] = Path(
        "egnas-plots"
    ),
    as_json: Json = False,
) -> None:
    """Draw a search as HTML and PNG, the network also as SVG."""
    from .. import _show
    from ..visualization._files import write_plots

    quiet_optuna()
    with _show.storage_trouble(storage):
        written = write_plots(opened(storage, name), out)
    if as_json:
        files = [str(file) for file in written.files]
        print_json({"files": files, "no_png": written.no_png})
        return
    for file in written.files:
        say(str(file))
    if written.no_png is not None:
        errors.print(f"No PNG files: {written.no_png}.")
