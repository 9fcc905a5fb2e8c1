"""`egnas train`."""

from __future__ import annotations

from typing import Annotated

from .._core.commands import DEVICE, EPOCHS, JSON, RECIPE_FIELD, SEEDS, STORAGE
from .._core.recipe import Recipe
from ..options import TrainOptions
from ._arguments import Device, Json, Name, RecipeFields, Storage
from ._declared import Chosen, typed, with_options
from ._output import ending_in_order, errors, opened, print_json, quiet_optuna


@with_options(TrainOptions, Recipe)
def train(  # noqa: PLR0913 - a parameter for each option
    name: Name = None,
    storage: Storage = STORAGE.default,
    epochs: Annotated[int | None, typed(EPOCHS)] = EPOCHS.default,
    seeds: Annotated[int, typed(SEEDS)] = SEEDS.default,
    device: Device = DEVICE.default,
    recipe: RecipeFields = RECIPE_FIELD.default,
    *,
    chosen: Chosen,
    as_json: Json = JSON.default,
) -> None:
    """Train the network found, or another, test it once, keep it; goes on where it stopped."""
    from .._search.final import train as _final
    from .._search.identity import reading_note
    from . import _show_final
    from . import _show_search as _show

    quiet_optuna()
    fields = {**Recipe.read_fields(recipe or ()), **chosen.of(Recipe)}
    options = TrainOptions(recipe=fields, **chosen.of(TrainOptions))
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
    if as_json:
        print_json(result.to_json())
    else:
        _show_final.print_final(result, storage, options.network)
