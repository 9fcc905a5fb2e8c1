"""What a final training needs, found and checked: its settings, its images, the test's place."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from ..._core.commands import EPOCHS, SEEDS
from ..._core.recipe import Recipe
from ..._storage.final_claims import check_is_free
from ..._storage.final_records import FinalRecord, FinalSettings
from ..._storage.final_results import (
    all_begun,
    all_finals,
    artifacts_of,
    finals,
    place_of_artifacts,
    write_begun,
)
from ..._storage.link import read_places, write_places
from ..._storage.urls import DEFAULT_URL, full_url
from ...errors import DataError, EgnasWarning, SearchError
from ...evaluation.data.ground import GROUND
from ...evaluation.data.held_out import check_test, given_test
from ...evaluation.data.labelled import LabelledImages, TrainingData, load_training
from ...evaluation.data.options import DataOptions
from ...evaluation.engine.checkpoint import Checkpoints
from ...evaluation.engine.conditions import plain_modes
from ...evaluation.engine.device import choose_device
from ...evaluation.engine.precision import check_precision
from ...options import TrainOptions
from ..identity import (
    GROUND_KEY,
    final_recipe,
    read_recipe,
    reading_of,
    stored_source,
    stored_split,
    stored_test,
    stored_training,
)
from ..named import wanted_network
from ..setup import moved
from ..studies import LinkedStudies, load_linked_studies

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from torch.utils.data import Dataset

    from ..._core.network import Network

    Given = Sequence[Any] | Dataset[Any]


PASSES = 2_000_000
"""Images that a training passes by default, each once an epoch."""
FEWEST, MOST = 30, 100
"""The bounds of a training's default epochs. Digits gain nothing beyond 20: a network of depth 7
and width 9 had 284.3, 284.3 and 283.3 of 288 validation images right after 20, 60 and 200 (means
of 3 seeds)."""

MOST_OF_ONE_CYCLE = 60
"""At most so many epochs of a one-cycle schedule, which ends sooner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalProgress:
    """How far a final training is.

    `index` and `count` say which of the trainings of this run it is, the first one being 0.
    `train_accuracy` is a fraction, None before the first epoch. `seconds_left` are those of all
    trainings of the run; None while nobody can tell. `record` comes with the test, at the end.
    `note` is a sentence that must be heard: that the test images are read once more, say.
    `rival` is the name of a rival of the network found, where one is trained beside it, and
    `rival_accuracy` comes with its test, at its end.
    """

    seed: int
    index: int
    count: int
    epoch: int
    epochs: int
    train_accuracy: float | None = None
    seconds_left: float | None = None
    record: FinalRecord | None = None
    note: str | None = None
    rival: str | None = None
    rival_accuracy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FinalSetup:
    """Final trainings that are ready to run.

    `seeds` are those still to be trained; `read_test` reads the test images; `rivals` says whether
    rivals follow.
    """

    studies: LinkedStudies
    settings: FinalSettings
    seeds: tuple[int, ...]
    training: LabelledImages
    class_names: tuple[str, ...]
    read_test: Callable[[], LabelledImages]
    device: torch.device
    checkpoints: Checkpoints
    watch: Callable[[FinalProgress], None]
    storage: str
    rivals: bool


@plain_modes()
def prepare_final(  # noqa: PLR0913 - as `train`, which is public
    search: str | LinkedStudies,
    *,
    data: Given | None = None,
    test: Given | None = None,
    storage: str | BaseStorage | None = DEFAULT_URL,
    epochs: int | None = None,
    seeds: int = 1,
    device: str = "auto",
    options: TrainOptions | None = None,
    watch: Callable[[FinalProgress], None] | None = None,
) -> FinalSetup:
    """Everything of `train` but its run. Checks all before it writes anything."""
    SEEDS.check(seeds)
    EPOCHS.check(epochs)
    options = options or TrainOptions()
    where = choose_device(device)
    studies = search
    if isinstance(studies, str):
        studies = load_linked_studies(storage=storage, name=studies)
    _check_found(studies, unfinished=options.unfinished)
    network = wanted_network(studies, options.network)
    content, read_test = _sources(studies, data, test, options)
    settings, training = _settings(studies, network, content, epochs, options)
    check_precision(settings.recipe.get("precision", "fp32"), where)
    _check_not_trained_otherwise(studies, settings, again=options.again)
    trained = {record.seed for record in finals(studies, settings)}
    left = tuple(seed for seed in range(seeds) if seed not in trained)
    for seed in left:
        check_is_free(studies, seed)
    place = place_of_artifacts(studies)
    store = artifacts_of(studies)
    for role in studies.roles:
        write_places(studies.study(role), {**read_places(studies.first), "artifacts": place})
    write_begun(studies, settings, seeds)
    return FinalSetup(
        studies=studies,
        settings=settings,
        seeds=left,
        training=moved(training, where),
        class_names=content.class_names,
        read_test=read_test,
        device=where,
        checkpoints=Checkpoints(store=store, seconds=options.checkpoint_seconds),
        watch=watch or _warn,
        storage=full_url(storage),
        rivals=options.rivals,
    )


