"""Tensors and torch data sets as data: what is taken, and what is refused with which words."""

import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from optuna_egnas.errors import DataError
from optuna_egnas.evaluation.data import published as _published
from optuna_egnas.evaluation.data.held_out import given_test
from optuna_egnas.evaluation.data.labelled import LabelledImages, load_training
from optuna_egnas.options import DataOptions

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


ONE_HOT = torch.nn.functional.one_hot(TWO)
SOME = torch.linspace(0, 1, 4 * 3 * 8 * 8).reshape(4, 3, 8, 8)


@pytest.mark.parametrize(
    ("images", "labels", "code"),
    [
        (SOME.permute(0, 2, 3, 1), TWO, "images.permute(0, 3, 1, 2)"),
        (SOME.permute(0, 2, 3, 1).numpy(), TWO, "np.moveaxis(images, -1, 1)"),
        (SOME.flatten(1), TWO, "images.reshape(-1, 3, 8, 8)"),
        (SOME[:, 0].flatten(1).numpy(), TWO, "images.reshape(-1, 8, 8)"),
        (SOME[:, None], TWO, "images.squeeze(1)"),
        (SOME * 255, TWO, "images / 255"),
        (SOME * 1000, TWO, "images / images.max()"),
        (SOME * 1.01, TWO, "images.clip(0, 1)"),
        (SOME * 4 - 2, TWO, "(images - images.min()) / (images.max() - images.min())"),
        (SOME.mul(255).int(), TWO, "images.to(torch.uint8)"),
        (SOME.mul(255).int().numpy(), TWO, 'images.astype("uint8")'),
        (SOME.mul(60000).to(torch.uint16), TWO, "images.float() / 65535"),
        (SOME.mul(60000).int().numpy(), TWO, "images / 65535"),
        (SOME > 0.5, TWO, "images.to(torch.uint8) * 255"),
        (SOME.numpy() > 0.5, TWO, 'images.astype("uint8") * 255'),
        (SOME.to(torch.complex64), TWO, "abs(images)"),
        (SOME.to_sparse(), TWO, "images.to_dense()"),
        (torch.where(SOME > 0.5, float("nan"), SOME), TWO, "torch.nan_to_num(images, posinf=1"),
        (np.where(SOME > 0.5, np.inf, SOME), TWO, "np.nan_to_num(images, posinf=1, neginf=0)"),
        (np.ma.masked_array(SOME.numpy(), SOME.numpy() > 0.5), TWO, "images.filled(0)"),
        (SOME.numpy().astype(np.longdouble), TWO, 'images.astype("float32")'),
        ([*SOME], TWO, "torch.stack(images)"),
        ([*SOME.numpy()], TWO, "np.stack(images)"),
        (SOME, ONE_HOT, "labels.argmax(1)"),
        (SOME, ONE_HOT.numpy() * 1.0, "labels.argmax(1)"),
        (SOME, ONE_HOT.tolist(), "np.argmax(labels, 1)"),
        (SOME, TWO[:, None], "labels.reshape(-1)"),
        (SOME, TWO[:, None].tolist(), "np.ravel(labels)"),
        (SOME, TWO + 1, "labels - 1"),
        (SOME, (TWO - 1).numpy(), "labels + 1"),
        (SOME, (TWO + 1).tolist(), "np.asarray(labels) - 1"),
        (SOME, TWO * 2, "labels.unique(return_inverse=True)[1]"),
        (SOME, (TWO * 2).tolist(), "np.unique(labels, return_inverse=True)[1]"),
        (SOME, TWO.float(), "labels.to(torch.int64)"),
        (SOME, TWO.double().numpy(), 'labels.astype("int64")'),
        (SOME, [0.0, 1.0, 0.0, 1.0], "[int(label) for label in labels]"),
        (SOME, TWO == 1, "labels.to(torch.int64)"),
        (SOME, [b"a", b"b", b"a", b"b"], 'np.asarray(labels).astype("str")'),
    ],
)
def test_what_is_unfit_is_refused_with_the_code_that_converts_it(images, labels, code):
    with pytest.raises(DataError, match=re.escape(code)) as refused:
        load_training((images, labels))
    assert len(str(refused.value)) < 400 and "\n" not in str(refused.value)
    said = str(refused.value).split(": ", 1)[1].removeprefix("leave out Normalize, the search ")
    said = said.removeprefix("does that by itself, or take ")

    names = {"images": images, "labels": labels, "np": np, "torch": torch}
    converted = eval(said, names)
    given = (converted, labels) if "images" in said else (images, converted)
    assert load_training(given).classes == 2


