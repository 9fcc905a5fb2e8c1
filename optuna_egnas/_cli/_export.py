"""`egnas export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import SearchError
from ._arguments import STORAGE, FromFile, Json, Name, Seed, Storage
from ._output import errors, opened, print_json, quiet_optuna, say

if TYPE_CHECKING:
    from .._search.studies import LinkedStudies
    from ..evaluation.trained.export import Exported


def export(
    format: Annotated[
        str, typer.Option(help="state-dict, torch-export, onnx, or python: a readable module.")
    ],
    name: Name = None,
    storage: Storage = STORAGE,
    out: Annotated[
        Path | None,
        typer.Option(help="The file, or the folder for it; default: called after the search."),
    ] = None,
    seed: Seed = None,
    source: FromFile = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another file that is there.")
    ] = False,
    check_test: Annotated[
        bool,
        typer.Option(
            "--check-test", help="Read the test images again and compare with the report."
        ),
    ] = False,
    data_root: Annotated[
        str | None, typer.Option(help="The folder of the data sets' files; default: as stored.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Hand over the trained network as a file that is used without this package."""
    from . import _show_search as _show

    quiet_optuna()
    if source is not None and name is not None:
        raise SearchError("Give a search or --from, but not both.")
    with _show.storage_trouble(storage):
        studies: LinkedStudies | Path = source or opened(storage, name)
        # Only now: it loads torch.
        from .._search.export import export as hand_over

        exported = hand_over(
            studies,
            out,
            format=format,
            seed=seed,
            overwrite=overwrite,
            check_test=check_test,
            data_root=data_root,
        )
    print_json(exported.to_json()) if as_json else _print(exported)
    if exported.no_artifact is not None:
        errors.print(f"Not among the artifacts of the search: {exported.no_artifact}")


def _print(exported: Exported) -> None:
    network = exported.network
    for file in exported.files:
        say(f"{file} ({file.stat().st_size / 1000:,.1f} kB)")
    channels, height, width = network.input_shape
    say(
        f"takes uint8 pixels [N, {channels}, {height}, {width}], normalises them itself, "
        f"gives logits of {len(network.class_names)} classes"
    )
    say(
        f"loaded back: on {exported.compared} {exported.images}, logits within "
        f"{exported.difference:.1e} of the trained network's (allowed: {exported.tolerance:.1e})"
    )
    if exported.test_correct is not None:
        say(
            f"test images read again: {exported.test_correct} of {network.n_test} right, "
            "as reported"
        )
