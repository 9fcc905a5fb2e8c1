"""Folders of images: how they are read and divided, and which are refused with which words."""

import numpy as np
import pytest
import torch
from PIL import Image

from optuna_egnas.errors import DataError
from optuna_egnas.evaluation.data import sources as _sources
from optuna_egnas.evaluation.data.held_out import check_test, load_test
from optuna_egnas.evaluation.data.labelled import DataOptions, load_training


def write_folder(folder, count=10, classes=("cat", "dog"), mode="RGB", size=(9, 7)):
    """Each class in one level of gray of its own, 40 apart."""
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            image = Image.new("L", size, 40 * label + number).convert(mode)
            image.save(folder / name / f"{number:02}.{'jpg' if mode == 'CMYK' else 'png'}")
    return f"folder:{folder}"


def opened(monkeypatch):
    """The files that Pillow opens from now on."""
    files, original = set(), Image.open
    monkeypatch.setattr(Image, "open", lambda file: files.add(file) or original(file))
    return files


def test_a_plain_folder_is_divided_by_its_files_and_the_test_part_stays_closed(
    tmp_path, monkeypatch
):
    name = write_folder(tmp_path / "own", count=10)
    options = DataOptions(image_size=5, test_fraction=0.3)
    files = opened(monkeypatch)
    data = load_training(name, options)
    trained_on = set(files)
    files.clear()
    test = load_test(name, options)
    kept = files - trained_on
    assert len(trained_on) == 14 and len(kept) == 6 and len(files & trained_on) <= 1
    assert data.input_shape == (3, 5, 5) and data.class_names == ("cat", "dog") and not data.flip
    assert data.samples.labels.bincount().tolist() == [7, 7]
    assert test.labels.bincount().tolist() == [3, 3]
    levels = torch.cat([data.samples.images[:, 0, 0, 0], test.images[:, 0, 0, 0]])
    assert sorted(levels.tolist()) == [*range(10), *range(40, 50)]
    for file in kept:
        file.write_bytes(b"garbage")
    assert load_training(name, options).fingerprint() == data.fingerprint()
    with pytest.raises(DataError, match="readable by Pillow"):
        load_test(name, options)


def test_a_folder_with_train_and_test_keeps_them_apart(tmp_path, monkeypatch):
    write_folder(tmp_path / "own" / "train", count=2, mode="L")
    write_folder(tmp_path / "own" / "test", count=3, mode="1")
    name = f"folder:{tmp_path / 'own'}"
    data = load_training(name)
    assert data.input_shape == (1, 32, 32) and len(data.samples.labels) == 4
    assert len(load_test(name).labels) == 6
    files = opened(monkeypatch)
    check_test(name, DataOptions())
    assert not files, "that they are there is seen without a look at them"
    (tmp_path / "own" / "test" / "cat" / "00.png").write_bytes(b"garbage")
    (tmp_path / "own" / "test" / "empty").mkdir()
    assert load_training(name).fingerprint() == data.fingerprint()
    with pytest.raises(DataError, match=r"found .*empty"):
        check_test(name, DataOptions())


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("L", 1), ("RGB", 3), ("P", 3), ("RGBA", 3), ("CMYK", 3)]
)
def test_the_mode_decides_the_channels(mode, channels, tmp_path):
    data = load_training(write_folder(tmp_path / "own", mode=mode))
    assert data.input_shape == (channels, 32, 32)


def test_a_palette_with_transparency_is_colour_without_a_warning(tmp_path):
    name = write_folder(tmp_path / "own", mode="P")
    for file in (tmp_path / "own").rglob("*.png"):
        Image.new("P", (4, 4)).save(file, transparency=b"\x80")
    assert load_training(name).input_shape == (3, 32, 32)


def broken_exif(file):
    Image.new("RGB", (4, 4)).save(file, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x09\0\x0f\x01")


def truncated(file):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file)
    file.write_bytes(file.read_bytes()[:5000])


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.write_bytes(b"garbage"), "readable by Pillow.*cannot identify"),
        (truncated, "readable by Pillow.*truncated"),
        (broken_exif, "readable by Pillow.*EXIF"),
        (lambda file: Image.new("RGB", (13, 10)).save(file), "readable.*BombWarning"),
        (lambda file: Image.new("RGB", (30, 30)).save(file), "readable.*BombError"),
        (lambda file: Image.new("I;16", (4, 4)).save(file), "^images must have .*found I;16"),
        (lambda file: Image.new("LA", (4, 4)).save(file), "^images must have .*found LA"),
        (lambda file: Image.new("L", (4, 4)).save(file), "01.png in grayscale and .*in colour"),
    ],
)
def test_an_unfit_image_is_named(spoil, words, tmp_path, monkeypatch):
    name = write_folder(tmp_path / "train", count=3)
    write_folder(tmp_path / "test", count=1)
    file = tmp_path / "train" / "dog" / "01.png"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000 if spoil is truncated else 100)
    spoil(file)
    with pytest.raises(DataError, match=words) as caught:
        load_training(name.removesuffix("/train"))
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)


def test_gray_test_images_for_a_colour_training_are_refused(tmp_path):
    write_folder(tmp_path / "train", count=2)
    write_folder(tmp_path / "test", count=2, mode="L")
    with pytest.raises(DataError, match=r"found .*test.cat.00.png in grayscale and .*train.cat"):
        load_test(f"folder:{tmp_path}")


def test_a_folder_beyond_the_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    name = write_folder(tmp_path / "own", count=10)
    size = DataOptions(image_size=512, test_fraction=0.5)
    needed = 10 * 3 * 512 * 512
    monkeypatch.setattr(_sources, "available_memory", lambda: needed * 10 // 8 - 1)
    files = opened(monkeypatch)
    with pytest.raises(DataError, match=r"80% of the 9.4 MiB .*found 7.5 MiB needed"):
        load_training(name, size)
    assert len(files) == 1
    monkeypatch.setattr(_sources, "available_memory", lambda: needed * 10 // 8 + 1)
    assert load_training(name, size).input_shape == (3, 512, 512)


def test_available_memory_is_that_of_this_machine():
    assert 2**26 < _sources.available_memory() < 2**46


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ([], "image folder must exist, found none at"),
        ([""], "must hold a subfolder with images for each class, found .*own"),
        (["cat/", "dog/"], "must hold a subfolder with images.*classes cat, dog"),
        (["cat/0", "cat/1"], "at least 2 classes, found only cat"),
        (["train/cat/0", "train/dog/0"], "both train and test, .*found train alone"),
        (["test/cat/0", "test/dog/0"], "both train and test, .*found test alone"),
        (["cat/0", "cat/1", "dog/0"], "at least 2 images to be divided, found 1 of class dog"),
        (["cat/0", "cat/1", "dog/0", "dog/1"], r"fraction must give 2..2 of 4 .*found 1 from"),
    ],
)
def test_a_folder_of_another_layout_is_refused(layout, words, tmp_path):
    for entry in layout:
        folder, _, file = f"own/{entry}".rpartition("/")
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        if file:
            Image.new("L", (4, 4)).save(tmp_path / folder / f"{file}.png")
    with pytest.raises(DataError, match=words):
        load_training(f"folder:{tmp_path / 'own'}")


def test_test_classes_that_differ_are_named(tmp_path):
    write_folder(tmp_path / "train", count=2)
    write_folder(tmp_path / "test", count=2, classes=("cat", "fox"))
    assert load_training(f"folder:{tmp_path}").class_names == ("cat", "dog")
    with pytest.raises(DataError, match="same classes, found dog, fox in one"):
        load_test(f"folder:{tmp_path}")
