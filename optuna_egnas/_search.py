"""A whole search on images: its options, its set-up and its run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ._claims import fail_dead
from ._core.walk import Done
from ._link import Role
from ._linked import ROLES, LinkedStudies, create_linked_studies, trials_of
from ._storage import DEFAULT_URL
from .errors import SearchError
from .evaluation._data import LabelledImages, TrainingData, load_training, split
from .evaluation._objective import CandidateFailed, Objective, Progress
from .evaluation._training import Recipe
from .options import SearchOptions, spaces

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from torch import Tensor
    from torch.utils.data import Dataset

POLL = 0.5
"""Seconds between two looks while all that is left is in flight."""
SMALL_SIDE = 16
"""Images below this side train on one thread: a second one gains nothing there (8 x 8, width 8 to
24: the same time within the noise), and waits long where it has to share its core."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setup:
    """A search that is ready to run. `resumed`: trials that it found when it was opened."""

    studies: LinkedStudies
    objective: Objective
    resumed: int


def search(
    data: str | tuple[Tensor, Tensor] | Dataset[Any] = "digits",
    *,
    storage: str | BaseStorage | None = DEFAULT_URL,
    name: str | None = None,
    device: str = "auto",
    options: SearchOptions | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> LinkedStudies:
    """Find a whole network for the data; goes on where the search of this name has stopped.

    Args:
        data: a data set's name, a pair (images, labels) of tensors, or a torch data set of
            (image, label); images uint8 or float in [0, 1], [N, C, H, W] or [N, H, W].
        storage: a SQLAlchemy URL, an Optuna storage, or None for one in memory.
        name: the search's name; default: the data set's.
        device: where to train: `auto` takes a GPU where there is one.
        options: everything else.
        watch: is told of every epoch.

    Returns:
        The two studies; `result()` of them is the network that was found.

    Raises:
        DataError: the data are missing, damaged or unsuitable.
        InvalidSpace: an option is out of its bounds, or no network fits the limits.
        SearchError: the storage is out of reach, or the name belongs to another search.
    """
    setup = prepare(data, storage=storage, name=name, device=device, options=options, watch=watch)
    run(setup)
    return setup.studies


def prepare(
    data: str | tuple[Tensor, Tensor] | Dataset[Any] = "digits",
    *,
    storage: str | BaseStorage | None = DEFAULT_URL,
    name: str | None = None,
    device: str = "auto",
    options: SearchOptions | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> Setup:
    """Everything of a search but its run; see `search`. Checks all before it writes anything."""
    options = options or SearchOptions()
    where = choose_device(device)
    content = load_training(data, options.data)
    training, validation = split(
        content,
        valid_fraction=options.valid_fraction,
        seed=options.seed,
        subset=options.subset,
    )
    recipe = replace(Recipe.for_images(content.input_shape, flip=content.flip), **options.recipe)
    macro, micro = spaces(content, len(validation.labels), options)
    studies = create_linked_studies(
        storage=storage,
        name=name or _default_name(content.name),
        macro=macro,
        micro=micro,
        dataset=_identity(content, options, recipe, len(training.labels)),
        seed=options.seed,
    )
    objective = Objective(
        training=_moved(training, where),
        validation=_moved(validation, where),
        recipe=recipe,
        seed=options.seed,
        device=where,
        watch=watch,
    )
    return Setup(studies=studies, objective=objective, resumed=len(trials_of(studies)))


def run(setup: Setup) -> None:
    """Train what the walks ask for until both have ended."""
    threads = torch.get_num_threads()
    if min(setup.studies.link.space.input_shape[1:]) < SMALL_SIDE:
        torch.set_num_threads(1)
    try:
        for role in ROLES:
            fail_dead(setup.studies.study(role))
            _run_walk(setup.studies, role, setup.objective)
    finally:
        torch.set_num_threads(threads)


def choose_device(device: str) -> torch.device:
    """The device of this name; `auto` takes CUDA, else Apple's MPS, else the CPU."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise SearchError(
            f"`device` must be auto or one that torch can use here, but got {device!r}: {reason}"
        ) from None
    return chosen


def _run_walk(studies: LinkedStudies, role: Role, objective: Objective) -> None:
    study = studies.study(role)
    while True:
        # Asking first keeps the end of a walk from leaving an empty trial behind.
        ahead = studies.frontier(role)
        if isinstance(ahead, Done):
            return
        if not ahead:
            time.sleep(POLL)
            continue
        study.optimize(objective, n_trials=1, catch=(CandidateFailed,))


def _default_name(data: str) -> str:
    return Path(data.removeprefix("folder:")).resolve().name if ":" in data else data


def _moved(images: LabelledImages, device: torch.device) -> LabelledImages:
    return LabelledImages(images=images.images.to(device), labels=images.labels.to(device))


def _identity(
    content: TrainingData, options: SearchOptions, recipe: Recipe, n_train: int
) -> dict[str, Any]:
    """What tells this search's data and training from others, flat, as plain values."""
    data = {
        "dataset": content.name,
        "fingerprint": content.fingerprint(),
        "n_train": n_train,
        "valid_fraction": options.valid_fraction,
        "subset": options.subset,
        "image_size": options.data.image_size,
        "test_fraction": options.data.test_fraction,
    }
    return {**data, **{f"recipe {key}": value for key, value in asdict(recipe).items()}}
