"""What are full convolutions worth after the final training, and what is depth? Never on the test.

    python studies/policies/blocks.py --splits 0 1 2 3 4 5 6 7

Networks that policy `sound` may find on 1,000 images of Fashion-MNIST, each trained for 25 epochs
by the published recipe and scored by 10,000 other training images, the judge. One line per split
and network in `blocks.csv`; what is there already is not trained again.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from order import CLASSES, WIDTH, within
from real import append, rows_of

from optuna_egnas import Architecture
from optuna_egnas._methods.egnas.cost import count_params
from optuna_egnas.evaluation.data.labelled import load_training, split
from optuna_egnas.evaluation.engine.augmentation import channel_statistics
from optuna_egnas.evaluation.engine.conditions import conditions
from optuna_egnas.evaluation.engine.loop import count_correct, train
from optuna_egnas.networks import build
from optuna_egnas.options import Recipe

TABLE = Path(__file__).parent / "blocks.csv"
EPOCHS, IMAGES = 25, 1000
SHAPE = (1, 28, 28)
Row = dict[str, Any]


def networks() -> Iterator[tuple[str, Architecture]]:
    """The deepest chain, the same with other choices in some of its layers, shallower chains."""
    chain = Architecture.chain(depth=12, width=WIDTH)
    yield "depth 12", chain
    for thirds in (1, 2):
        count = 4 * thirds
        changed = replace(chain, ops=("conv",) * count + chain.ops[count:])
        yield f"conv in {thirds} of 3", within(changed, chain, SHAPE)
    yield "kernel 5 in 1 of 3", replace(chain, kernels=(3,) * 8 + (5,) * 4)
    for depth in (9, 6):
        yield f"depth {depth}", Architecture.chain(depth=depth, width=WIDTH)


def record(number: int, kind: str, network: Architecture) -> Row:
    """One line: what the judge finds right after one training."""
    rest, judge = split(
        load_training("fashion-mnist", reading=1), valid_fraction=1 / 6, seed=number
    )
    few = rest.take(
        torch.randperm(len(rest.labels), generator=torch.Generator().manual_seed(number))[:IMAGES]
    )
    built = build(
        network,
        input_shape=SHAPE,
        classes=CLASSES,
        generator=torch.Generator().manual_seed(number),
    )
    recipe = Recipe.for_images(SHAPE, flip=True)
    with conditions(threads=1, deterministic=True):
        for _ in train(built, few, None, epochs=EPOCHS, recipe=recipe, seed=number, device="cpu"):
            pass
        right = count_correct(built, judge.images, judge.labels, channel_statistics(few.images))
    return {
        "split": number,
        "kind": kind,
        "width": network.width,
        "params": count_params(network, SHAPE, CLASSES),
        "correct": right,
        "judged": len(judge.labels),
    }


def worth(rows: list[Row]) -> list[list[str]]:
    """For each kind its mean, and by how many points it is above the plain chain of depth 12."""
    percent = {
        (row["kind"], row["split"]): 100 * int(row["correct"]) / int(row["judged"]) for row in rows
    }
    lines = []
    for kind, network in networks():
        splits = sorted(which for name, which in percent if name == kind)
        gains = [percent[kind, which] - percent["depth 12", which] for which in splits]
        spread = f"{statistics.stdev(gains):.2f}" if len(gains) > 1 and any(gains) else ""
        mean = statistics.fmean(percent[kind, which] for which in splits)
        lines.append(
            [
                kind,
                str(network.width),
                f"{count_params(network, SHAPE, CLASSES):,}",
                str(len(splits)),
                f"{mean:.2f}",
            ]
            + [f"{statistics.fmean(gains):+.2f}", spread]
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--splits", type=int, nargs="+", default=[*range(8)])
    known = {(row["split"], row["kind"]) for row in rows_of(TABLE)}
    for number in parser.parse_args().splits:
        for kind, network in networks():
            if (str(number), kind) in known:
                continue
            row = record(number, kind, network)
            append(TABLE, row)
            print(row, flush=True)


if __name__ == "__main__":
    main()
