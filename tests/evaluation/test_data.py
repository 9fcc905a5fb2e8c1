"""Data sets: what is read from where, how it is divided, and what is refused with which words."""

import dataclasses
import gzip
import hashlib
import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import IterableDataset, TensorDataset
from torchvision import datasets

from optuna_egnas.errors import DataError
from optuna_egnas.evaluation import _sources
from optuna_egnas.evaluation._data import (
    DATASETS,
    DataOptions,
    LabelledImages,
    load_test,
    load_training,
    split,
)

DEBIAN = _sources.DEBIAN_FASHION_MNIST
IDX_FOLDERS = {"fashion-mnist": "FashionMNIST", "kmnist": "KMNIST", "emnist": "EMNIST"}
EMNIST_PREFIX = {"train": "emnist-balanced-train", "t10k": "emnist-balanced-test"}
CIFAR_KEYS = {
    "CIFAR10": ("labels", "label_names"),
    "CIFAR100": ("fine_labels", "fine_label_names"),
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """An empty working directory, and no copy of Debian's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_sources, "DEBIAN_FASHION_MNIST", tmp_path / "debian")


def idx(array):
    dims = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + dims + array.astype(np.uint8).tobytes()


def write_idx(folder, *, prefix="train", classes=10, each=2, gz=False):
    """Random 4 x 6 images, `each` of every class; returns them [N, 4, 6] as written."""
    labels = np.tile(np.arange(classes), each)
    images = np.random.default_rng(len(prefix)).integers(0, 256, (len(labels), 4, 6))
    folder.mkdir(parents=True, exist_ok=True)
    for array, kind in ((images, "images-idx3"), (labels, "labels-idx1")):
        content = idx(array)
        file = folder / f"{prefix}-{kind}-ubyte{'.gz' if gz else ''}"
        file.write_bytes(gzip.compress(content) if gz else content)
    return torch.tensor(images, dtype=torch.uint8)


def write_cifar(monkeypatch, root, source, classes, test=b"garbage"):
    """A small copy in the pickles of 2009, whose md5 sums torchvision is made to expect."""
    key, names_key = CIFAR_KEYS[source.__name__]
    labels = [*range(classes)] * 2
    data = np.random.default_rng(0).integers(0, 256, (len(labels), 3072), dtype=np.uint8)
    half = len(labels) // 2
    content = {
        "one": {"data": data[:half], key: labels[:half]},
        "two": {"data": data[half:], key: labels[half:]},
        "names": {names_key: [f"class {label}" for label in range(classes)]},
        "test": {"data": data[:3], key: labels[:3]},
    }
    folder = root / source.base_folder
    folder.mkdir(parents=True)
    sums = {}
    for name, entry in content.items():
        # Numpy pickled the flags of a data type as numbers then.
        old = pickle.dumps(entry, protocol=2).replace(b"\x89\x88\x87", b"K\x00K\x01\x87")
        (folder / name).write_bytes(old)
        sums[name] = hashlib.md5(old).hexdigest()
    monkeypatch.setattr(source, "train_list", [["one", sums["one"]], ["two", sums["two"]]])
    monkeypatch.setattr(source, "test_list", [["test", sums["test"]]])
    meta = {"filename": "names", "key": names_key, "md5": sums["names"]}
    monkeypatch.setattr(source, "meta", meta)
    return data, folder


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


# --- named sets


def test_digits_are_divided_once_and_for_all():
    data, test = load_training("digits"), load_test("digits")
    assert data.input_shape == (1, 8, 8) and data.classes == 10 and not data.flip
    assert (len(data.samples.labels), len(test.labels)) == (1438, 359)
    assert data.samples.images.max() == 255 and data.samples.images.min() == 0
    assert test.labels.bincount().min() >= 34
    # A change of this number makes test images of old results training images of new ones.
    assert data.fingerprint() == "1697d00a2c249ff1"


@pytest.mark.skipif(not DEBIAN.is_dir(), reason=f"Debian's copy is not installed in {DEBIAN}")
def test_debian_fashion_mnist_is_found_without_a_root(monkeypatch):
    monkeypatch.setattr(_sources, "DEBIAN_FASHION_MNIST", DEBIAN)
    data = load_training("fashion-mnist")
    assert data.input_shape == (1, 28, 28) and data.flip
    assert data.samples.labels.bincount().tolist() == [6000] * 10
    assert data.class_names[9] == "Ankle boot" and data.samples.labels[0] == 9
    assert len(load_test("fashion-mnist").labels) == 10_000


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("name", IDX_FOLDERS)
def test_idx_sets_load_from_each_place_whatever_the_test_files_are(name, inside, gz, tmp_path):
    root, emnist = tmp_path / "sets", name == "emnist"
    folder = root / IDX_FOLDERS[name] / "raw" if inside else root
    classes, prefixes = (47, EMNIST_PREFIX) if emnist else (10, {"train": "train", "t10k": "t10k"})
    stored = write_idx(folder, prefix=prefixes["train"], classes=classes, gz=gz)
    suffix = ".gz" if gz else ""
    for kind in ("images-idx3", "labels-idx1"):
        (folder / f"{prefixes['t10k']}-{kind}-ubyte{suffix}").write_bytes(b"garbage")
    options = DataOptions(root=str(root))
    data = load_training(name, options)
    upright = stored.transpose(1, 2) if emnist else stored
    assert torch.equal(data.samples.images, upright.unsqueeze(1))
    assert data.samples.labels.tolist() == [*range(classes)] * 2
    assert data.flip == (name == "fashion-mnist") and len(data.class_names) == classes
    with pytest.raises(DataError, match=f"{prefixes['t10k']}-images"):
        load_test(name, options)
    written = write_idx(folder, prefix=prefixes["t10k"], classes=3, gz=gz)
    expected = written.transpose(1, 2) if emnist else written
    assert torch.equal(load_test(name, options).images, expected.unsqueeze(1))


def test_the_default_root_is_data_in_the_working_directory(tmp_path):
    write_idx(tmp_path / "data")
    assert load_training("kmnist").classes == 10
    assert load_training("kmnist", DataOptions(flip=True)).flip


@pytest.mark.parametrize(("name", "classes"), [("cifar10", 10), ("cifar100", 100)])
def test_cifar_is_unpickled_only_where_the_md5_is_the_published_one(
    name, classes, tmp_path, monkeypatch
):
    source = getattr(datasets, name.upper())
    stored, folder = write_cifar(monkeypatch, tmp_path / "sets", source, classes)
    options = DataOptions(root=str(tmp_path / "sets"))
    loads = pickle.loads
    # What some releases of numpy 2.4 do at such flags must reach nobody.
    monkeypatch.setattr(
        pickle,
        "loads",
        lambda *a, **named: warnings.warn("flags", stacklevel=1) or loads(*a, **named),
    )
    assert load_test(name, options).labels.tolist() == [0, 1, 2]
    (folder / "test").write_bytes(b"garbage")
    data = load_training(name, options)
    assert data.samples.images.numpy().tobytes() == stored.tobytes()
    assert data.input_shape == (3, 32, 32) and data.class_names[3] == "class 3" and data.flip
    monkeypatch.setattr(pickle, "loads", lambda *_, **__: pytest.fail("unpickled"))
    with pytest.raises(DataError, match=r"published one with md5 .*found .*test"):
        load_test(name, options)
    (folder / "test").unlink()
    with pytest.raises(DataError, match=r"cifar10+ needs test.*--download"):
        load_test(name, options)


class Mirror:
    """What stands for torchvision's class: writes the files that it is asked to download."""

    calls = ()

    def __init__(self, root, **arguments):
        Mirror.calls = (*Mirror.calls, arguments)
        write_idx(Path(root) / "Mirror" / "raw", prefix="emnist-balanced-train", classes=47)


class Down:
    def __init__(self, root, **arguments):
        raise RuntimeError("Error downloading:\nno route to host")


def test_download_happens_only_when_asked_for_and_nothing_is_there(monkeypatch, tmp_path):
    def published(name, source):
        replaced = dataclasses.replace(_sources.SOURCES[name], published=source)
        monkeypatch.setitem(_sources.SOURCES, name, replaced)

    published("emnist", Mirror)
    published("kmnist", Down)
    with pytest.raises(DataError, match="found in none of"):
        load_training("emnist")
    for _ in range(2):
        assert load_training("emnist", DataOptions(download=True)).classes == 47
    assert Mirror.calls == ({"train": True, "download": True, "split": "balanced"},)
    with pytest.raises(DataError, match=r"^kmnist must .*by hand, found .*no route to host$"):
        load_training("kmnist", DataOptions(download=True))


# --- folders of images


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


def test_a_folder_with_train_and_test_keeps_them_apart(tmp_path):
    write_folder(tmp_path / "own" / "train", count=2, mode="L")
    write_folder(tmp_path / "own" / "test", count=3, mode="1")
    name = f"folder:{tmp_path / 'own'}"
    data = load_training(name)
    assert data.input_shape == (1, 32, 32) and len(data.samples.labels) == 4
    assert len(load_test(name).labels) == 6
    (tmp_path / "own" / "test" / "cat" / "00.png").write_bytes(b"garbage")
    (tmp_path / "own" / "test" / "empty").mkdir()
    assert load_training(name).fingerprint() == data.fingerprint()


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


# --- damaged files and wrong names


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "fashon-mnist",
            r"must be one of digits, .*folder:PATH, found 'fashon-mnist' .*fashion-m",
        ),
        ("CIFAR-10", r"did you mean cifar10\?"),
        ("own", r"did you mean folder:own\?"),
        ("folder:", r"did you mean folder:PATH\?"),
        ("", r"found ''$"),
        (
            "fashion-mnist",
            "FashionMNIST/raw, data, .*debian; .*--data-root.*dataset-fashion-mnist",
        ),
        ("kmnist", "train-images-idx3-ubyte, train-labels.*--data-root.*--download$"),
        ("cifar100", "needs train, meta in one folder, .* data/cifar-100-python;"),
    ],
)
def test_a_set_that_is_not_there_says_what_is(name, words, tmp_path):
    (tmp_path / "own").mkdir()
    with pytest.raises(DataError, match=words):
        load_training(name)


