"""Whole searches on digits with and without inheriting, and a final training of what they found.

The final training takes the training and the validation images of the search, from scratch, by the
published recipe and for the same epochs whatever the arm; the test set is read once, at its end.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from pairs import append, rows_of

from optuna_egnas import Architecture, LinkedStudies, search
from optuna_egnas._search.identity import stored_images, stored_recipe
from optuna_egnas._storage.studies import trials_of
from optuna_egnas.evaluation.data.held_out import load_test
from optuna_egnas.evaluation.data.labelled import LabelledImages
from optuna_egnas.evaluation.engine.augmentation import channel_statistics
from optuna_egnas.evaluation.engine.conditions import conditions
from optuna_egnas.evaluation.engine.loop import count_correct, train
from optuna_egnas.networks import build
from optuna_egnas.options import SearchOptions

DATA, SEEDS, FINAL_EPOCHS = "digits", 4, 30
ARMS: dict[str, dict[str, Any]] = {
    "scratch": {},
    "a quarter": {"inherit": 0.25},
    "half": {"inherit": 0.5},
    "sound": {"policy": "sound"},
    "sound, a quarter": {"policy": "sound", "inherit": 0.25},
}
"""The rules, and the share of its epochs that an inheriting candidate is trained for."""
BASE = {"a quarter": "scratch", "half": "scratch", "sound, a quarter": "sound"}
"""What an arm is compared with."""


def run(table: Path, storage: str, only: str | None = None) -> None:
    """Every seed and arm that the table does not hold yet; one arm, if it is given."""
    done = {(row["seed"], row["arm"]) for row in rows_of(table)}
    for seed in range(SEEDS):
        for arm in (arm for arm in ARMS if only in (None, arm)):
            if (str(seed), arm) not in done:
                append(table, one(seed, arm, storage))


def one(seed: int, arm: str, storage: str) -> dict[str, Any]:
    """One search, and the final training of its network."""
    options = SearchOptions(profile="quick", seed=seed, macro=ARMS[arm], deterministic=True)
    name = f"{DATA}, {arm}, seed {seed}"
    start = time.perf_counter()
    studies = search(DATA, storage=storage, name=name, options=options)
    result, n_train = studies.result(), studies.link.dataset["n_train"]
    assert result.architecture is not None
    trained = [trial.user_attrs.get("epochs_trained", 0) for trial in trials_of(studies)]
    test_correct, n_test = final(studies, result.architecture, seed)
    print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    return {
        "seed": seed,
        "arm": arm,
        "n_train": n_train,
        "n_valid": studies.link.space.n_valid,
        "depth": result.architecture.depth,
        "width": result.architecture.width,
        "conv": result.architecture.ops.count("conv"),
        "large_kernels": sum(size > 3 for size in result.architecture.kernels),
        "params": result.params,
        "trainings": sum(epochs > 0 for epochs in trained),
        "epochs": sum(trained),
        "passes": sum(trained) * n_train,
        "seconds": round(result.seconds, 1),
        "valid_accuracy": result.valid_accuracy,
        "final_epochs": FINAL_EPOCHS,
        "test_correct": test_correct,
        "n_test": n_test,
    }


def final(studies: LinkedStudies, architecture: Architecture, seed: int) -> tuple[int, int]:
    """Right answers on the test images after the final training, and how many there are."""
    space, recipe = studies.link.space, stored_recipe(studies.link)
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
    with conditions(threads=1, deterministic=True):
        for _ in train(
            network, images, None, epochs=FINAL_EPOCHS, recipe=recipe, seed=seed, device="cpu"
        ):
            pass
        test = load_test(DATA)
        statistics = channel_statistics(images.images)
        return count_correct(network, test.images, test.labels, statistics), len(test.labels)
