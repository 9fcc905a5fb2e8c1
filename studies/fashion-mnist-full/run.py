"""The whole of Fashion-MNIST, end to end: search, final training, export; then its rivals.

    python studies/fashion-mnist-full/run.py

The first three parts are the commands that a user types, timed by the clock: `egnas search`,
`egnas train`, `egnas export`. The rivals are trained after that, two at a time, by the same
recipe on the same images for as many epochs; the test set is read once for each, at its end. A
run that was cut off goes on where it stopped: the search and its final training by themselves,
the rest from rivals.csv. Writes REPORT.md. `--only PART` runs one part: search, train, export,
rivals or report.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from networks import Rival, rivals
from report import report

from optuna_egnas import LinkedStudies, load_linked_studies
from optuna_egnas._search.identity import stored_images, stored_test
from optuna_egnas._storage.final_results import finals
from optuna_egnas.evaluation.data.labelled import LabelledImages
from optuna_egnas.evaluation.engine.augmentation import channel_statistics
from optuna_egnas.evaluation.engine.loop import count_correct, train
from optuna_egnas.options import Recipe

HERE = Path(__file__).parent
NAME, STORAGE = "fashion-mnist-full", "sqlite:///fashion-mnist-full.db"
TIMES, RIVALS = HERE / "times.csv", HERE / "rivals.csv"
EPOCHS, SEEDS = 8, 1
SEARCH_LIMIT = "60m"
PARTS = ("search", "train", "export", "rivals", "report")


def commands() -> dict[str, list[list[str]]]:
    """What a user would type, by part."""
    stored = ["--storage", STORAGE]
    formats = ("state-dict", "torch-export", "onnx", "python")
    return {
        "search": [
            ["search", str(HERE / "study.toml"), *stored, "--workers", "2"]
            + ["--time-limit", SEARCH_LIMIT]
        ],
        "train": [["train", NAME, *stored, "--epochs", str(EPOCHS), "--seeds", str(SEEDS)]],
        "export": [["export", NAME, *stored, "--format", name] for name in formats],
    }


def timed(part: str) -> None:
    """Run a part's commands; write its seconds down, whether it ends or is cut off."""
    started, ended = time.perf_counter(), 0
    try:
        for arguments in commands()[part]:
            print("egnas", *arguments, flush=True)
            subprocess.run([sys.executable, "-m", "optuna_egnas", *arguments], check=True)
        ended = 1
    finally:
        seconds = round(time.perf_counter() - started, 1)
        append(TIMES, {"part": part, "seconds": seconds, "ended": ended})


def append(table: Path, row: dict[str, Any]) -> None:
    """Write one row at once."""
    is_new = not table.exists()
    with table.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*row], lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def rows_of(table: Path) -> list[dict[str, str]]:
    """What is there already."""
    if not table.exists():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def train_rivals() -> None:
    """All that are not there yet, two at a time, each on a thread of its own."""
    done = {(row["name"], int(row["seed"])) for row in rows_of(RIVALS)}
    studies = load_linked_studies(storage=STORAGE, name=NAME)
    space, params = studies.link.space, studies.result().params
    names = [rival.name for rival in rivals(space, params)]
    left = [(name, seed) for seed in range(SEEDS) for name in names if (name, seed) not in done]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), initializer=one_thread) as pool:
        for row in pool.imap_unordered(train_rival, left):
            append(RIVALS, row)
            print(row, flush=True)


def one_thread() -> None:
    torch.set_num_threads(1)


def train_rival(which: tuple[str, int]) -> dict[str, Any]:
    """One rival's training and, at its end, its test."""
    name, seed = which
    studies = load_linked_studies(storage=STORAGE, name=NAME)
    space, params = studies.link.space, studies.result().params
    rival = next(each for each in rivals(space, params) if each.name == name)
    started = time.perf_counter()
    right, n_test, train_accuracy = examined(studies, rival, seed)
    return {
        "name": name,
        "seed": seed,
        "params": rival.params,
        "macs": rival.macs,
        "epochs": EPOCHS,
        "train_accuracy": round(train_accuracy, 4),
        "test_correct": right,
        "n_test": n_test,
        "seconds": round(time.perf_counter() - started, 1),
        "architecture": json.dumps(rival.architecture.to_json() if rival.architecture else None),
    }


def examined(studies: LinkedStudies, rival: Rival, seed: int) -> tuple[int, int, float]:
    """Right answers of the test, how many there are, and the train accuracy."""
    parts = stored_images(studies)
    images = LabelledImages(
        images=torch.cat([part.images for part in parts]),
        labels=torch.cat([part.labels for part in parts]),
    )
    recipe = Recipe(**finals(studies)[0].settings.recipe)
    network, last = rival.make(seed), None
    for last in train(
        network, images, None, epochs=EPOCHS, recipe=recipe, seed=seed, device="cpu"
    ):
        print(rival.name, last, flush=True)
    assert last is not None
    test, statistics = stored_test(studies), channel_statistics(images.images)
    right = count_correct(network, test.images, test.labels, statistics)
    return right, len(test.labels), last.train_accuracy


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=PARTS)
    only = parser.parse_args().only
    done = {row["part"] for row in rows_of(TIMES) if row["ended"] == "1"}
    for part in PARTS if only is None else (only,):
        if part == "rivals":
            train_rivals()
        elif part == "report":
            studies = load_linked_studies(storage=STORAGE, name=NAME)
            text = report(studies, rows_of(TIMES), rows_of(RIVALS))
            (HERE / "REPORT.md").write_text(text, encoding="utf-8")
        elif part not in done:
            timed(part)


if __name__ == "__main__":
    main()
