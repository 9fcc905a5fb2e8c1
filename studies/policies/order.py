"""Do candidates keep their order when they are trained short? On the digits, never on their test.

    python studies/policies/order.py --splits 0 1

Networks of policy `sound`'s space, each trained for 4 epochs by three recipes and scored on
validation images, and once for 30 epochs by the published recipe, on training and validation
images together, and scored by a quarter of the training images that is kept back (the judge).
One line per split and network in `order.csv`; what is there already is not trained again.

The table there was recorded before recipes had a warm-up, with the same schedule to within a step.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from recorded import rank_correlation

from optuna_egnas import Architecture
from optuna_egnas._methods.egnas.cost import count_params, widest
from optuna_egnas.evaluation.data.labelled import LabelledImages, load_training, split
from optuna_egnas.evaluation.engine.augmentation import channel_statistics
from optuna_egnas.evaluation.engine.conditions import conditions
from optuna_egnas.evaluation.engine.loop import count_correct, train
from optuna_egnas.networks import build
from optuna_egnas.options import Recipe

TABLE = Path(__file__).parent / "order.csv"
DEPTHS, WIDTH, SLACK = (3, 6, 9, 12), 16, 10_000
SHORT, LONG = 4, 30
SHAPE, CLASSES = (1, 8, 8), 10
PUBLISHED = Recipe.for_images(SHAPE, flip=False)
RECIPES = {
    "published": PUBLISHED,
    "rate 0.1": replace(PUBLISHED, learning_rate=0.1),
    "one-cycle": replace(PUBLISHED, learning_rate=0.1, warmup=0.3),
}
KINDS = ("conv, 1 of 3", "conv, 2 of 3", "conv, 3 of 3", "kernel 5, 1 of 3")
Row = dict[str, Any]
Shape = tuple[int, int, int]


def networks() -> Iterator[tuple[str, Architecture]]:
    """Chains, and the same with full convolutions in one to three thirds of their layers."""
    for depth in DEPTHS:
        chain = Architecture.chain(depth=depth, width=WIDTH)
        yield "sep", chain
        for thirds in (1, 2, 3):
            count = thirds * (depth // 3)
            ops = ("conv",) * count + chain.ops[count:]
            yield f"conv, {thirds} of 3", within(replace(chain, ops=ops), chain, SHAPE)
        third = depth // 3
        yield "kernel 5, 1 of 3", replace(chain, kernels=(3,) * (depth - third) + (5,) * third)


def within(network: Architecture, chain: Architecture, shape: Shape) -> Architecture:
    """At the widest width, up to the chain's, within its parameters and the slack."""
    params = partial(count_params, input_shape=shape, classes=CLASSES)
    limit = params(chain) + SLACK
    widths = partial(_at, network)
    found = widest(widths, lambda each: params(each) <= limit, at_most=chain.width)
    assert found is not None
    return found


def _at(network: Architecture, width: int) -> Architecture:
    return replace(network, width=width)


def record(number: int, kind: str, network: Architecture) -> Row:
    """One line: right answers of the short trainings, and of the long one by the judge."""
    rest, judge = split(
        load_training("digits", reading=1), valid_fraction=0.25, seed=number, subset=None
    )
    few = LabelledImages(images=rest.images, labels=rest.labels)
    order = torch.randperm(len(few.labels), generator=torch.Generator().manual_seed(number))
    cut = len(order) * 4 // 5
    training, validation = few.take(order[:cut]), few.take(order[cut:])
    row: Row = {"split": number, "depth": network.depth, "kind": kind, "width": network.width}
    with conditions(threads=1, deterministic=True):
        for name, recipe in RECIPES.items():
            _, curve = _trained(network, training, validation, SHORT, recipe, number)
            row[name] = max(curve)
        trained, _ = _trained(network, few, None, LONG, PUBLISHED, number)
        statistics_ = channel_statistics(few.images)
        row["judge"] = count_correct(trained, judge.images, judge.labels, statistics_)
    return row


def _trained(
    network: Architecture,
    training: LabelledImages,
    validation: LabelledImages | None,
    epochs: int,
    recipe: Recipe,
    seed: int,
) -> tuple[torch.nn.Module, list[int]]:
    generator = torch.Generator().manual_seed(seed)
    built = build(network, input_shape=SHAPE, classes=CLASSES, generator=generator)
    run = train(built, training, validation, epochs=epochs, recipe=recipe, seed=seed, device="cpu")
    return built, [each.valid_correct for each in run]


def rows_of(table: Path) -> list[Row]:
    """What is there already, with numbers as numbers."""
    if not table.exists():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return [
            {key: value if key == "kind" else int(value) for key, value in row.items()}
            for row in csv.DictReader(file)
        ]


def agreement(rows: list[Row]) -> list[list[str]]:
    """For each recipe: does it order the networks as the judge does, and see what blocks gain?"""
    lines = []
    splits = {row["split"] for row in rows}
    whole = {s for s in splits if sum(row["split"] == s for row in rows) == len([*networks()])}
    mean = {
        name: [
            statistics.fmean(row[name] for row in rows if _key(row) == key and _in(row, whole))
            for key in dict.fromkeys(map(_key, rows))
        ]
        for name in (*RECIPES, "judge")
    }
    for name in RECIPES:
        correlation = f"{rank_correlation(mean[name], mean['judge']):.2f}"
        lines.append([name, correlation, *(_gains(rows, name, kind) for kind in KINDS)])
    return [*lines, ["judge", "", *(_gains(rows, "judge", kind) for kind in KINDS)]]


def _gains(rows: list[Row], name: str, kind: str) -> str:
    """By how much a kind beats the plain chains: the mean, and in how many cases."""
    plain = {(row["split"], row["depth"]): row for row in rows if row["kind"] == "sep"}
    gains = [
        row[name] - plain[row["split"], row["depth"]][name] for row in rows if row["kind"] == kind
    ]
    return f"{statistics.fmean(gains):+.1f}, {sum(gain > 0 for gain in gains)} of {len(gains)}"


def _key(row: Row) -> tuple[int, str]:
    return row["depth"], row["kind"]


def _in(row: Row, splits: set[int]) -> bool:
    return row["split"] in splits


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--splits", type=int, nargs="+", default=[0, 1, 2, 3])
    arguments = parser.parse_args()
    known = {(row["split"], row["depth"], row["kind"]) for row in rows_of(TABLE)}
    for number in arguments.splits:
        for kind, network in networks():
            if (number, network.depth, kind) in known:
                continue
            row = record(number, kind, network)
            is_new = not TABLE.exists()
            with TABLE.open("a", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, [*row], lineterminator="\n")
                if is_new:
                    writer.writeheader()
                writer.writerow(row)
            print(row, flush=True)


if __name__ == "__main__":
    main()
