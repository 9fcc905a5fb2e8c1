"""Photos of five kinds of clothes, as a person has them: few, of mixed sizes, in uneven classes.

    python studies/photos/make.py photos --seed 0

Takes Fashion-MNIST (https://github.com/zalandoresearch/fashion-mnist), which must lie in --data
as its four gzip files; Debian's package dataset-fashion-mnist puts it there. Writes PNG files
into photos/train and photos/test, a folder a class. Training pictures come from its training
part, test pictures from its test part, so no picture is in both.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from fashion import DATA, Part, read
from PIL import Image

CLASSES = {"shirt-like": 0, "trousers": 1, "pullover": 2, "sandal": 5, "bag": 8}
SHARES = (0.3, 0.25, 0.2, 0.15, 0.1)
N_TRAIN, N_TEST = 392, 2000
SIDES = (28, 72)
"""Pictures are enlarged to a side between these."""


def counts(total: int) -> list[int]:
    """So many pictures of each class; together `total`."""
    most = [round(total * share) for share in SHARES]
    return [total - sum(most[1:]), *most[1:]]


def chosen(part: Part, total: int, random: np.random.Generator) -> list[tuple[str, np.ndarray]]:
    """Pictures drawn at random from each class, with its name."""
    drawn = []
    for (name, label), count in zip(CLASSES.items(), counts(total), strict=True):
        there = np.flatnonzero(part.labels == label)
        # The test part has 1,000 pictures of a class: more than any count here.
        for index in random.permutation(there)[:count]:
            drawn.append((name, part.images[index]))
    return drawn


def write(
    folder: Path, pictures: list[tuple[str, np.ndarray]], random: np.random.Generator
) -> None:
    for number, (name, pixels) in enumerate(pictures):
        side = int(random.integers(*SIDES, endpoint=True))
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
        picture.save(place / f"{number:05}.png")


def make(folder: Path, data: Path, seed: int) -> None:
    """Write both parts, drawn anew for each seed."""
    random = np.random.default_rng(seed)
    for name, total in (("train", N_TRAIN), ("test", N_TEST)):
        write(folder / name, chosen(read(data, name), total, random), random)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write photos of five classes.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    make(given.folder, given.data, given.seed)
