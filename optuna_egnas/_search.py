"""A whole search on images: its options, its set-up and its run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ._claims import fail_dead
from ._core.macro import MacroSpace
from ._core.micro import MicroSpace
from ._core.walk import Done
from ._link import Role
from ._linked import ROLES, SHARED, LinkedStudies, create_linked_studies, trials_of
from ._storage import DEFAULT_URL
from .errors import InvalidSpace, SearchError
from .evaluation._data import DataOptions, LabelledImages, TrainingData, load_training, split
from .evaluation._objective import CandidateFailed, Objective, Progress
from .evaluation._training import Recipe

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from torch import Tensor
    from torch.utils.data import Dataset

POLL = 0.5
"""Seconds between two looks while all that is left is in flight."""
PROFILES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "full": ({}, {}),
    "quick": (
        {
            "min_depth": 4,
            "max_depth": 16,
            "min_width": 8,
            "max_width": 24,
            "base_epochs": 8,
            "epochs_per_width_step": 1,
        },
        {"epochs": 8},
    ),
}
"""Sizes of the space and epochs; never rules. `full` is the published size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What can be chosen of a search, as plain values; a study file holds the same.

    Args:
        profile: `quick` or `full`; default: quick for digits, else full.
        seed: of the split, and of every training.
        valid_fraction: share of the training images that is kept for validation.
        subset: so many training images are used, drawn class by class; default: all.
        data: how the data set is read.
        macro, micro: fields of `MacroSpace` and `MicroSpace` that replace the profile's.
        recipe: fields of `Recipe` that replace the published ones.

    Raises:
        InvalidSpace: an unknown profile or field.
    """

    profile: str | None = None
    seed: int = 0
    valid_fraction: float = 0.2
    subset: int | None = None
    data: DataOptions = field(default_factory=DataOptions)
    macro: Mapping[str, Any] = field(default_factory=dict)
    micro: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.profile is not None and self.profile not in PROFILES:
            known = ", ".join(sorted(PROFILES))
            raise InvalidSpace(f"`profile` must be one of {known}, but got {self.profile!r}.")
        for name, kind in (("macro", MacroSpace), ("micro", MicroSpace), ("recipe", Recipe)):
            known_fields = {item.name for item in fields(kind)}
            unknown = sorted(set(getattr(self, name)) - known_fields)
            if unknown:
                raise InvalidSpace(
                    f"`{name}` must hold fields of {kind.__name__} only, but got {unknown[0]!r}."
                )


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
    for role in ROLES:
        fail_dead(setup.studies.study(role))
        _run_walk(setup.studies, role, setup.objective)


def spaces(
    content: TrainingData, n_valid: int, options: SearchOptions
) -> tuple[MacroSpace, MicroSpace]:
    """The spaces of a search: the profile's, with what the options replace."""
    profile = options.profile or ("quick" if content.name == "digits" else "full")
    macro_values, micro_values = PROFILES[profile]
    task = {"input_shape": content.input_shape, "classes": content.classes, "n_valid": n_valid}
    macro = MacroSpace(**{**macro_values, **task, **_tuples(options.macro)})
    shared = {name: getattr(macro, name) for name in SHARED}
    start = {"depth": macro.min_depth, "width": macro.min_width, "confirm_epochs": None}
    micro = MicroSpace(**{**start, **micro_values, **shared, **_tuples(options.micro)})
    return macro, micro


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


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
