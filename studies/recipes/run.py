"""Which recipe suits which data: equal image-passes, several data sets, networks and seeds.

    pip download --no-deps animal-mnist==0.4
    python studies/recipes/run.py --folder FOLDER_OF_CIFAR

Each row of results.csv is one training: data set, network, recipe, seed, accuracy on the test
images after the last epoch. Rows that are there are not trained again, so a run that was stopped
goes on. The rule of `Recipe.suited` was chosen on the data sets that `CHOOSING` names and
confirmed on the others; report.py makes REPORT.md of both. A data set whose files are absent is
left out with a line.
"""

from __future__ import annotations

import argparse
import csv
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from sets import SETS, Images, Missing
from torch import Generator

from optuna_egnas import Architecture
from optuna_egnas.evaluation.engine.augmentation import channel_statistics
from optuna_egnas.evaluation.engine.loop import count_correct, train
from optuna_egnas.networks import build
from optuna_egnas.options import Recipe

HERE = Path(__file__).parent
TABLE = HERE / "results.csv"
FIELDS = ("data", "n", "network", "params", "recipe", "batch", "epochs", "seed", "correct")
COLUMNS = (*FIELDS, "n_test", "train_accuracy", "seconds", "torch", "machine")

NETWORKS = {
    "sep 6x8": Architecture.chain(depth=6, width=8),
    "sep 12x16": Architecture.chain(depth=12, width=16),
    "mixed 9x12": Architecture(
        width=12, ops=("conv",) * 6 + ("sep",) * 3, kernels=(3,) * 6 + (5,) * 3
    ),
}


def published(images: Images, batch: int) -> Recipe:
    """That of arXiv 2502.03553; the batch is not its own."""
    shape = tuple(images.train.images.shape[1:])
    recipe = Recipe.for_images((shape[0], shape[1], shape[2]), flip=images.flip)
    return Recipe(**{**recipe.to_json(), "batch_size": batch})


def sgd(images: Images, batch: int) -> Recipe:
    return Recipe(
        nesterov=True,
        learning_rate=0.1 * (batch / 64) ** 0.5,
        warmup=0.3,
        weight_decay=5e-4,
        decay="weights",
        batch_size=batch,
        crop_padding=images.padding,
        flip=images.flip,
        label_smoothing=0.1,
    )


def adamw(images: Images, batch: int) -> Recipe:
    return Recipe(
        optimizer="adamw",
        learning_rate=0.01,
        warmup=0.3,
        weight_decay=0.01,
        decay="weights",
        batch_size=batch,
        crop_padding=images.padding,
        flip=images.flip,
        label_smoothing=0.1,
    )


RECIPES: dict[str, Callable[[Images, int], Recipe]] = {
    "published": published,
    "sgd": sgd,
    "adamw": adamw,
}
BATCHES = (64, 32, 16)
LARGE = "fashion-60000"
"""Of so many images, only two recipes and one network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What identifies a training."""

    data: str
    network: str
    recipe: str
    batch: int
    seed: int

    @property
    def key(self) -> tuple[str, ...]:
        return (self.data, self.network, self.recipe, str(self.batch), str(self.seed))


def rows(data: str, seeds: int) -> Iterator[Row]:
    """Seed by seed, so that a run that is cut off has whole repetitions."""
    for seed in range(seeds):
        for network in NETWORKS:
            for recipe in RECIPES:
                for batch in BATCHES:
                    if data == LARGE and (network != "mixed 9x12" or batch != 64):
                        continue
                    yield Row(data=data, network=network, recipe=recipe, batch=batch, seed=seed)


def done() -> set[tuple[str, ...]]:
    if not TABLE.exists():
        return set()
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {
            (row["data"], row["network"], row["recipe"], row["batch"], row["seed"])
            for row in csv.DictReader(file)
        }


def measure(row: Row, images: Images) -> dict[str, object]:
    """Train a network, and test it at the end."""
    channels, height, width = images.train.images.shape[1:]
    network = build(
        NETWORKS[row.network],
        input_shape=(channels, height, width),
        classes=images.classes,
        generator=Generator().manual_seed(row.seed),
    )
    started = time.perf_counter()
    *_, last = train(
        network,
        images.train,
        None,
        epochs=images.epochs,
        recipe=RECIPES[row.recipe](images, row.batch),
        seed=row.seed,
        device="cpu",
    )
    seconds = time.perf_counter() - started
    statistics = channel_statistics(images.train.images)
    correct = count_correct(network, images.test.images, images.test.labels, statistics)
    return {
        "data": row.data,
        "n": len(images.train.labels),
        "network": row.network,
        "params": sum(each.numel() for each in network.parameters()),
        "recipe": row.recipe,
        "batch": row.batch,
        "epochs": images.epochs,
        "seed": row.seed,
        "correct": correct,
        "n_test": len(images.test.labels),
        "train_accuracy": round(last.train_correct / last.n_train, 4),
        "seconds": round(seconds, 1),
        "torch": torch.__version__,
        "machine": f"{platform.machine()} {torch.get_num_threads()} thread(s)",
    }


def write(record: dict[str, object]) -> None:
    new = not TABLE.exists()
    with TABLE.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow(record)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare recipes at equal image-passes.")
    parser.add_argument("--sets", nargs="*", default=[*SETS], choices=[*SETS])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--fashion", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--animals", type=Path, default=Path("animal_mnist-0.4-py3-none-any.whl"))
    parser.add_argument("--folder", type=Path, default=Path("../shared/data"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    trained = done()
    for name in given.sets:
        left = [row for row in rows(name, given.seeds) if row.key not in trained]
        images: Images | None = None
        for row in left:
            try:
                # The images of a seed are its own draw.
                images = SETS[name](row.seed, given)
            except Missing as reason:
                print(f"{name} is left out: {reason}")
                break
            record = measure(row, images)
            write(record)
            share = 100 * int(str(record["correct"])) / int(str(record["n_test"]))
            print(f"{' '.join(row.key):45} {share:6.2f} %  {record['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
