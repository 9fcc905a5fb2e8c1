"""Whole searches by each policy on real data, then the same final training for what they found.

The final training takes the training and the validation images of the search, the published
recipe and the same epochs for both policies; the test set is read once, at its end.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from optuna_egnas import Architecture, LinkedStudies, search
from optuna_egnas._search.identity import stored_images
from optuna_egnas._storage.studies import trials_of
from optuna_egnas.evaluation.data.held_out import load_test
from optuna_egnas.evaluation.data.labelled import LabelledImages
from optuna_egnas.evaluation.engine.augmentation import channel_statistics
from optuna_egnas.evaluation.engine.conditions import conditions
from optuna_egnas.evaluation.engine.loop import count_correct, train
from optuna_egnas.networks import build
from optuna_egnas.options import Recipe, SearchOptions

ARMS = ("paper", "sound")
REPEATED = range(20, 32)
"""Seeds of the repetition on Fashion-MNIST, which began when its first results were known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One data set in one size of space.

    Each network found is trained for good so many times (`finals`), for `final_epochs`. Seeds
    below 10 served to work the rules out.
    """

    data: str
    seeds: Sequence[int]
    final_epochs: int
    finals: int = 1
    subset: int | None = None
    macro: Mapping[str, Any] = field(default_factory=dict)
    arms: Sequence[str] = ARMS


TASKS = (
    Task(data="digits", seeds=range(10, 23), final_epochs=30),
    Task(
        data="fashion-mnist",
        seeds=(*range(10, 17), *REPEATED),
        final_epochs=25,
        finals=3,
        subset=1000,
        macro={"max_depth": 12},
    ),
)

TRIED = (
    replace(TASKS[1], seeds=range(40, 46)),
    replace(TASKS[1], seeds=range(46, 52), arms=("sound",)),
)
"""On which the rules of `tried.patch` were tried, as `sound`."""


def rows_of(table: Path) -> list[dict[str, str]]:
    """What is there already."""
    if not table.exists():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run(table: Path, storage: str, data: str | None = None, tasks: Sequence[Task] = TASKS) -> None:
    """Every task, seed and arm that the table does not hold yet; of one data set, if it is given.

    Processes for different data sets may run at once, each with a storage of its own.
    """
    done = {(row["data"], row["seed"], row["arm"]) for row in rows_of(table)}
    for task in (task for task in tasks if data in (None, task.data)):
        for seed in task.seeds:
            for arm in task.arms:
                if (task.data, str(seed), arm) not in done:
                    append(table, one(task, seed, arm, storage))


def append(table: Path, row: dict[str, Any]) -> None:
    """Write one row at once: a run that is cut off goes on after it."""
    is_new = not table.exists()
    with table.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*row], lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def one(task: Task, seed: int, arm: str, storage: str) -> dict[str, Any]:
    """One search, and the final training of its network."""
    options = SearchOptions(
        profile="quick",
        seed=seed,
        subset=task.subset,
        macro={**task.macro, "policy": arm},
        deterministic=True,
    )
    name = f"{task.data}, {arm}, seed {seed}"
    start, processor = time.perf_counter(), time.process_time()
    studies = search(task.data, storage=storage, name=name, options=options)
    processor = time.process_time() - processor
    result, link = studies.result(), studies.link
    assert result.architecture is not None
    trained = [trial.user_attrs.get("epochs_trained", 0) for trial in trials_of(studies)]
    n_train = link.dataset["n_train"]
    finals = [
        final(studies, result.architecture, task, seed + 1000 * number)
        for number in range(task.finals)
    ]
    print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    return {
        "data": task.data,
        "seed": seed,
        "arm": arm,
        "n_train": n_train,
        "n_valid": link.space.n_valid,
        "depth": result.architecture.depth,
        "width": result.architecture.width,
        "conv": result.architecture.ops.count("conv"),
        "large_kernels": sum(size > 3 for size in result.architecture.kernels),
        "params": result.params,
        "macs": result.macs,
        "trainings": sum(epochs > 0 for epochs in trained),
        "epochs": sum(trained),
        "passes": sum(trained) * n_train,
        "seconds": result.seconds,
        "cpu_seconds": round(processor, 1),
        "valid_accuracy": result.valid_accuracy,
        "final_epochs": task.final_epochs,
        "finals": task.finals,
        "test_correct": sum(correct for correct, _ in finals),
        "n_test": sum(images for _, images in finals),
    }


def final(
    studies: LinkedStudies, architecture: Architecture, task: Task, seed: int
) -> tuple[int, int]:
    """Right answers on the test images after the final training, and how many there are."""
    space = studies.link.space
    recipe = Recipe.for_images(space.input_shape, flip=studies.link.dataset["recipe flip"])
    parts = stored_images(studies)
    images = LabelledImages(
        images=torch.cat([part.images for part in parts]),
        labels=torch.cat([part.labels for part in parts]),
    )
    network = build(
        architecture,
        input_shape=space.input_shape,
        classes=space.classes,
        generator=torch.Generator().manual_seed(seed),
    )
    some = images.take(torch.arange(space.classes))  # of the training: nothing is selected by it
    with conditions(threads=1, deterministic=True):
        for _ in train(
            network, images, some, epochs=task.final_epochs, recipe=recipe, seed=seed, device="cpu"
        ):
            pass
        test = load_test(task.data)
        statistics = channel_statistics(images.images)
        return count_correct(network, test.images, test.labels, statistics), len(test.labels)