def _warn(event: FinalProgress) -> None:
    """Warn of what must not be missed, where nobody watches."""
    if event.note is not None:
        warnings.warn(event.note, EgnasWarning, stacklevel=2)


def default_epochs(n_train: int, longest: int, recipe: Recipe) -> int:
    """Epochs of a final training on so many images; `longest`: most epochs of a candidate."""
    most = MOST_OF_ONE_CYCLE if recipe.warmup else MOST
    return max(min(max(round(PASSES / n_train), FEWEST), most), longest)


def _check_found(studies: LinkedStudies, *, unfinished: bool) -> None:
    result = studies.result()
    name, best = studies.name, result.architecture
    if best is None:
        raise SearchError(f"The search {name!r} must have found a network, but has none yet.")
    if not result.finished and not unfinished:
        raise SearchError(
            f"The search {name!r} must have ended before its network is trained, but it has not: "
            "repeat the command that began it, or train its best network so far with --unfinished "
            f"({studies.link.space.describe(best)})."
        )


def _sources(
    studies: LinkedStudies, data: Given | None, test: Given | None, options: TrainOptions
) -> tuple[TrainingData, Callable[[], LabelledImages]]:
    """The training data, and what will read the test data, which are known to be there."""
    if (data is None) != (test is None):
        missing, given = ("data", "test") if data is None else ("test", "data")
        raise DataError(f"`data` and `test` must be given together, but got no {missing}, {given}")
    if data is not None and test is not None:
        ground = studies.link.dataset.get(GROUND_KEY, GROUND)
        reading = reading_of(studies.link)
        content = load_training(data, DataOptions(ground=ground), reading=reading)
        # They are in memory, and only their form is looked at, for an early refusal.
        given_test(test, content)
        return content, lambda: given_test(test, content)
    name, source = stored_source(studies, options.data_root)
    check_test(name, source, reading=reading_of(studies.link))
    root, skip = options.data_root, options.skip_broken
    content = stored_training(studies, root, skip_broken=skip)
    return content, lambda: stored_test(studies, root, training=content, skip_broken=skip)


def _settings(
    studies: LinkedStudies,
    network: Network,
    content: TrainingData,
    epochs: int | None,
    options: TrainOptions,
) -> tuple[FinalSettings, LabelledImages]:
    """The settings, and the images to train on: what is not given is as it was begun before."""
    link = studies.link
    chosen = _joined(*stored_split(link, content))
    begun = _begun(studies, network)
    if begun:
        before = begun[-1]
    else:
        before = FinalSettings(
            architecture=network,
            epochs=default_epochs(len(chosen.labels), _longest(studies), final_recipe(link)),
            recipe=final_recipe(link).to_json(),
            n_train=len(chosen.labels),
        )
    all_images = options.all_images
    if all_images is None:
        all_images = before.n_train != len(chosen.labels)
    images = content.samples if all_images else chosen
    settings = replace(
        before,
        epochs=epochs or before.epochs,
        recipe=replace(read_recipe(before.recipe), **options.recipe).to_json(),
        n_train=len(images.labels),
        ema=before.ema if options.ema is None else options.ema,
    )
    return settings, images


def _longest(studies: LinkedStudies) -> int:
    """The most epochs of a candidate on the search's walk."""
    walks = [walk for role in studies.roles if (walk := studies.walk(role)) is not None]
    return max(step.proposal.candidate.epochs or 0 for walk in walks for step in walk.steps)


def _begun(studies: LinkedStudies, network: Network) -> list[FinalSettings]:
    """The settings with which final trainings of this network have begun, the latest last."""
    begun = [each.settings for each in all_begun(studies)]
    return [settings for settings in begun if settings.architecture == network]


def _check_not_trained_otherwise(
    studies: LinkedStudies, settings: FinalSettings, *, again: bool
) -> None:
    """Refuse other settings of the same network; another network is another training."""
    network = settings.architecture
    same = [record for record in all_finals(studies) if record.settings.architecture == network]
    others = [record for record in same if record.settings != settings]
    # Those begun last may go on: `again` was given when they began.
    begun = _begun(studies, network)[-1:]
    if not others or again or settings in begun or finals(studies, settings):
        return
    there, here = _flat(others[-1].settings), _flat(settings)
    differences = [
        f"{key} was {there.get(key)}, but got {here.get(key)}"
        for key in sorted({*there, *here})
        if there.get(key) != here.get(key)
    ]
    raise SearchError(
        f"The final training of {studies.name!r} has been tested already, with other settings: "
        f"{'; '.join(differences)}. --again trains anew, and reads the test images another time."
    )


def _flat(settings: FinalSettings) -> dict[str, Any]:
    values = settings.to_json()
    del values["architecture"]
    return {**values.pop("recipe"), **values}


def _joined(first: LabelledImages, second: LabelledImages) -> LabelledImages:
    return LabelledImages(
        images=torch.cat([first.images, second.images]),
        labels=torch.cat([first.labels, second.labels]),
    )