def test_every_listed_name_is_known():
    for name in DATASETS:
        try:
            load_training(name)
        except DataError as error:
            assert "must be one of" not in str(error)


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        (
            "images-idx3",
            lambda old: old[:-1],
            r"shape \[20, 4, 6\] must have 496 bytes, found 495",
        ),
        ("images-idx3", lambda old: old + b"0", "must have 496 bytes, found 497"),
        ("images-idx3", lambda old: old[:10], "bytes, found 10 in"),
        ("labels-idx1", lambda old: b"", "must begin with 00000801, found nothing"),
        ("labels-idx1", lambda old: b"\0\0\x0d\1" + old[4:], "00000801, found 00000d01"),
        ("labels-idx1", lambda old: idx(np.zeros(7)), "one label, found 20 in .* and 7 in"),
        ("labels-idx1", lambda old: idx(np.arange(20) % 9), r"all of 0..9, found 9 kinds in 0..8"),
    ],
)
def test_a_damaged_idx_file_is_named(file, change, words, tmp_path):
    write_idx(tmp_path / "data")
    target = tmp_path / "data" / f"train-{file}-ubyte"
    target.write_bytes(change(target.read_bytes()))
    with pytest.raises(DataError, match=words) as caught:
        load_training("kmnist")
    assert target.name in str(caught.value) or "kmnist" in str(caught.value)


