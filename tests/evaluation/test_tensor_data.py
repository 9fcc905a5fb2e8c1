"""Tensors and torch data sets as data: what is taken, and what is refused with which words."""

import re

import pytest
import torch
from PIL import Image
from torch.utils.data import IterableDataset, TensorDataset

from optuna_egnas.errors import DataError
from optuna_egnas.evaluation.data import sources as _sources
from optuna_egnas.evaluation.data.held_out import given_test
from optuna_egnas.evaluation.data.labelled import DataOptions, LabelledImages, load_training

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


def test_test_images_may_lack_a_class():
    test = given_test((GRAY, TWO * 0), load_training((GRAY, TWO)))
    assert test.labels.tolist() == [0, 0, 0, 0] and torch.equal(test.images, GRAY)


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ((GRAY[..., :1], TWO), r"must be \[1, 2, 2\] like the training images, found \[1, 2, 1\]"),
        ((GRAY, TWO * 2), "must be 0..1, found 2"),
        ((GRAY, TWO[:3]), "1 for each of 4"),
        ("digits", "a pair of tensors .*, found str"),
    ],
)
def test_test_images_unlike_the_training_images_are_refused(test, words):
    with pytest.raises(DataError, match=words):
        given_test(test, load_training((GRAY, TWO)))


def test_labelled_images_refuse_what_they_do_not_name():
    with pytest.raises(DataError, match=re.escape("uint8 [N, C, H, W]")):
        LabelledImages(images=GRAY.float(), labels=TWO)
    with pytest.raises(DataError, match="labels must be int64"):
        LabelledImages(images=GRAY, labels=TWO.int())
