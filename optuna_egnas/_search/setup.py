"""A whole search on images: its options, its set-up and its run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from optuna.storages import InMemoryStorage

from .._core.recipe import Recipe
from .._storage.artifacts import DEFAULT_PLACE, MemoryStore, Store, full_place, open_artifacts
from .._storage.link import read_places, write_places
from .._storage.opening import open_storage
from .._storage.private import storage_of
from .._storage.studies import trials_of
from .._storage.urls import DEFAULT_URL, full_url
from ..evaluation.account import Progress
from ..evaluation.data.labelled import LabelledImages
from ..evaluation.engine.checkpoint import Checkpoints
from ..evaluation.engine.precision import check_precision
from ..evaluation.objective import Objective
from ..options import SearchOptions
from ..samplers._method import MethodSampler
from .identity import identity, stored_policy, stored_recipe
from .plan import plan
from .studies import LinkedStudies, create_in

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from torch import Tensor
    from torch.utils.data import Dataset


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setup:
    """A search that is ready to run.

    `resumed` counts the trials that it found when it was opened; `moved_from` is where its
    checkpoints were kept until now, if that was elsewhere; `storage` is where it is, in words.
    """

    studies: LinkedStudies
    objective: Objective
    resumed: int
    moved_from: str | None = None
    storage: str = ""


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
    planned = plan(
        data,
        name=name,
        device=device,
        options=options,
        policy_of=lambda name: stored_policy(storage, name),
    )
    if options.artifacts is not None:
        open_artifacts(options.artifacts)
    studies = create_in(
        lambda: open_storage(storage, heartbeat=True),
        name=planned.name,
        method=options.method,
        spaces=planned.spaces,
        dataset=identity(
            planned.content,
            options,
            (planned.recipe, planned.final_recipe),
            len(planned.training.labels),
        ),
        seed=options.seed,
        decide=lambda link: planned.decided(options, link),
    )
    return assemble(
        studies,
        (planned.training, planned.validation),
        recipe=stored_recipe(studies.link),
        device=planned.device,
        options=options,
        watch=watch,
        storage=full_url(storage),
    )


def assemble(
    studies: LinkedStudies,
    images: tuple[LabelledImages, LabelledImages],
    *,
    recipe: Recipe,
    device: torch.device,
    options: SearchOptions,
    watch: Callable[[Progress], None] | None,
    storage: str,
) -> Setup:
    """Make an opened search ready to run on these training and validation images."""
    for role in studies.roles:
        sampler = studies.study(role).sampler
        assert isinstance(sampler, MethodSampler)
        sampler.patience = options.stale_after
    check_precision(recipe.precision, device)
    place, moved_from = _keep_places(studies, options)
    objective = Objective(
        training=moved(images[0], device),
        validation=moved(images[1], device),
        recipe=recipe,
        seed=studies.link.seed,
        device=device,
        watch=watch,
        checkpoints=Checkpoints(
            store=open_artifacts(place) if place else _without_place(studies),
            seconds=options.checkpoint_seconds,
        ),
    )
    return Setup(
        studies=studies,
        objective=objective,
        resumed=len(trials_of(studies)),
        moved_from=moved_from,
        storage=storage,
    )


def _keep_places(studies: LinkedStudies, options: SearchOptions) -> tuple[str | None, str | None]:
    """Where the checkpoints are kept, stored for all workers, and where they were until now."""
    stored = read_places(studies.first)
    before = stored.get("artifacts")
    if options.artifacts is None and isinstance(storage_of(studies.first), InMemoryStorage):
        # A search in memory ends with its process: no other will look for a checkpoint.
        return None, None
    place = full_place(options.artifacts or before or DEFAULT_PLACE)
    data = {} if options.data.root is None else {"data": full_place(options.data.root)}
    for role in studies.roles:
        write_places(studies.study(role), {**stored, **data, "artifacts": place})
    return place, before if before not in (None, place) else None


def _without_place(studies: LinkedStudies) -> Store | None:
    """A search in memory keeps nothing, unless its candidates inherit weights."""
    return None if studies.link.space.inherit is None else MemoryStore()


def moved(images: LabelledImages, device: torch.device) -> LabelledImages:
    """The images and labels, on a device."""
    return LabelledImages(images=images.images.to(device), labels=images.labels.to(device))
