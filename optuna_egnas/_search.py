"""A whole search on images: its options, its set-up and its run."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
from optuna.storages import InMemoryStorage

from ._artifacts import DEFAULT_PLACE, MemoryStore, Store, full_place, open_artifacts
from ._claims import fail_dead, fail_own, storage_of, was_ended_by_others
from ._core.walk import Done
from ._dashboard import Board
from ._limits import limit_reached, write_limits
from ._link import Role, read_places, write_places
from ._linked import ROLES, LinkedStudies, create_in, trials_of
from ._outage import waiting
from ._owners import OwnedStore
from ._plan import plan
from ._stop import interruptible, stopping_in_order
from ._storage import DEFAULT_URL, full_url, open_storage
from ._stored import SKIP_BROKEN, identity, reading_note, stored_link, stored_recipe
from .errors import EgnasWarning
from .evaluation._account import Progress
from .evaluation._checkpoint import Checkpoints
from .evaluation._conditions import conditions, plain_modes, threads_for
from .evaluation._data import LabelledImages
from .evaluation._objective import CandidateFailed, Objective
from .evaluation._precision import check_precision
from .evaluation._training import Recipe
from .options import SearchOptions
from .samplers._walk import WalkSampler

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from torch.utils.data import Dataset

POLL = 0.5
"""Seconds between two looks while all that is left is in flight."""


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
def search(
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
        watch: is told of every epoch.

    Returns:
        The two studies; `result()` of them is the network that was found.

    Raises:
        DataError: the data are missing, damaged or unsuitable.
        InvalidSpace: an option is out of its bounds, or no network fits the limits.
        SearchError: the storage is out of reach, or the name belongs to another search.
    """
    from . import _workers

    _workers.check_workers(workers, "processes", storage)
    setup = prepare(data, storage=storage, name=name, device=device, options=options, watch=watch)
    if setup.conflicts:
        warnings.warn(f"In {data}, {setup.conflicts}.", EgnasWarning, stacklevel=2)
    job = _workers.Job(
        data=data,
        storage=storage,
        name=setup.studies.name,
        device=device,
        options=options or SearchOptions(),
    )
    _workers.run(setup, job, workers=workers, watch=watch)
    return setup.studies


@plain_modes()
def prepare(
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
        stored=lambda name: stored_link(storage, name),
    )
    if options.artifacts is not None:
        open_artifacts(options.artifacts)
    studies = create_in(
        lambda: open_storage(storage, create=create, heartbeat=True),
        name=planned.name,
        macro=planned.macro,
        micro=planned.micro,
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
    for role in ROLES:
        sampler = studies.study(role).sampler
        assert isinstance(sampler, WalkSampler)
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


def run(setup: Setup) -> None:
    """Train what the walks ask for until both have ended.

    Returns early where a limit of the search is reached; see `bound`.
    On an interruption (Ctrl-C) the trial in flight leaves a checkpoint of its last whole epoch,
    and a later run goes on from there.
    """
    link = setup.studies.link
    deterministic = bool(link.dataset.get("deterministic", False))
    threads = threads_for(min(link.space.input_shape[1:]), deterministic=deterministic)
    board = Board(studies=setup.studies, storage=setup.storage)
    with waiting():
        with stopping_in_order(), conditions(threads=threads, deterministic=deterministic):
            ended = all(_run_walk(setup.studies, role, setup.objective, board) for role in ROLES)
        if ended:
            finish(setup)
        board.update(last=True)


def bound(setup: Setup, options: SearchOptions) -> None:
    """Store the limits of this run for all of its workers; where none is given, there is none."""
    for role in ROLES:
        write_limits(
            setup.studies.study(role),
            time_limit=options.time_limit,
            max_total_epochs=options.max_total_epochs,
        )


def finish(setup: Setup) -> None:
    """Leave nothing behind of workers that died: neither RUNNING trials nor checkpoints."""
    for role in ROLES:
        # A trial that is being made just now will find that there is nothing left to train.
        fail_dead(setup.studies.study(role), nameless=timedelta(0))
        setup.objective.forget(setup.studies.study(role))


def _run_walk(studies: LinkedStudies, role: Role, objective: Objective, board: Board) -> bool:
    """Train what one walk asks for; whether it has ended, or a limit has ended the search."""
    # This thread trains nothing now: what it has left was interrupted while the storage was away.
    fail_own(studies.study(role))
    while limit_reached(studies.study(role)) is None:
        if _take_step(studies, role, objective) is None:
            return True
        board.update()
    return isinstance(studies.frontier(role), Done)


def _take_step(studies: LinkedStudies, role: Role, objective: Objective) -> bool | None:
    """Train one candidate, or wait (False) while all that is left is in flight; None: the end."""
    study = studies.study(role)
    with interruptible():
        fail_dead(study)
    # Asking first keeps the end of a walk from leaving an empty trial behind.
    ahead = studies.frontier(role)
    if isinstance(ahead, Done):
        return None
    if not ahead:
        with interruptible():
            time.sleep(POLL)
        return False
    _train_next(study, objective)
    return True


def _train_next(study: Study, objective: Objective) -> None:
    """Train one candidate. A trial that others ended meanwhile is dropped: they know better."""
    try:
        study.optimize(objective, n_trials=1, catch=(CandidateFailed,))
    except KeyboardInterrupt:
        # Optuna ends a trial that is interrupted, but not one that is only being made.
        fail_own(study)
        raise
    except (RuntimeError, ValueError) as error:
        if not was_ended_by_others(error):
            raise


def _keep_places(studies: LinkedStudies, options: SearchOptions) -> tuple[str | None, str | None]:
    """Where the checkpoints are kept, stored for all workers, and where they were until now."""
    stored = read_places(studies.macro)
    before = stored.get("artifacts")
    if options.artifacts is None and isinstance(storage_of(studies.macro), InMemoryStorage):
        # A search in memory ends with its process: no other will look for a checkpoint.
        return None, None
    place = full_place(options.artifacts or before or DEFAULT_PLACE)
    data = {} if options.data.root is None else {"data": full_place(options.data.root)}
    if options.data.skip_broken:
        data[SKIP_BROKEN] = "yes"
    for role in ROLES:
        write_places(studies.study(role), {**stored, **data, "artifacts": place})
    return place, before if before not in (None, place) else None


def _store(studies: LinkedStudies, place: str | None) -> Store | None:
    """A search in memory keeps nothing, unless its candidates inherit weights."""
    if place is not None:
        return OwnedStore(
            store=open_artifacts(place), run=studies.link.run, storage=storage_of(studies.macro)
        )
    return None if studies.link.space.inherit is None else MemoryStore()


def moved(images: LabelledImages, device: torch.device) -> LabelledImages:
    """The images and labels, on a device."""
    return LabelledImages(images=images.images.to(device), labels=images.labels.to(device))
