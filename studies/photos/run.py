"""A new user's day: few photos, all defaults; is the search worth it beside a plain CNN?

    python studies/photos/run.py --seeds 10

Each seed draws its own 392 training and 2,000 test pictures (make.py), searches and trains by the
defaults of the command line, and trains beside it what a person writes in fifteen lines: a plain
CNN with at most as many parameters (AdamW, one cycle, 30 epochs, batches of 16), and logistic
regression on the pixels. Rows of results.csv are not measured again, so a run that was stopped
goes on. report.py makes REPORT.md of it.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from fashion import DATA
from make import make
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from optuna_egnas import search, train

HERE = Path(__file__).parent
TABLE = HERE / "results.csv"
COLUMNS = (
    *("seed", "n_train", "n_test", "found", "found_params", "search_seconds", "train_seconds"),
    *("plain", "plain_params", "plain_seconds", "regression", "torch", "threads"),
)
SIDE, EPOCHS, BATCH = 32, 30, 16


class Plain(nn.Module):
    """Three convolutions with max pooling, as a person writes them first."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 1
        for outputs in (width, 2 * width, 4 * width):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(inputs, classes)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(images)
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits


def size(network: nn.Module) -> int:
    return sum(values.numel() for values in network.parameters())


def widest(params: int, classes: int) -> int:
    """The width of the largest plain CNN with at most so many parameters."""
    return max(
        width for width in range(1, 65) if size(Plain(width, classes)) <= params or width == 1
    )


def pixels(folder: Path) -> tuple[Tensor, Tensor]:
    """All pictures of a folder at one size, as a person reads them."""
    images, labels = [], []
    for label, place in enumerate(sorted(folder.iterdir())):
        for file in sorted(place.iterdir()):
            with Image.open(file) as picture:
                images.append(np.asarray(picture.convert("L").resize((SIDE, SIDE))))
            labels.append(label)
    return torch.tensor(np.stack(images))[:, None].float(), torch.tensor(labels)


def plain(folder: Path, params: int, seed: int) -> tuple[int, int, float]:
    """Right answers of the plain CNN, its parameters, and the seconds of its training."""
    (images, labels), (test, answers) = pixels(folder / "train"), pixels(folder / "test")
    mean, deviation = images.mean(), images.std()
    images, test = (images - mean) / deviation, (test - mean) / deviation
    torch.manual_seed(seed)
    classes = int(labels.max()) + 1
    network = Plain(widest(params, classes), classes)
    steps = EPOCHS * -(-len(labels) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps)
    started = time.perf_counter()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(labels)).split(BATCH):
            optimizer.zero_grad()
            cross_entropy(network(images[batch]), labels[batch]).backward()
            optimizer.step()
            schedule.step()
    seconds = time.perf_counter() - started
    network.eval()
    with torch.no_grad():
        guesses = torch.cat([network(part).argmax(1) for part in test.split(500)])
    return int((guesses == answers).sum()), size(network), seconds


def regression(folder: Path) -> int:
    """Right answers of logistic regression on pixels."""
    (images, labels), (test, answers) = pixels(folder / "train"), pixels(folder / "test")
    model = LogisticRegression(max_iter=2000)
    model.fit(images.flatten(1).numpy() / 255, labels.numpy())
    return int((model.predict(test.flatten(1).numpy() / 255) == answers.numpy()).sum())


def measure(seed: int, data: Path) -> dict[str, object]:
    folder = Path(tempfile.mkdtemp())
    try:
        make(folder / "photos", data, seed)
        storage = f"sqlite:///{folder}/egnas.db"
        started = time.perf_counter()
        studies = search(f"folder:{folder}/photos", storage=storage, name="photos")
        searched = time.perf_counter()
        result = train(studies)
        trained = time.perf_counter()
        record = result.records[0]
        right, params, seconds = plain(folder / "photos", result.params, seed)
        return {
            "seed": seed,
            "n_train": result.settings.n_train,
            "n_test": record.n_test,
            "found": record.test_correct,
            "found_params": result.params,
            "search_seconds": round(searched - started, 1),
            "train_seconds": round(trained - searched, 1),
            "plain": right,
            "plain_params": params,
            "plain_seconds": round(seconds, 1),
            "regression": regression(folder / "photos"),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        }
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description="All defaults on few photos.")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--data", type=Path, default=DATA)
    given = parser.parse_args()
    there: set[str] = set()
    if TABLE.exists():
        with TABLE.open(encoding="utf-8", newline="") as file:
            there = {row["seed"] for row in csv.DictReader(file)}
    for seed in range(given.seeds):
        if str(seed) in there:
            continue
        record = measure(seed, given.data)
        new = not TABLE.exists()
        with TABLE.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            if new:
                writer.writeheader()
            writer.writerow(record)
        print(record, flush=True)


if __name__ == "__main__":
    main()
