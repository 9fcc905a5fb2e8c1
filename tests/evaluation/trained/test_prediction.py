"""Predictions from image files, and what is refused as a network's file."""

import io
import os
import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from exporting import EVERYTHING, digits, lively, logits_of
from PIL import Image
from small_trainings import samples

from optuna_egnas import Architecture
from optuna_egnas.errors import DataError, InvalidSpace, SearchError
from optuna_egnas.evaluation.data.held_out import load_test
from optuna_egnas.evaluation.data.labelled import load_training
from optuna_egnas.evaluation.trained import prediction as _prediction
from optuna_egnas.evaluation.trained.export import export_network
from optuna_egnas.evaluation.trained.network_file import packed
from optuna_egnas.evaluation.trained.prediction import Classifier, predict, read_classifier
from optuna_egnas.options import DataOptions

SMALL = lively(Architecture.chain(depth=1, width=2))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The network of the digits in all files from which it predicts."""
    folder = tmp_path_factory.mktemp("files")
    own = folder / "digits.egnas"
    own.write_bytes(packed(digits()))
    return {
        "own": own,
        **{
            format: export_network(digits(), folder, format=format).files[0]
            for format in ("state-dict", "onnx")
        },
    }


@pytest.fixture
def photos(tmp_path):
    """Twenty test images of the digits as PNG files."""
    for index, image in enumerate(load_test("digits").images[:20]):
        Image.fromarray(image[0].numpy()).save(tmp_path / f"{index:02}.png")
    return sorted(tmp_path.glob("*.png"))


@pytest.mark.parametrize("kind", ["own", "state-dict", "onnx"])
def test_the_likeliest_classes_come_first_with_their_probabilities(
    files, photos, kind, monkeypatch
):
    monkeypatch.setattr(_prediction, "BATCH", 7)
    logits = logits_of(digits(), load_test("digits").images[:20])

    guesses = predict(read_classifier(files[kind]), photos, top=4)

    for row, expected in zip(guesses, logits.double().softmax(1), strict=True):
        assert len(row) == 4
        assert [guess.class_name for guess in row] == [
            str(int(answer)) for answer in expected.argsort(descending=True)[:4]
        ]
        for guess in row:
            assert guess.probability == pytest.approx(
                float(expected[int(guess.class_name)]), abs=1e-5
            )


def test_there_are_no_more_classes_than_there_are(photos):
    (row,) = predict(Classifier.of(SMALL), photos[:1], top=99)

    assert len(row) == 10
    assert sum(guess.probability for guess in row) == pytest.approx(1)


def test_images_are_read_as_in_a_search(tmp_path):
    """What a search has made of its folder, a prediction makes of each of its files."""
    noise = np.random.default_rng(0)
    for name, size in (("cat", (31, 20)), ("dog", (8, 50))):
        (tmp_path / name).mkdir()
        for index in range(4):
            values = noise.integers(0, 256, (*size, 3), dtype=np.uint8)
            Image.fromarray(values).save(tmp_path / name / f"{index}.png")
    data = load_training(f"folder:{tmp_path}", DataOptions(image_size=8, test_fraction=0.25))
    seen = []
    classifier = Classifier(
        logits=lambda images: seen.append(images) or torch.zeros(len(images), 2),
        input_shape=(3, 8, 8),
        class_names=data.class_names,
    )

    predict(classifier, sorted(tmp_path.glob("*/*.png")))

    found = [image for images in seen for image in images]
    for image in data.samples.images:
        assert any(torch.equal(image, other) for other in found)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("L", "png"), ("RGB", "jpg"), ("RGBA", "png"), ("P", "gif"), ("1", "bmp"), ("CMYK", "tiff")],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_any_kind_get_the_networks_shape(tmp_path, mode, suffix, channels):
    file = tmp_path / f"image.{suffix}"
    gradient = Image.fromarray(
        np.arange(40 * 30, dtype=np.uint16).astype(np.uint8).reshape(40, 30)
    )
    gradient.convert(mode).save(file)
    shapes = []
    classifier = Classifier(
        logits=lambda images: shapes.append(images.shape) or torch.zeros(1, 2),
        input_shape=(channels, 9, 12),
        class_names=("a", "b"),
    )

    predict(classifier, [file])

    assert shapes == [(1, channels, 9, 12)]


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda file: None, "No such file"),
        (lambda file: file.write_bytes(b""), "UnidentifiedImageError"),
        (lambda file: file.write_text("no image"), "UnidentifiedImageError"),
        (lambda file: file.mkdir(), "Is a directory"),
        (
            lambda file: Image.new("F", (4, 4), 1.5).save(file, "tiff"),
            "of mode F must hold 0 to 1, found 1.5 to 1.5",
        ),
        (lambda file: file.write_bytes(_png(np.zeros((90, 90), dtype=np.uint8))[:60]), "OSError"),
    ],
)
def test_an_image_that_cannot_be_read_is_named(tmp_path, photos, write, reason):
    file = tmp_path / "broken.png"
    write(file)

    with pytest.raises(DataError, match=reason) as refusal:
        predict(Classifier.of(SMALL), [*photos, file])

    assert str(file) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_all_images_that_cannot_be_read_are_named_at_once(tmp_path, photos):
    broken = [tmp_path / f"broken {index}.png" for index in range(5)]
    for file in broken:
        file.write_bytes(b"garbage")

    words = r"5 of 25 .* read: broken 0.png, broken 1.png, broken 2.png and 2 more"
    with pytest.raises(DataError, match=words):
        predict(Classifier.of(SMALL), [*broken[:2], *photos, *broken[2:]])


@pytest.mark.parametrize("format", ["own", "state-dict", "onnx"])
@pytest.mark.parametrize(
    ("reading", "ground", "expected"), [(2, "#808080", 128), (2, "white", 255), (1, "white", 0)]
)
def test_images_are_read_as_the_networks_file_says(tmp_path, format, reading, ground, expected):
    trained = replace(SMALL, reading=reading, ground=ground)
    file = tmp_path / "small.egnas"
    if format == "own":
        file.write_bytes(packed(trained))
    else:
        file = export_network(trained, tmp_path, format=format).files[0]
    Image.new("RGBA", (9, 9), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    classifier, seen = read_classifier(file), []
    watched = replace(
        classifier, logits=lambda images: seen.append(images) or classifier.logits(images)
    )

    predict(watched, [tmp_path / "clear.png"])

    assert {*seen[0].flatten().tolist()} == {expected}


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"reading": 3}, "reading .* found 3"), ({"ground": "fog"}, "ground .* found 'fog'")],
)
def test_a_file_that_reads_images_in_an_unknown_way_is_refused(tmp_path, files, changes, words):
    file = tmp_path / "digits.pt"
    file.write_bytes(_changed(files["state-dict"].read_bytes(), **changes))

    with pytest.raises(SearchError, match=words):
        read_classifier(file)


def _png(values):
    content = io.BytesIO()
    Image.fromarray(values).save(content, "png")
    return content.getvalue()


def test_nothing_is_asked_for_that_cannot_be(photos):
    with pytest.raises(InvalidSpace, match="`top` must be at least 1, but got top=0"):
        predict(Classifier.of(SMALL), photos, top=0)
    with pytest.raises(SearchError, match="must take 1 or 3 channels, but takes 2"):
        predict(Classifier.of(lively(EVERYTHING, shape=(2, 8, 8))), photos)


class _Evil:
    """An object that does something when a careless reader unpacks it."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def _evil_torch(content, folder):
    out = io.BytesIO()
    torch.save({"weights": _Evil(folder), "metadata": {}}, out)
    return out.getvalue()


