"""Hands over the network of a search: to a file, and to the artifacts of its last study."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .._storage.final_results import artifacts_of, uploads_of
from .._storage.link import read_places
from ..errors import DataError, SearchError
from ..evaluation.engine.conditions import plain_modes
from ..evaluation.trained.export import COMPARED, Exported, export_network
from ..evaluation.trained.network_file import TrainedNetwork
from ..evaluation.trained.prediction import read_trained
from .final.stored import load_final, upload
from .identity import stored_images, stored_test
from .studies import LinkedStudies

if TYPE_CHECKING:
    from torch import Tensor

    from ..evaluation.data.labelled import LabelledImages


@plain_modes()
def export(  # noqa: PLR0913 - public; all but two by name
    source: LinkedStudies | TrainedNetwork | str | Path,
    out: str | Path | None = None,
    *,
    format: str,
    seed: int | None = None,
    overwrite: bool = False,
    check_test: bool = False,
    data_root: str | None = None,
    network: str | None = None,
    benchmark: bool = False,
) -> Exported:
    """Hand over a trained network as a file that is used without this package.

    The file is loaded back and compared with the trained network: on training images where the
    search has them here, else on generated ones. It takes uint8 pixels [N, C, H, W], normalises
    them itself, and gives logits [N, classes]. That of a search is also uploaded to its last
    study, where optuna-dashboard lists it.

    Args:
        source: a search whose network is finally trained, or a network, or its file.
        out: the file, or the folder for it; default: a file in the working directory that is
            called after the search.
        format: `state-dict`, `torch-export`, `onnx` or `python`, which is one readable module.
        seed: of several final trainings of a search, which one; default: the lowest.
        overwrite: whether a file that is there, and is another, may be replaced.
        check_test: whether to read the test images again, and to see that the exported network
            gets as many right as was reported; for a search only.
        data_root: the folder of the data sets' files here; default: where they were at first.
        network: which network of a search, by a name that `train` takes; default: what it found.
        benchmark: whether to time the file by its own runtime, at batch 1 and 64.

    Raises:
        InvalidSpace: there is no such format.
        SearchError: there is no such trained network, a file cannot be read or written, a package
            is missing, or what was written does not calculate the same and was removed again.
        DataError: the test images are to be read, and are not there.

    Examples:
        Goes on from the example of `train`.

        >>> from optuna_egnas import export
        >>> export(studies, "bright_net.py", format="python").files[0].name
        'bright_net.py'
    """
    file = None if out is None else Path(out)
    if not isinstance(source, LinkedStudies):
        if check_test or seed is not None or network is not None:
            raise SearchError(
                "A seed or a network can be chosen, and a test be checked, for a search only, but "
                "got a network alone."
            )
        trained = source if isinstance(source, TrainedNetwork) else read_trained(Path(source))
        return export_network(
            trained, file, format=format, overwrite=overwrite, benchmark=benchmark
        )
    test: LabelledImages | None = stored_test(source, data_root) if check_test else None
    images = _training_images(source, data_root)
    exported = export_network(
        load_final(source, seed, network=network),
        file,
        format=format,
        images=images,
        kind="generated images" if images is None else "training images",
        test=test,
        overwrite=overwrite,
        benchmark=benchmark,
    )
    return _uploaded(source, exported)


def _training_images(studies: LinkedStudies, root: str | None) -> Tensor | None:
    """Some of the images that the search has trained on; None where they are not here."""
    try:
        return stored_images(studies, root)[0].images[:COMPARED]
    except (DataError, SearchError):
        return None


def _uploaded(studies: LinkedStudies, exported: Exported) -> Exported:
    """Return the export with its artifacts, or with the reason why there are none."""
    if "artifacts" not in read_places(studies.first):
        return exported
    try:
        ids = tuple(_artifact(studies, file) for file in exported.files)
    except SearchError as error:
        # The file that was asked for is there.
        return replace(exported, no_artifact=str(error))
    return replace(exported, artifacts=ids)


def _artifact(studies: LinkedStudies, file: Path) -> str:
    """The id of a file among the artifacts, where it is uploaded unless it is there already."""
    content, store = file.read_bytes(), artifacts_of(studies)
    for known in uploads_of(studies.last):
        if known.filename == file.name:
            # One that cannot be read is uploaded anew; each store has its own errors for that.
            with suppress(Exception), store.open_reader(known.artifact_id) as stored:
                if stored.read() == content:
                    return known.artifact_id
    return upload(studies, file.name, content)