@pytest.mark.parametrize("keep", [2, 30, -4])
def test_a_damaged_gz_file_is_named(keep, tmp_path):
    write_idx(tmp_path / "data", gz=True)
    target = tmp_path / "data" / "train-images-idx3-ubyte.gz"
    target.write_bytes(target.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"readable and whole, found .*images-idx3-ubyte.gz"):
        load_training("kmnist")


def test_test_labels_beyond_the_classes_are_refused(tmp_path):
    write_idx(tmp_path / "data", prefix="t10k", classes=11)
    with pytest.raises(DataError, match=r"test labels must be 0..9, found 10 in kmnist"):
        load_test("kmnist")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image_size": 0}, "image_size must be an int of at least 1, found 0"),
        ({"image_size": "8"}, "at least 1, found '8'"),
        ({"test_fraction": 1.0}, "test_fraction must lie between 0 and 1, .*found 1.0"),
        ({"test_fraction": "a"}, "found 'a'"),
        ({"image_size": 8}, "image_size is for folder:PATH only, found 8 and digits"),
    ],
)
def test_unfit_options_are_refused(options, words):
    with pytest.raises(DataError, match=words):
        load_training("digits", DataOptions(**options))


# --- tensors and torch data sets

GRAY = torch.zeros(4, 1, 2, 2, dtype=torch.uint8)
TWO = torch.tensor([0, 1, 0, 1])


