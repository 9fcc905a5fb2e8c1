"""Data sets by name: where they are read from, and what is said of damaged or missing ones."""

import dataclasses
import gzip
import hashlib
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from optuna_egnas.errors import DataError
from optuna_egnas.evaluation.data import published as _published
from optuna_egnas.evaluation.data.held_out import check_test, load_test
from optuna_egnas.evaluation.data.labelled import DATASETS, load_training
from optuna_egnas.options import DataOptions

DEBIAN = _published.DEBIAN_FASHION_MNIST
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
    monkeypatch.setattr(_published, "DEBIAN_FASHION_MNIST", tmp_path / "debian")


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


def test_digits_are_divided_once_and_for_all():
    check_test("digits", DataOptions())
    data, test = load_training("digits"), load_test("digits")
    assert data.input_shape == (1, 8, 8) and data.classes == 10 and not data.flip
    assert (len(data.samples.labels), len(test.labels)) == (1438, 359)
    assert data.samples.images.max() == 255 and data.samples.images.min() == 0
    assert test.labels.bincount().min() >= 34
    # A change of this number makes test images of old results training images of new ones.
    assert data.fingerprint() == "1697d00a2c249ff1"


@pytest.mark.skipif(not DEBIAN.is_dir(), reason=f"Debian's copy is not installed in {DEBIAN}")
def test_debian_fashion_mnist_is_found_without_a_root(monkeypatch):
    monkeypatch.setattr(_published, "DEBIAN_FASHION_MNIST", DEBIAN)
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
    check_test(name, options)
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
    for look in (load_test, check_test):
        with pytest.raises(DataError, match=r"cifar10+ needs test.*--download"):
            look(name, options)


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
        replaced = dataclasses.replace(_published.SOURCES[name], published=source)
        monkeypatch.setitem(_published.SOURCES, name, replaced)

    published("emnist", Mirror)
    published("kmnist", Down)
    with pytest.raises(DataError, match="found in none of"):
        load_training("emnist")
    for _ in range(2):
        assert load_training("emnist", DataOptions(download=True)).classes == 47
    assert Mirror.calls == ({"train": True, "download": True, "split": "balanced"},)
    with pytest.raises(DataError, match=r"^kmnist must .*by hand, found .*no route to host$"):
        load_training("kmnist", DataOptions(download=True))


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
        ({"image_size": 0}, "`image_size` must be at least 1, but got image_size=0"),
        ({"image_size": "8"}, "whole number, but got image_size='8'"),
        (
            {"test_fraction": 1.0},
            "`test_fraction` must be above 0 and below 1, but got test_fraction=1.0",
        ),
        ({"test_fraction": "a"}, "a number, but got test_fraction='a'"),
        ({"image_size": 8}, "image_size is for folder:PATH only, found 8 and digits"),
    ],
)
def test_unfit_options_are_refused(options, words):
    with pytest.raises(DataError, match=words):
        load_training("digits", DataOptions(**options))
