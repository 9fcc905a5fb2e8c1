"""`egnas plot`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from .._core.commands import JSON, PLOTS, STORAGE
from ._arguments import Json, Name, Storage
from ._declared import typed
from ._output import errors, opened, print_json, quiet_optuna, say


def plot(
    name: Name = None,
    storage: Storage = STORAGE.default,
    out: Annotated[Path, typed(PLOTS)] = PLOTS.default,
    as_json: Json = JSON.default,
) -> None:
    """Draw a search as HTML and PNG, the network also as SVG."""
    from ..visualization._files import write_plots
    from . import _show_search as _show

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
