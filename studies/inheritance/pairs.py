"""One parent and its children: each child trained from scratch, and from its parent's weights.

The children are those that a search would ask for next: one to four layers more, two to eight
channels less, a full convolution or a wide kernel in one layer (at the widest width that keeps to
the published budget of 10,000 parameters more). `same` is the parent itself, trained on: what a
training gains by its length alone.

From scratch with the whole budget each is trained twice, by two seeds: no score can agree with the
first better than the second does. From scratch with a share of the budget: what else the same
epochs could buy.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from optuna_egnas import Architecture
from optuna_egnas._methods.egnas.architecture import replaced
from optuna_egnas._methods.egnas.cost import widest
from optuna_egnas._methods.egnas.weights import inherit
from optuna_egnas.evaluation.data.labelled import LabelledImages, load_training, split
from optuna_egnas.evaluation.engine.conditions import conditions
from optuna_egnas.evaluation.engine.loop import train
from optuna_egnas.evaluation.engine.seed import candidate_seed
from optuna_egnas.methods import Space
from optuna_egnas.networks import build
from optuna_egnas.options import DataOptions, Recipe

PARENT = Architecture.chain(depth=6, width=16)
EPOCHS = 8
SHARES = (1, 2, 4)
"""Epochs of the inheriting trainings: an eighth, a quarter and a half."""
PARAM_SLACK = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One data set, half of it for validation, and what differs from its recipe."""

    data: str
    seeds: int
    subset: int | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)


SHORT = {"learning_rate": 0.1, "crop_padding": 0, "cutout": 0, "batch_size": 32}
TASKS = (
    Task(data="digits", seeds=5),
    Task(data="fashion-mnist", seeds=2, subset=1600, recipe=SHORT),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A network that a search might ask for next; `kind` is the phase that would."""

    kind: str
    name: str
    architecture: Architecture


def children(space: Space) -> Iterator[Child]:
    """The parent first, as `same`."""
    yield Child(kind="same", name="same", architecture=PARENT)
    for more in (1, 2, 3, 4):
        deeper = Architecture.chain(depth=PARENT.depth + more, width=PARENT.width)
        yield Child(kind="depth", name=f"depth {more:+d}", architecture=deeper)
    for less in (2, 4, 6, 8):
        narrower = replace(PARENT, width=PARENT.width - less)
        yield Child(kind="width", name=f"width -{less}", architecture=narrower)
    for layer in (1, 3, 5):
        switched = replace(PARENT, ops=replaced(PARENT.ops, layer, "conv"))
        yield Child(kind="ops", name=f"conv {layer}", architecture=fitted(space, switched))
    for layer in (1, 3, 5):
        switched = replace(PARENT, kernels=replaced(PARENT.kernels, layer, 5))
        yield Child(kind="kernels", name=f"kernel {layer}", architecture=fitted(space, switched))


def fitted(space: Space, architecture: Architecture) -> Architecture:
    """As wide as the published budget lets it be."""
    fits = partial(space.fits, max_params=space.params(PARENT) + PARAM_SLACK)
    found = widest(lambda w: replace(architecture, width=w), fits, at_most=PARENT.width)
    assert found is not None
    return found


def rows_of(table: Path) -> list[dict[str, str]]:
    """What is there already."""
    if not table.exists():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def append(table: Path, row: dict[str, Any]) -> None:
    """Write one row at once: a run that is cut off goes on after it."""
    is_new = not table.exists()
    with table.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*row], lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def run(table: Path, data: str | None = None) -> None:
    """Every training that the table does not hold yet; of one data set, if it is given."""
    for task in (task for task in TASKS if data in (None, task.data)):
        for seed in range(task.seeds):
            _run_seed(table, task, seed)
            print(f"{task.data}, seed {seed}", flush=True)


def _run_seed(table: Path, task: Task, seed: int) -> None:
    keys = ("data", "seed", "child", "how", "epochs", "replicate")
    done = {tuple(row[key] for key in keys) for row in rows_of(table)}
    content = load_training(task.data, DataOptions(), reading=1)
    images = split(content, valid_fraction=0.5, seed=seed, subset=task.subset)
    recipe = replace(Recipe.for_images(content.input_shape, flip=content.flip), **task.recipe)
    space = Space(input_shape=content.input_shape, classes=content.classes)
    parents: dict[str, Any] = {}
    for child in children(space):
        for how, epochs, replicate in _arms():
            key = (task.data, seed, child.name, how, epochs, replicate)
            if tuple(map(str, key)) in done:
                continue
            weights = None
            if how == "inherited":
                if not parents:
                    parents = _trained(space, images, recipe, PARENT, EPOCHS, seed)[1]
                weights = parents
            architecture = child.architecture
            correct, _ = _trained(
                space, images, recipe, architecture, epochs, seed, replicate, weights
            )
            row = dict(zip(keys, key, strict=True))
            size = {"width": architecture.width, "params": space.params(architecture)}
            answers = {"valid_correct": correct, "n_valid": len(images[1].labels)}
            append(table, {**row, "kind": child.kind, **size, **answers})


def _arms() -> Iterator[tuple[str, int, int]]:
    """How a child is trained, for how many epochs, and the replicate."""
    yield from (("scratch", EPOCHS, 0), ("scratch", EPOCHS, 1))
    for epochs in SHARES:
        yield "scratch", epochs, 0
        yield "inherited", epochs, 0


def _trained(  # noqa: PLR0913 - one training
    space: Space,
    images: tuple[LabelledImages, LabelledImages],
    recipe: Recipe,
    architecture: Architecture,
    epochs: int,
    seed: int,
    replicate: int = 0,
    weights: Mapping[str, torch.Tensor] | None = None,
) -> tuple[int, dict[str, torch.Tensor]]:
    """The best count of right answers over the epochs, as a search scores it, and the weights."""
    own = candidate_seed(seed, architecture, epochs, replicate + (2 if weights else 0))
    network = build(
        architecture,
        input_shape=space.input_shape,
        classes=space.classes,
        generator=torch.Generator().manual_seed(own),
    )
    if weights is not None:
        inherit(network, architecture, parent=PARENT, weights=weights)
    with conditions(threads=1, deterministic=True):
        records = [*train(network, *images, epochs=epochs, recipe=recipe, seed=own, device="cpu")]
    return max(record.valid_correct for record in records), network.state_dict()
