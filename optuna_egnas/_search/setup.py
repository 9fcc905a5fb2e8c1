"""A whole search on images: its options, its set-up and its run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from optuna.storages import InMemoryStorage

from .._core.recipe import Recipe
from .._storage.artifacts import DEFAULT_PLACE, MemoryStore, Store, full_place, open_artifacts
from .._storage.link import read_places, write_places
from .._storage.opening import open_storage
from .._storage.owners import OwnedStore
from .._storage.private import storage_of
from .._storage.studies import trials_of
from .._storage.urls import DEFAULT_URL, full_url
from ..evaluation.account import Progress
from ..evaluation.data.labelled import LabelledImages
from ..evaluation.engine.checkpoint import Checkpoints
from ..evaluation.engine.conditions import plain_modes
from ..evaluation.engine.precision import check_precision
from ..evaluation.objective import Objective
from ..options import SearchOptions
from ..samplers._method import MethodSampler
from .identity import (
    SKIP_BROKEN,
    identity,
    reading_note,
    stored_links,
    stored_recipe,
)
from .plan import plan
from .studies import LinkedStudies, create_in

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from torch.utils.data import Dataset


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setup:
    """A search that is ready to run.

    `resumed` counts the trials that it found when it was opened; `moved_from` is where its
    checkpoints were kept until now, if that was elsewhere; `storage` is where it is, in words.
    `found` says what the data hold, a line each, and `conflicts` what is wrong with their labels.
    """

    studies: LinkedStudies
    objective: Objective
    resumed: int
    moved_from: str | None = None
    storage: str = ""
    found: tuple[str, ...] = ()
    conflicts: str = ""


@plain_modes()
def prepare(  # noqa: PLR0913 - as `search`, which is public
    data: str | Sequence[Any] | Dataset[Any] = "digits",
    *,
    storage: str | BaseStorage | None = DEFAULT_URL,
    name: str | None = None,
    device: str = "auto",
    options: SearchOptions | None = None,
    watch: Callable[[Progress], None] | None = None,
    create: bool = True,
) -> Setup:
    """Everything of a search but its run; see `search`. Checks all before it writes anything.

    `create`: whether a search that is not there may be created.
    """
    options = options or SearchOptions()
    planned = plan(
        data,
        name=name,
        device=device,
        options=options,
        stored=lambda name: stored_links(storage, name),
    )
    if options.artifacts is not None:
        open_artifacts(options.artifacts)
    studies = create_in(
        lambda: open_storage(storage, create=create, heartbeat=True),
        name=planned.name,
        method=planned.method,
        spaces=planned.spaces,
        dataset=identity(
            planned.content,
            options,
            (planned.recipe, planned.final_recipe),
            len(planned.training.labels),
        ),
        seed=options.seed,
        decide=lambda link: planned.decided(options, link),
        create=create,
    )
    setup = assemble(
        studies,
        (planned.training, planned.validation),
        recipe=stored_recipe(studies.link),
        device=planned.device,
        options=options,
        watch=watch,
        storage=full_url(storage),
    )
    note, survey = reading_note(studies.link), planned.content.survey
    return replace(
        setup,
        found=(*planned.lines(), *([note] if note else [])),
        conflicts="" if survey is None else survey.conflicts,
    )


def assemble(  # noqa: PLR0913 - the parts of a setup
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
            store=_store(studies, place),
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
    if options.data.skip_broken:
        data[SKIP_BROKEN] = "yes"
    for role in studies.roles:
        write_places(studies.study(role), {**stored, **data, "artifacts": place})
    return place, before if before not in (None, place) else None


def _store(studies: LinkedStudies, place: str | None) -> Store:
    """What a search in memory keeps, weights that others inherit say, is also there."""
    if place is None:
        return MemoryStore()
    return OwnedStore(
        store=open_artifacts(place), run=studies.link.run, storage=storage_of(studies.first)
    )


def moved(images: LabelledImages, device: torch.device) -> LabelledImages:
    """The images and labels, on a device."""
    return LabelledImages(images=images.images.to(device), labels=images.labels.to(device))
