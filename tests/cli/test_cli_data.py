"""The command line: folders of images, test data that stay out of a search, and bad data."""

from __future__ import annotations

import io
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import TINY, Prepare, Shell, draw_images, file, nothing

from optuna_egnas import load_linked_studies
from optuna_egnas.__main__ import main


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


def test_no_test_file_of_a_published_set_is_opened_by_a_search(
    egnas: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = kmnist_with_damaged_tests(egnas)
    egnas.write("s.toml", TINY.replace('"digits"', f'"{dataset}"').replace("subset = 200", ""))

    monkeypatch.setitem(sys.modules, "optuna_egnas.evaluation.data.held_out", None)

    assert egnas("search", "s.toml", "--json").record["candidates"] > 2


# Broken images


def study(folder: str) -> str:
    small = TINY.replace("max_depth = 3", "max_depth = 2").replace(
        "max_width = 6", "max_width = 4"
    )
    content = small.replace('"digits"', f'"folder:{folder}"').replace("subset = 200", "")
    return f"{content}\n[data]\nimage_size = 8\n"


@pytest.mark.parametrize("part", ["", "test"])
def test_a_broken_image_is_told_at_the_start_and_the_search_outlives_its_mending(
    egnas: Shell, part: str
) -> None:
    draw_images(egnas.folder / "pets")
    if part:
        draw_images(egnas.folder / "pets" / part, count=30)
    egnas.write("s.toml", study("pets"))
    broken = egnas.write(f"pets/{part or '.'}/cat/broken.png", b"\x89PNG")

    egnas.refuses("search", "s.toml", saying=("cat/broken.png", "--skip-broken"))

    begun = egnas("search", "s.toml", "--skip-broken", "--json")
    assert begun.record["candidates"] > 2
    assert "1 file that cannot be read: " in begun.err
    assert egnas("train", "--epochs", "1", "--json").code == 0
    broken.unlink()
    assert egnas("search", "s.toml", "--json").record["resumed"] > 2
    assert egnas("train", "--epochs", "1", "--json").code == 0


def test_a_test_image_that_breaks_later_ends_neither_search_nor_training(egnas: Shell) -> None:
    draw_images(egnas.folder / "pets")
    draw_images(egnas.folder / "pets" / "test", count=30)
    egnas.write("s.toml", study("pets"))
    assert egnas("search", "s.toml").code == 0
    egnas.write("pets/test/cat/29.png", b"")

    egnas.refuses("train", "--epochs", "1", saying=("test/cat/29.png", "--skip-broken"))

    assert egnas("train", "--epochs", "1", "--skip-broken").code == 0


def test_the_start_says_what_was_found(egnas: Shell) -> None:
    draw_images(egnas.folder / "pets", count=30)
    egnas.write("pets/cat/notes.txt", b"x")
    egnas.write("pets/dog/copy.png", (egnas.folder / "pets/dog/3.png").read_bytes())
    egnas.write("pets/dog/cat.png", (egnas.folder / "pets/cat/3.png").read_bytes())

    said = egnas("search", "folder:pets", "--image-size", "8", "--forecast-only").err

    assert "2 classes (cat, dog): " in said
    assert " to train on, " in said
    assert "Left out: 1 .txt." in said
    assert "2 copies of other images" in said
    assert "the same as one of another class: cat/3.png and dog/cat.png" in said


def test_few_and_uneven_images_are_warned_of(egnas: Shell) -> None:
    draw_images(egnas.folder / "pets", count=40)
    start = ("search", "folder:pets", "--image-size", "8", "--forecast-only")
    even = egnas(*start).err

    for number in range(25):
        (egnas.folder / f"pets/dog/{number}.png").unlink()
    uneven = egnas(*start).err

    assert re.search(r"Only \d+ images validate: one image is \d+\.\d points", even)
    assert "uneven" not in even
    assert re.search(r"uneven: \d+ images of cat, \d+ of dog", uneven)


@pytest.mark.parametrize(
    ("name", "encoding"), [("b\udce9b", "utf-8"), ("猫", "ascii"), ("é b'c", "latin-1")]
)
def test_names_of_any_bytes_are_printed_in_any_encoding(
    egnas: Shell, monkeypatch: pytest.MonkeyPatch, name: str, encoding: str
) -> None:
    draw_images(egnas.folder / name, classes=(f"one {name}", f"two {name}"))
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    monkeypatch.chdir(egnas.folder)
    arguments = ["egnas", "search", f"folder:./{name}/", "--image-size", "8", "--forecast-only"]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)

    with pytest.raises(SystemExit) as left:
        main()

    assert not left.value.code
    err.flush()
    assert b"2 classes (one " in err.buffer.getvalue()


def test_one_folder_is_one_search_under_all_its_spellings(egnas: Shell) -> None:
    draw_images(egnas.folder / "pets")
    resumed = []
    for each in ("pets", "pets/", "./pets", str(egnas.folder / "pets")):
        egnas.write("s.toml", study(each).replace('name = "tiny"\n', ""))
        record = egnas("search", "s.toml", "--json").record
        assert record["name"] == "pets"
        resumed.append(record["resumed"])
    assert resumed == [0, *[record["candidates"]] * 3]


# Bad data


def images(change: Callable[[Path], object] = bool, **drawn: Any) -> Prepare:
    """A folder `pets` of images, changed by hand."""

    def prepare(shell: Shell) -> None:
        draw_images(shell.folder / "pets", **drawn)
        change(shell.folder / "pets")

    return prepare


def damaged(folder: Path) -> None:
    for index in range(3, 20):
        whole = folder / "dog" / f"{index}.png"
        whole.write_bytes(whole.read_bytes()[:60])


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    (folder / "cat").mkdir(parents=True)
    (folder / "dog").mkdir()


def half_divided(folder: Path) -> None:
    (folder / "cat").rename(folder / "test")


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
    "corrupt images": (
        images(damaged),
        "folder:pets",
        ("17 that are not", "dog/10.png", "14 more"),
    ),
    "a class and a part": (images(half_divided), "folder:pets", ("test in pets may be a class",)),
    "a long path": (nothing, f"folder:{'x/' * 3000}", ("must exist", "...")),
    "no colour": (images(), "folder:pets --ground bright", ("ground", "bright")),
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
