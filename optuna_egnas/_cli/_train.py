"""`egnas train`."""

from __future__ import annotations

from typing import Annotated

import typer

from .._core.recipe import Recipe
from ..options import TrainOptions
from ._arguments import STORAGE, Device, Json, Name, Storage
from ._declared import Chosen, with_options
from ._output import ending_in_order, errors, opened, print_json, quiet_optuna


@with_options(TrainOptions, Recipe)
def train(
    name: Name = None,
    storage: Storage = STORAGE,
    epochs: Annotated[
        int | None,
        typer.Option(help="Default: as begun before, else 30 to 100, more for fewer images."),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Number of final trainings; finished ones count.")
    ] = 1,
    device: Device = "auto",
    *,
    chosen: Chosen,
    as_json: Json = False,
) -> None:
    """Train the network found, test it once, keep it; goes on where it was stopped."""
    from .._search.final import train as _final
    from .._search.identity import reading_note
    from . import _show_final
    from . import _show_search as _show

    quiet_optuna()
    options = TrainOptions(recipe=chosen.of(Recipe), **chosen.of(TrainOptions))
    with _show.storage_trouble(storage):
        studies = opened(storage, name)
        display = _show_final.Display(errors, opening=reading_note(studies.link))
        with ending_in_order(), display:
            result = _final.train(
                studies,
                epochs=epochs,
                seeds=seeds,
                device=device,
                options=options,
                watch=display.show,
            )
    print_json(result.to_json()) if as_json else _show_final.print_final(result, storage)