def _zipped(name):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, "text")
    return out.getvalue()


def _torch_file(record):
    out = io.BytesIO()
    torch.save(record, out)
    return out.getvalue()


def _changed(content, **changes):
    record = torch.load(io.BytesIO(content), weights_only=True)
    return _torch_file({**record, "metadata": {**record["metadata"], **changes}})


def _flipped(content, place):
    place = int(place * len(content))
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


ANY = {
    "empty": lambda content, _: b"",
    "truncated": lambda content, _: content[: len(content) // 2],
    "a byte less": lambda content, _: content[:-1],
    "a pickle": lambda _, folder: pickle.dumps(_Evil(folder)),
    "a torch file of something else": _evil_torch,
    "a list": lambda *_: _torch_file([1, 2]),
    "bare weights": lambda *_: _torch_file(dict(SMALL.weights)),
    "a zip": lambda *_: _zipped("notes.txt"),
    "an image": lambda *_: _png(np.zeros((4, 4), dtype=np.uint8)),
}
OF_STATE_DICT = {
    "another depth": lambda content, _: _changed(
        content, architecture=Architecture.chain(depth=2, width=4).to_json()
    ),
    "no mean": lambda content, _: _changed(content, mean=None),
    "another kind": lambda content, _: _changed(content, kind="egnas-export/2"),
    "shape of words": lambda content, _: _changed(content, input_shape=["a", "b", "c"]),
}


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        *(
            pytest.param(kind, damage, id=f"{kind}: {name}")
            for kind in ("own", "state-dict", "onnx")
            for name, damage in ANY.items()
        ),
        *(
            pytest.param("state-dict", damage, id=f"state-dict: {name}")
            for name, damage in OF_STATE_DICT.items()
        ),
    ],
)
def test_a_file_of_something_else_is_refused_and_nothing_in_it_runs(tmp_path, files, kind, damage):
    trap = tmp_path / "trap"
    file = tmp_path / files[kind].name
    file.write_bytes(damage(files[kind].read_bytes(), trap))

    with pytest.raises(SearchError) as refusal:
        read_classifier(file)

    assert str(refusal.value).startswith(f"{file} must be "), refusal.value
    assert "\n" not in str(refusal.value)
    assert not trap.exists()


@pytest.mark.parametrize("kind", ["own", "state-dict", "onnx"])
def test_a_flipped_byte_changes_nothing_or_is_refused(tmp_path, files, kind):
    """In a zip archive some bytes mean nothing; no other flip may ever be read."""
    content = files[kind].read_bytes()
    images = samples(3).images
    with torch.inference_mode():
        expected = read_classifier(files[kind]).logits(images)
    file, refused = tmp_path / files[kind].name, 0
    places = np.linspace(0, 0.999, 60)
    for place in places:
        file.write_bytes(_flipped(content, place))
        try:
            classifier = read_classifier(file)
        except SearchError as error:
            assert str(error).startswith(f"{file} must be ")
            refused += 1
        else:
            assert classifier.class_names == digits().class_names
            with torch.inference_mode():
                assert torch.equal(classifier.logits(images), expected)
    assert refused >= 0.6 * len(places)


@pytest.mark.parametrize("name", ["digits.py", "digits.pt2"])
def test_what_may_hold_code_is_not_read(tmp_path, name):
    with pytest.raises(SearchError, match=f"which hold no code, but got .*{name}"):
        read_classifier(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SearchError, match=r"Cannot read .*gone.egnas: No such file"):
        read_classifier(tmp_path / "gone.egnas")
