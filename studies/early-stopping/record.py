"""Trains random chains through budgets of their own, once, and keeps their whole curves.

    python studies/early-stopping/record.py --chains 120

Depth 4 to 24 (uniform), width 8 to 64 (log-uniform), separable 3x3 convolutions, on a part of
Fashion-MNIST's training images: 1,000 to train on, 800 to validate on and 2,000 to judge by,
class by class. The judge is asked once, at the end of each training, and nothing is chosen by it
but what `analyse.py` calls regret. The test set is never opened.

One line per chain in `curves.jsonl`; one thread, bfloat16. What is there already is not trained
again: stop it at any time. The order is random, so that what there is by then is a fair sample.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path
from typing import Any

import torch

from optuna_egnas import Architecture
from optuna_egnas._core.budget import Size, cost_epochs
from optuna_egnas._methods.egnas.cost import count_macs, count_params
from optuna_egnas.evaluation.data.labelled import LabelledImages, load_training, split
from optuna_egnas.evaluation.engine.augmentation import channel_statistics
from optuna_egnas.evaluation.engine.loop import count_correct, train
from optuna_egnas.networks import build
from optuna_egnas.options import Recipe

HERE = Path(__file__).parent
TABLE = HERE / "curves.jsonl"
DATA, N_TRAIN, N_VALID, N_JUDGE = "fashion-mnist", 1_000, 800, 2_000
SHAPE, CLASSES = (1, 28, 28), 10
MIDDLE = Architecture.chain(depth=12, width=24)
BASE_EPOCHS, FEWEST, MOST = 9, 5, 16


def chain(index: int) -> tuple[Architecture, int]:
    """The chain of this number, and the epochs of its own budget."""
    draw = random.Random(index)
    width = round(math.exp(draw.uniform(math.log(8), math.log(64))))
    architecture = Architecture.chain(depth=draw.randint(4, 24), width=width)
    size, middle = size_of(architecture), size_of(MIDDLE)
    epochs = cost_epochs(
        depth=size.depth, params=size.params, macs=size.macs, base=BASE_EPOCHS, reference=middle
    )
    return architecture, min(max(epochs, FEWEST), MOST)


def size_of(architecture: Architecture) -> Size:
    return Size(
        depth=architecture.depth,
        params=count_params(architecture, SHAPE, CLASSES),
        macs=count_macs(architecture, SHAPE, CLASSES),
    )


def images() -> tuple[LabelledImages, LabelledImages, LabelledImages]:
    """To train on, to validate on, to judge by."""
    content, total = load_training(DATA, reading=1), N_TRAIN + N_VALID + N_JUDGE
    rest, judge = split(content, valid_fraction=N_JUDGE / total, seed=0, subset=total)
    few = LabelledImages(images=rest.images, labels=rest.labels)
    # The images lie in random order, so that any part of them is a sample.
    order = torch.randperm(len(few.labels), generator=torch.Generator().manual_seed(0))
    parts = (order[:N_TRAIN], order[N_TRAIN:])
    training, validation = (
        LabelledImages(images=few.images[part], labels=few.labels[part]) for part in parts
    )
    return training, validation, judge


def record(index: int, data: tuple[LabelledImages, LabelledImages, LabelledImages]) -> Any:
    training, validation, judge = data
    architecture, epochs = chain(index)
    generator = torch.Generator().manual_seed(index)
    network = build(architecture, input_shape=SHAPE, classes=CLASSES, generator=generator)
    recipe = Recipe(crop_padding=4, cutout=14, batch_size=32, precision="bf16")
    started = time.perf_counter()
    run = train(
        network,
        training,
        validation,
        epochs=epochs,
        recipe=recipe,
        seed=index,
        device=torch.device("cpu"),
    )
    curve = [item.valid_correct for item in run]
    seconds = time.perf_counter() - started
    statistics = channel_statistics(training.images)
    size = size_of(architecture)
    return {
        "chain": index,
        "depth": size.depth,
        "width": architecture.width,
        "params": size.params,
        "macs": size.macs,
        "epochs": epochs,
        "valid_correct": curve,
        "judge_correct": count_correct(network, judge.images, judge.labels, statistics),
        "seconds": round(seconds, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--chains", type=int, default=120)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    lines = TABLE.read_text().splitlines() if TABLE.exists() else []
    there = {json.loads(line)["chain"] for line in lines}
    data = images()
    for index in range(arguments.chains):
        if index in there:
            continue
        row = record(index, data)
        with TABLE.open("a") as table:
            table.write(json.dumps(row) + "\n")
        print(f"chain {index}: {row}", flush=True)


if __name__ == "__main__":
    main()