class Column:
    """Like those of pandas."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        raise KeyError(index)

    def __array__(self, dtype=None, copy=None):
        return self.to_numpy()

    def to_numpy(self):
        return TWO.numpy()


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ((GRAY[:0], TWO[:0]), r"must not be empty, found \[0, 1, 2, 2\]"),
        ((GRAY[0, 0, 0], TWO), r"\[N, C, H, W\] or \[N, H, W\], found \[2\]"),
        ((GRAY.to("meta"), TWO), "with values, found one on the device meta"),
        ((np.array([GRAY, None], dtype=object), TWO), r"dtype object .*: np.stack\(images\)"),
        ((GRAY, TWO[:3]), "every image must have one label, found 3 for 4"),
        ((GRAY, TWO * 0), "at least 2 classes, found 1"),
        ((GRAY, [0.5, 1, 0, 1]), "integers or strings, found float64 in the labels$"),
        ((GRAY, ["a", None, "a", "b"]), "found NoneType None in label 1"),
        ((GRAY, ["a", 1, "a", "b"]), "all integers or all strings, found 'a' and '1' in items 0"),
        ((GRAY, None), "a tensor, a numpy array or a list, found NoneType"),
        ((GRAY, Column()), r"found Column: labels.to_numpy\(\)"),
        ((Column(), TWO), r"found Column in the images: images.to_numpy\(\)"),
        (Column(), r"found Column: \(images.to_numpy\(\), labels.to_numpy\(\)\)"),
        ((GRAY, TWO, TWO), r"found a tuple of 3: \(data\[0\], data\[1\]\)"),
        ([], "found a list of 0"),
        (GRAY, r"found Tensor: \(images, labels\)"),
        ({"x": GRAY, "label": TWO}, r"found dict: \(data\['x'\], data\['label'\]\)"),
        ({"train": [], "test": []}, r'found dict: data\["train"\]'),
        (((SOME, TWO), (SOME, TWO)), r"2 such pairs: give data\[0\] to search"),
        (([Image.new("L", (8, 8))], [0]), r"list\(zip\(images, labels\)\)"),
        (iter([]), r"list\(data\)"),
        (None, "found NoneType"),
        (Path("photos"), "folder:photos"),
    ],
)
def test_unfit_data_are_refused(dataset, words):
    with pytest.raises(DataError, match=words):
        load_training(dataset)


@pytest.mark.parametrize(
    "images",
    [
        SOME.numpy(),
        SOME.numpy().astype(">f8"),
        SOME.bfloat16(),
        np.broadcast_to(SOME.numpy()[:1], SOME.shape),
        SOME.numpy()[::-1, ..., ::-1],
        SOME.clone().requires_grad_(),
    ],
    ids=["float32", "big endian", "bfloat16", "not writeable", "reversed", "with a gradient"],
)
@pytest.mark.parametrize(
    "labels",
    [
        TWO.tolist(),
        tuple(np.uint8(label) for label in TWO),
        TWO.numpy().astype(">u2"),
        [*TWO],
        np.array(["cat", "dog"] * 2, dtype=object),
        ["cat", "dog"] * 2,
    ],
    ids=["list", "numpy numbers", "array", "tensors", "objects", "names"],
)
def test_arrays_and_lists_are_taken(images, labels):
    data = load_training((images, labels))
    assert data.input_shape == (3, 8, 8) and data.samples.labels.tolist() == [0, 1, 0, 1]
    assert data.class_names == (("cat", "dog") if "cat" in labels else ("0", "1"))


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


def test_lists_of_pairs_and_arrays_are_read_item_by_item():
    pairs = [(SOME[index].numpy(), "ab"[index % 2]) for index in range(4)]
    data = load_training(pairs)
    assert data.class_names == ("a", "b") and data.input_shape == (3, 8, 8)
    assert data.fingerprint() == load_training((SOME, TWO)).fingerprint()


def test_pil_images_are_colour_if_any_is():
    gray, colour = Image.new("L", (4, 4), 7), Image.new("RGB", (4, 4), (7, 7, 8))
    data = load_training(Items((gray, 0), (gray, 1), (colour, 0), (gray, 1)))
    assert data.samples.images[:, :, 0, 0].tolist() == [[7] * 3, [7] * 3, [7, 7, 8], [7] * 3]
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert load_training(Items((gray, 0), (clear, 1))).samples.images[1].unique().tolist() == [255]
    only_gray = load_training(Items((gray, 0), (gray, 1)))
    test = given_test(Items((colour, 0)), only_gray)
    assert test.images.shape == (1, 1, 4, 4)


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (Stream(), r"found Stream: list\(data\)"),
        (DataLoader(Items((GRAY[0], 0))), "found DataLoader: loader.dataset"),
        (Items(), "at least 1 image, found Items"),
        (
            Items((GRAY[0], 0), (GRAY[0, 0, :1], 1)),
            r"found \[1, 2, 2\] in item 0 and \[1, 1, 2\] in item 1: .*Resize\(\(2, 2\)\)",
        ),
        (Items((GRAY[0], 0), (GRAY[0], 1.5)), "an int or a string, found float 1.5 in item 1$"),
        (Items((GRAY[0], 0), (GRAY[0], 1.0)), r"found float 1.0 in item 1: int\(label\)"),
        (Items((GRAY[0], ONE_HOT[0])), r"in item 0: label.argmax\(\)"),
        (Items((GRAY[0], b"a")), r"in item 0: label.decode\(\)"),
        (
            Items((GRAY[0], 1), (GRAY[0], 2)),
            r"\[\(image, label - 1\) for image, label in",
        ),
        (Items((GRAY[0], 0), (GRAY[0], 2)), r"\[\(image, str\(label\)\) for image, label"),
        (Items((GRAY[0], 0), GRAY[0]), "pairs of an image and a label, found Tensor in item 1"),
        (Items((GRAY[0], 0, 1)), r"found 3 values in item 0: \[\(item\[0\], item\[1\]\) for"),
        (
            Items({"id": 7, "image": Image.new("L", (2, 2)), "label": 0}),
            r"in item 0: \[\(item\['image'\], item\['label'\]\) for item in data\]",
        ),
        (Items((GRAY, 0)), r"\[C, H, W\] or \[H, W\], found \[4, 1, 2, 2\] in item 0"),
        (Items((SOME[0].permute(1, 2, 0), 0)), r"in item 0: image.permute\(2, 0, 1\)"),
        (Items((SOME[0].permute(1, 2, 0).numpy(), 0)), r"in item 0: np.moveaxis\(image, -1, 0\)"),
        (Items(("a.png", 0)), "found str in item 0"),
        (Items((Image.new("F", (2, 2), 3.0), 0)), "must hold 0 to 1, found 3 to 3 in item 0"),
        (Items((SOME[0] * 2 - 1, 0)), "from -1 to .* in item 0: leave out Normalize"),
    ],
)
def test_unfit_data_sets_are_refused(dataset, words):
    with pytest.raises(DataError, match=words):
        load_training(dataset)


class Drawn(torch.utils.data.Dataset):
    """Items that something draws."""

    def __init__(self, draw, count=60):
        self.draw, self.count = draw, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return GRAY[0] + torch.as_tensor(self.draw(index)).to(torch.uint8), index % 2


def seeded(index):
    torch.manual_seed(index)
    return torch.rand(1) * 9


OWN, COUNTED = np.random.default_rng(0), iter(range(10**6))


@pytest.mark.parametrize(
    "draw",
    [
        lambda _: torch.rand(1) < 0.5,
        lambda _: np.random.rand() < 0.5,
        lambda _: random.random() < 0.02,
        lambda _: OWN.random() < 0.5,
        lambda index: next(COUNTED) % 7,
    ],
    ids=["torch", "numpy", "seldom", "its own", "by the order"],
)
def test_what_differs_from_time_to_time_is_refused(draw):
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    expected = random.random(), np.random.rand(), torch.rand(1)
    random.seed(0), np.random.seed(0), torch.manual_seed(0)

    with pytest.raises(DataError, match=r"the same each time, .*: leave random transforms out"):
        load_training(Drawn(draw))

    assert (random.random(), np.random.rand(), torch.rand(1)) == expected


def test_what_differs_is_refused_as_test_data_too():
    training = load_training(Drawn(lambda index: index))
    with pytest.raises(DataError, match="the same each time"):
        given_test(Drawn(lambda _: torch.rand(1) * 9), training)


def test_what_is_drawn_from_a_seed_of_its_own_is_taken():
    expected = torch.manual_seed(5) and torch.rand(1)
    torch.manual_seed(5)
    data = load_training(Drawn(seeded))
    assert torch.rand(1) == expected
    assert data.fingerprint() == load_training(Drawn(seeded)).fingerprint()


def test_a_torch_data_set_beyond_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(_published, "available_memory", lambda: 9)
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
        ((GRAY, TWO[:3]), "every image must have one label, found 3 for 4"),
        ((GRAY, TWO - 1), "must be 0..1, found -1"),
        ((GRAY, ["0", "x", "0", "1"]), "among the training data's 2, 0, 1, found 'x'"),
        ("digits", r"a pair \(images, labels\), .*, found str"),
    ],
)
def test_test_images_unlike_the_training_images_are_refused(test, words):
    with pytest.raises(DataError, match=words):
        given_test(test, load_training((GRAY, TWO)))


def test_names_of_test_labels_are_those_of_the_training_data():
    training = load_training((GRAY, ["cat", "dog"] * 2))
    assert given_test((GRAY, ["dog"] * 4), training).labels.tolist() == [1] * 4
    with pytest.raises(DataError, match="strings like those of the training data, found int64"):
        given_test((GRAY, TWO), training)
    numbers = load_training((GRAY, TWO))
    assert given_test((GRAY, ["1", "0"] * 2), numbers).labels.tolist() == [1, 0, 1, 0]


def test_labelled_images_refuse_what_they_do_not_name():
    with pytest.raises(DataError, match=re.escape("uint8 [N, C, H, W]")):
        LabelledImages(images=GRAY.float(), labels=TWO)
    with pytest.raises(DataError, match="labels must be int64"):
        LabelledImages(images=GRAY, labels=TWO.int())