def test_tensors_are_taken_as_bytes():
    values = torch.tensor([0.0, 0.5, 1.0, 0.25]).reshape(4, 1, 1).expand(4, 3, 5)
    data = load_training((values.double(), TWO.to(torch.int16)))
    assert data.input_shape == (1, 3, 5) and data.classes == 2 and not data.flip
    assert data.samples.images[:, 0, 0, 0].tolist() == [0, 128, 255, 64]
    same = load_training((data.samples.images, TWO), DataOptions(flip=True))
    assert same.fingerprint() == data.fingerprint() and same.flip and same.name == "tensors"
    turned = data.samples.images.transpose(2, 3)
    assert load_training((turned, TWO)).fingerprint() != data.fingerprint()
    assert load_training((data.samples.images, 1 - TWO)).fingerprint() != data.fingerprint()


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ((GRAY[0, 0], TWO), r"uint8 \[N, C, H, W\] and not empty, found torch.uint8 \[2, 2\]"),
        ((GRAY[:0], TWO[:0]), "not empty"),
        ((torch.zeros(4, 32, 32, 3), TWO), r"found torch.uint8 \[4, 32, 32, 3\]"),
        ((GRAY.int(), TWO), "must be uint8 or float, found torch.int32"),
        ((GRAY - 1.5, TWO), r"lie in \[0, 1\], found -1.5 to -1.5 in the images"),
        ((GRAY + float("nan"), TWO), r"lie in \[0, 1\], found nan"),
        ((GRAY, TWO[:3]), r"labels must be int64, 1 for each of 4, found torch.int64 \[3\]"),
        ((GRAY, TWO.reshape(4, 1)), r"1 for each of 4, found torch.int64 \[4, 1\]"),
        ((GRAY, TWO.float()), "integer dtype, found torch.float32"),
        ((GRAY, TWO == 1), "integer dtype, found torch.bool"),
        ((GRAY, TWO - 1), "must not be negative, found -1"),
        ((GRAY, TWO + 1), r"all of 0..1, found 2 kinds in 1..2, tensors"),
        ((GRAY, TWO * 2), r"all of 0..1, found 2 kinds in 0..2, tensors"),
        ((GRAY, TWO * 0), "at least 2 classes, found 1"),
        ((GRAY, TWO, TWO), "must be a name, a pair of tensors .*, found tuple"),
        ((GRAY.numpy(), TWO.numpy()), "must be a name, a pair of tensors"),
        (None, "found NoneType"),
    ],
)
def test_unfit_tensors_are_refused(dataset, words):
    with pytest.raises(DataError, match=words):
        load_training(dataset)


class Items(torch.utils.data.Dataset):
    def __init__(self, *items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(GRAY[0], 0)])


def test_torch_data_sets_are_read_item_by_item():
    images = [Image.new("RGB", (5, 3), (7 * label, 1, 2)) for label in range(3)]
    data = load_training(Items(*((image, label) for label, image in enumerate(images))))
    assert data.name == "Items" and data.input_shape == (3, 3, 5)
    assert data.samples.images[:, 0, 2, 4].tolist() == [0, 7, 14]
    again = load_training(TensorDataset(data.samples.images / 255, data.samples.labels))
    assert again.fingerprint() == data.fingerprint()


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (Stream(), "map-style with at least 1 image, found Stream"),
        (Items(), "at least 1 image, found Items"),
        (Items((GRAY[0], 0), (GRAY[0, 0, :1], 1)), r"found \[1, 2, 2\] in item 0 and \[1, 1, 2\]"),
        (Items((GRAY[0], 0), (GRAY[0], 1.5)), "an image and an int, found TypeError.* in item 1"),
        (Items((GRAY[0], 0), GRAY[0]), "found ValueError.* in item 1"),
        (Items((GRAY, 0)), r"tensor \[C, H, W\], found \[4, 1, 2, 2\] in item 0"),
        (Items(("a.png", 0)), "found str in item 0"),
        (Items((Image.new("F", (2, 2)), 0)), "found F in item 0"),
        (Items((GRAY[0] + 2.0, 0)), r"lie in \[0, 1\], found 2 to 2 in item 0"),
    ],
)
def test_unfit_torch_data_sets_are_refused(dataset, words):
    with pytest.raises(DataError, match=words):
        load_training(dataset)


