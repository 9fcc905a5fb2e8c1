"""The command line: folders of images, test data that stay out of a search, and bad data."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import TINY, Prepare, Shell, draw_images, file, nothing
from PIL import Image

from optuna_egnas import load_linked_studies


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_folder_of_images_is_searched_from_start_to_end(egnas: Shell, mode: str) -> None:
    draw_images(egnas.folder / "pets", mode=mode)
    options = TINY.replace('"digits"', '"folder:pets"').replace('name = "tiny"\nsubset = 200', "")
    egnas.write("pets.toml", f"{options}\n[data]\nimage_size = 8\n")

    record = egnas("search", "pets.toml", "--json").record

    assert record["name"] == "pets"
    assert record["valid_accuracy"] is not None
    studies = load_linked_studies(storage="sqlite:///egnas.db", name="pets")
    assert studies.link.space.input_shape == ({"L": 1, "RGB": 3}[mode], 8, 8)
    assert studies.link.space.classes == 2


# Test data stay out of the search


def idx(values: Any, *sizes: int) -> bytes:
    header = (0x0800 + len(sizes)).to_bytes(4, "big")
    return header + b"".join(size.to_bytes(4, "big") for size in sizes) + bytes(values)


def kmnist_with_damaged_tests(shell: Shell) -> str:
    labels = [index % 10 for index in range(100)]
    pixels = [(37 * index) % 251 for index in range(100 * 8 * 8)]
    raw = "data/KMNIST/raw"
    shell.write(f"{raw}/train-images-idx3-ubyte", idx(pixels, 100, 8, 8))
    shell.write(f"{raw}/train-labels-idx1-ubyte", idx(labels, 100))
    for kind in ("images-idx3", "labels-idx1"):
        shell.write(f"{raw}/t10k-{kind}-ubyte", b"garbage")
    return "kmnist"


def folder_with_damaged_tests(shell: Shell) -> str:
    draw_images(shell.folder / "pets/train")
    draw_images(shell.folder / "pets/test")
    for image in (shell.folder / "pets/test").glob("*/*.png"):
        image.write_bytes(b"garbage")
    return "folder:pets"


@pytest.mark.parametrize("prepare", [kmnist_with_damaged_tests, folder_with_damaged_tests])
def test_no_test_file_is_opened_by_a_search(
    egnas: Shell, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Shell], str]
) -> None:
    dataset = prepare(egnas)
    egnas.write("s.toml", TINY.replace('"digits"', f'"{dataset}"').replace("subset = 200", ""))

    monkeypatch.setitem(sys.modules, "optuna_egnas.evaluation.data.held_out", None)

    assert egnas("search", "s.toml", "--json").record["candidates"] > 2


# Bad data


def images(change: Callable[[Path], object] = bool, **drawn: Any) -> Prepare:
    """A folder `pets` of images, changed by hand."""

    def prepare(shell: Shell) -> None:
        draw_images(shell.folder / "pets", **drawn)
        change(shell.folder / "pets")

    return prepare


def coloured(folder: Path) -> None:
    Image.new("RGB", (8, 8)).save(folder / "cat" / "3.png")


def damaged(folder: Path) -> None:
    # Most of them: those that are kept for the test are not opened.
    for index in range(3, 20):
        whole = folder / "dog" / f"{index}.png"
        whole.write_bytes(whole.read_bytes()[:60])


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    (folder / "cat").mkdir(parents=True)
    (folder / "dog").mkdir()


def half_divided(folder: Path) -> None:
    (folder / "cat").rename(folder / "train")


BAD_DATA: dict[str, tuple[Prepare, str, tuple[str, ...]]] = {
    "unknown": (nothing, "nope", ("nope", "digits, fashion-mnist")),
    "misspelt": (nothing, "fashion_mnist", ("did you mean fashion-mnist?",)),
    "empty name": (nothing, "", ("must be one of", "''")),
    "no path": (nothing, "folder:", ("'folder:'",)),
    "a folder without folder:": (images(), "pets", ("did you mean folder:pets?",)),
    "missing files": (nothing, "kmnist --data-root here", ("here/KMNIST/raw", "--download")),
    "missing pickles": (nothing, "cifar10", ("data_batch_1", "--data-root")),
    "damaged idx": (
        lambda shell: (kmnist_with_damaged_tests(shell), shell.write(IDX, b"garbage")),
        "kmnist",
        (IDX := "data/KMNIST/raw/train-images-idx3-ubyte",),
    ),
    "missing folder": (nothing, "folder:pets", ("must exist", "pets")),
    "a file as folder": (file("pets", "x"), "folder:pets", ("must exist", "pets")),
    "empty folder": (images(shutil.rmtree), "folder:pets", ("must exist", "pets")),
    "folder without classes": (
        lambda shell: (shell.folder / "pets").mkdir(),
        "folder:pets",
        ("a subfolder with images for each class",),
    ),
    "classes without images": (images(emptied), "folder:pets", ("pets", "class")),
    "one class": (images(classes=("cat",)), "folder:pets", ("at least 2 classes", "only cat")),
    "one image of a class": (images(count=1), "folder:pets", ("at least 2 images", "cat")),
    "mixed modes": (images(coloured), "folder:pets", ("all grayscale or all colour", "3.png")),
    "corrupt images": (images(damaged), "folder:pets", ("readable", "dog/")),
    "train without test": (images(half_divided), "folder:pets", ("both train and test",)),
    "size of digits": (nothing, "digits --image-size 8", ("image_size is for folder:PATH only",)),
    "size of nothing": (images(), "folder:pets --image-size 0", ("image_size", "at least 1")),
    "no share": (images(), "folder:pets --test-fraction 1.5", ("test_fraction", "1.5")),
    "a toml that is missing": (nothing, "study.toml", ("study.toml", "No such file")),
    "a folder named .toml": (nothing, "folder:x.toml", ("must exist", "x.toml")),
}


@pytest.mark.parametrize("story", BAD_DATA)
def test_bad_data_are_refused(egnas: Shell, story: str) -> None:
    prepare, arguments, saying = BAD_DATA[story]
    prepare(egnas)

    egnas.refuses("search", *arguments.split(" "), saying=saying)
