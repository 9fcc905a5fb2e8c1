"""`egnas train`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .._arguments import STORAGE, CheckpointEvery, Json, Name, Storage
from ._output import ending_in_order, errors, opened, print_json, quiet_optuna

if TYPE_CHECKING:
    from ..options import TrainOptions


def train(
    name: Name = None,
    storage: Storage = STORAGE,
    epochs: Annotated[
        int | None,
        typer.Option(help="Default: as begun before, else 30 to 100, more for fewer images."),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="So many trainings, which tell of the spread; those done count.")
    ] = 1,
    label_smoothing: Annotated[
        float | None, typer.Option(help="Share of a label that all classes have, 0.1 say.")
    ] = None,
    ema: Annotated[
        float | None,
        typer.Option(help="Average the weights; what it keeps of itself in a step, 0.99 say."),
    ] = None,
    all_images: Annotated[
        bool | None,
        typer.Option(
            "--all-images/--subset-only",
            help="Train on all training images where the search took a --subset.",
            show_default=False,
        ),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="fp32 or bf16; default: that of the search.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps ...")] = "auto",
    data_root: Annotated[
        str | None, typer.Option(help="Folder of the data sets' files; default: as stored.")
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out images that cannot be read.")
    ] = False,
    checkpoint_every: CheckpointEvery = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Train the best so far of a search under way.")
    ] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="With other settings than before; reads the test again."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Train the network found, test it once, keep it; goes on where it was stopped."""
    from .. import _final, _show, _show_final
    from .._stored import reading_note

    quiet_optuna()
    options = _options(
        recipe={"label_smoothing": label_smoothing, "precision": precision},
        ema=ema,
        all_images=all_images,
        data_root=data_root,
        skip_broken=skip_broken,
        checkpoint_seconds=checkpoint_every,
        unfinished=unfinished,
        again=again,
    )
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


def _options(*, recipe: dict[str, Any], **plain: Any) -> TrainOptions:
    from ..options import TrainOptions

    given = {key: value for key, value in recipe.items() if value is not None}
    return TrainOptions(
        recipe=given, **{key: value for key, value in plain.items() if value is not None}
    )
