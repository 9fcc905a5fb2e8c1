"""`egnas predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .._core.commands import FROM_FILE, JSON, NAMED_NETWORK, ONLY_NAME, SEED, STORAGE, TOP
from ..errors import SearchError
from ._arguments import FromFile, Json, NetworkName, Seed, Storage
from ._declared import typed
from ._output import errors, opened, print_json, quiet_optuna, say

if TYPE_CHECKING:
    from ..evaluation.trained.prediction import Classifier


def predict(  # noqa: PLR0913 - a parameter for each option
    images: Annotated[list[Path], typer.Argument(help="Image files, of any size.")],
    storage: Storage = STORAGE.default,
    name: Annotated[str | None, typed(ONLY_NAME)] = ONLY_NAME.default,
    seed: Seed = SEED.default,
    source: FromFile = FROM_FILE.default,
    network: NetworkName = NAMED_NETWORK.default,
    top: Annotated[int, typed(TOP)] = TOP.default,
    as_json: Json = JSON.default,
) -> None:
    """Name the classes of images, by the trained network of a search or by its file."""
    from ..evaluation.data.images import FIRST_READING
    from ..evaluation.trained.prediction import predict as guess

    quiet_optuna()
    if source is not None and any(each is not None for each in (name, seed, network)):
        raise SearchError("Give a search or --from, but not both.")
    classifier = _classifier(storage, name, seed, source, network)
    guesses = guess(classifier, images, top=top)
    if classifier.reading == 1:
        errors.print(FIRST_READING.format("network"))
    if as_json:
        found = [
            {"file": str(file), "top": [each._asdict() for each in row]}
            for file, row in zip(images, guesses, strict=True)
        ]
        print_json({"images": found})
        return
    for file, row in zip(images, guesses, strict=True):
        words = ", ".join(f"{each.class_name} {100 * each.probability:.1f} %" for each in row)
        say(f"{file}: {words}")


def _classifier(
    storage: str,
    name: str | None,
    seed: int | None,
    source: Path | None,
    network: str | None,
) -> Classifier:
    from .._search.final.stored import load_final
    from ..evaluation.trained.prediction import Classifier, read_classifier
    from . import _show_search as _show

    if source is not None:
        return read_classifier(source)
    with _show.storage_trouble(storage):
        return Classifier.of(load_final(opened(storage, name), seed, network=network))
