"""A whole search on images: its options, its set-up and its run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .._storage.urls import DEFAULT_URL
from ..errors import EgnasWarning
from ..evaluation.account import Progress
from ..evaluation.engine.conditions import plain_modes
from ..options import SearchOptions
from .pool import check_workers, run
from .setup import prepare
from .studies import LinkedStudies
from .worker import Job

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from torch.utils.data import Dataset


@plain_modes()
def search(  # noqa: PLR0913 - public; all but one by name
    data: str | Sequence[Any] | Dataset[Any] = "digits",
    *,
    storage: str | BaseStorage | None = DEFAULT_URL,
    name: str | None = None,
    device: str = "auto",
    options: SearchOptions | None = None,
    workers: int = 1,
    watch: Callable[[Progress], None] | None = None,
) -> LinkedStudies:
    """Find a whole network for the data; goes on where the search of this name has stopped.

    Args:
        data: a data set's name, a pair (images, labels) of tensors or numpy arrays, or a data
            set of such pairs, also of PIL images. Images are uint8 or float in [0, 1],
            [N, C, H, W] or [N, H, W]; labels are numbers from 0, or the classes' names. What a
            data set draws at random is refused: the search augments by itself.
        storage: a SQLAlchemy URL, an Optuna storage, or None for one in memory.
        name: the search's name; default: the data set's.
        device: where to train: `auto` takes a GPU where there is one.
        options: everything else.
        workers: processes that train at once, on GPUs or cores of this machine. More than one
            need a storage with a URL, and a program that can be imported without starting
            anew (`if __name__ == "__main__"`).
        watch: is called after every epoch.

    Returns:
        The studies of the search; their `result()` is the network that was found.

    Raises:
        DataError: the data are missing, damaged or unsuitable.
        InvalidSpace: an option is out of its bounds, or no network fits the limits.
        SearchError: the storage is out of reach, or the name belongs to another search.

    Examples:
        >>> import torch
        >>> from optuna_egnas import search
        >>> from optuna_egnas.options import SearchOptions
        >>> labels = torch.arange(80) % 2
        >>> images = torch.randint(0, 99, (80, 1, 8, 8), dtype=torch.uint8)
        >>> images[labels == 1] += 99
        >>> small = {"min_depth": 1, "max_depth": 1, "min_width": 4, "max_width": 4}
        >>> options = SearchOptions(
        ...     macro={**small, "base_epochs": 1}, micro={"operations": ("sep",), "epochs": 1}
        ... )
        >>> studies = search((images, labels), name="bright", options=options)
        >>> studies.result().architecture.depth
        1
    """
    check_workers(workers, "processes", storage)
    setup = prepare(data, storage=storage, name=name, device=device, options=options, watch=watch)
    if setup.conflicts:
        warnings.warn(f"In {data}, {setup.conflicts}.", EgnasWarning, stacklevel=2)
    job = Job(
        data=data,
        storage=storage,
        name=setup.studies.name,
        device=device,
        options=options or SearchOptions(),
    )
    run(setup, job, workers=workers, watch=watch)
    return setup.studies