def test_a_torch_data_set_beyond_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(_sources, "available_memory", lambda: 9)
    with pytest.raises(DataError, match="needed for 3 x 1 x 2 x 2"):
        load_training(Items(*[(GRAY[0], 0)] * 3))


def test_only_named_sets_have_test_data():
    with pytest.raises(DataError, match="must have a name, found tuple"):
        load_test((GRAY, TWO))


# --- division


def numbered(labels):
    """Images that hold their own number in two bytes."""
    numbers = torch.arange(len(labels))
    images = torch.stack([numbers // 256, numbers % 256], dim=1).reshape(-1, 1, 1, 2)
    return load_training((images.to(torch.uint8), torch.tensor(labels)))


def numbers(part):
    return [256 * high + low for high, low in part.images.flatten(1).tolist()]


@pytest.mark.parametrize(
    ("sizes", "fraction", "subset", "train", "valid"),
    [
        ([100, 100, 100], 0.2, None, [80, 80, 80], [20, 20, 20]),
        ([400, 200, 100], 0.1, None, [360, 180, 90], [40, 20, 10]),
        ([300, 3], 0.1, None, [271, 2], [29, 1]),
        ([300, 2], 0.9, None, [29, 1], [271, 1]),
        ([400, 200, 100], 0.5, 70, [20, 10, 5], [20, 10, 5]),
        ([600, 3], 0.5, 20, [9, 1], [9, 1]),
        ([5, 5], 0.2, 10, [4, 4], [1, 1]),
    ],
)
def test_both_parts_hold_each_class_in_proportion(sizes, fraction, subset, train, valid):
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    data = numbered(labels)
    parts = split(data, valid_fraction=fraction, seed=3, subset=subset)
    assert [part.labels.bincount().tolist() for part in parts] == [train, valid]
    first, second = map(numbers, parts)
    assert not {*first} & {*second}
    assert len(first) + len(second) == (subset or len(labels))
    for part, chosen in zip(parts, (first, second), strict=True):
        assert part.labels.tolist() == [labels[number] for number in chosen]


def test_the_seed_alone_decides_the_draw():
    data = numbered([number % 4 for number in range(600)])
    one, same, other = (
        [numbers(part) for part in split(data, valid_fraction=0.25, seed=seed, subset=200)]
        for seed in (1, 1, 2)
    )
    torch.manual_seed(5)
    assert one == same and one[1] != other[1] and {*one[0], *one[1]} != {*other[0], *other[1]}


@pytest.mark.parametrize(
    ("labels", "arguments", "words"),
    [
        ([0, 1] * 5, {"valid_fraction": 0}, "valid_fraction must lie between .*found 0$"),
        ([0, 1] * 5, {"valid_fraction": 1.0}, "both excluded, found 1.0$"),
        ([0, 1] * 5, {"valid_fraction": float("nan")}, "found nan$"),
        ([0, 1] * 5, {"valid_fraction": 0.1}, r"2..8 of 10 images, .*found 1 from 0.1"),
        ([0, 1] * 5, {"valid_fraction": 0.9}, r"2..8 of 10 images, .*found 9 from 0.9"),
        ([0, 1] * 5, {"valid_fraction": 0.5, "subset": 11}, r"2 of each class\) to 10, found 11"),
        ([0, 1] * 5, {"valid_fraction": 0.5, "subset": 3}, r"must be 4 .*, found 3"),
        ([0, 0, 1], {"valid_fraction": 0.5}, "at least 2 images .*found 1 of class 1"),
        ([0, 0, 1], {"valid_fraction": 0.5, "subset": 3}, "found 1 of class 1"),
    ],
)
def test_an_impossible_division_is_refused(labels, arguments, words):
    with pytest.raises(DataError, match=words):
        split(numbered(labels), seed=0, **arguments)


def test_labelled_images_refuse_what_they_do_not_name():
    with pytest.raises(DataError, match=re.escape("uint8 [N, C, H, W]")):
        LabelledImages(images=GRAY.float(), labels=TWO)
    with pytest.raises(DataError, match="labels must be int64"):
        LabelledImages(images=GRAY, labels=TWO.int())
