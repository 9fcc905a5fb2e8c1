"""Folders of images: how they are read and divided, and which are refused with which words."""

import numpy as np
import pytest
import torch
from PIL import Image

from optuna_egnas.errors import DataError
from optuna_egnas.evaluation.data import decoding as _decoding
from optuna_egnas.evaluation.data import images as _images
from optuna_egnas.evaluation.data import published as _published
from optuna_egnas.evaluation.data.held_out import load_test
from optuna_egnas.evaluation.data.labelled import load_training, split
from optuna_egnas.options import DataOptions


def write_folder(folder, count=10, classes=("cat", "dog"), mode="RGB", size=(9, 7)):
    """Each class in one level of gray of its own, 40 apart."""
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            image = Image.new("L", size, 40 * label + number).convert(mode)
            image.save(folder / name / f"{number:02}.{'jpg' if mode == 'CMYK' else 'png'}")
    return f"folder:{folder}"


@pytest.fixture
def seen(monkeypatch):
    """The pictures that were decoded, and the levels of those whose pixels were asked for."""
    decoded, asked = [], []
    original, pixels = _images.open_picture, _images.Picture.pixels

    def decode(file, **options):
        decoded.append(file)
        return original(file, **options)

    def ask(picture, *arguments):
        asked.append(picture.image.getpixel((0, 0)))
        return pixels(picture, *arguments)

    monkeypatch.setattr(_decoding, "open_picture", decode)
    monkeypatch.setattr(_images.Picture, "pixels", ask)
    return decoded, asked


def levels(samples):
    return sorted(samples.images[:, 0, 0, 0].tolist())


ALL = [*range(10), *range(40, 50)]


def test_a_plain_folder_is_divided_and_no_pixel_of_its_test_is_asked_for(tmp_path, seen):
    name = write_folder(tmp_path / "own", count=10)
    options = DataOptions(image_size=5, test_fraction=0.3)
    decoded, asked = seen
    data = load_training(name, options)
    assert len(decoded) == len({*decoded}) == 20, "each once"
    assert sorted(asked) == levels(data.samples), "of training images alone"
    test = load_test(name, options)
    assert data.input_shape == (1, 5, 5) and data.class_names == ("cat", "dog") and not data.flip
    assert sorted(levels(data.samples) + levels(test)) == ALL
    assert data.samples.labels.unique().tolist() == test.labels.unique().tolist() == [0, 1]
    assert data.survey.n_test == len(test.labels)
    again = load_test(name, options, training=data)
    assert torch.equal(again.images, test.images)


def test_a_file_that_is_removed_moves_no_other(tmp_path):
    name = write_folder(tmp_path / "own", count=10)
    training, test = levels(load_training(name).samples), levels(load_test(name))
    for file in sorted((tmp_path / "own").rglob("*.png")):
        content = file.read_bytes()
        file.unlink()
        gone = {*ALL} - {*levels(load_training(name).samples), *levels(load_test(name))}
        assert len(gone) == 1
        assert levels(load_training(name).samples) == [each for each in training if {each} != gone]
        assert levels(load_test(name)) == [each for each in test if {each} != gone]
        file.write_bytes(content)


def test_a_class_that_has_no_image_on_one_side_gets_one_there(tmp_path, seen):
    name = write_folder(tmp_path / "own", count=2)
    for fraction in (0.001, 0.999):
        seen[0].clear(), seen[1].clear()
        options = DataOptions(test_fraction=fraction)
        data = load_training(name, options)
        test = load_test(name, options, training=data)
        assert data.samples.labels.tolist() == test.labels.tolist() == [0, 1]
        assert sorted(levels(data.samples) + levels(test)) == [0, 1, 40, 41]


def test_a_broken_image_is_named_at_the_start_wherever_it_is(tmp_path):
    name = write_folder(tmp_path / "own", count=10)
    whole, test = load_training(name), load_test(name)
    files = sorted((tmp_path / "own").rglob("*.png"))
    for file in files:
        content = file.read_bytes()
        file.write_bytes(content[:20])
        with pytest.raises(DataError, match=r"1 that is not: .*--skip-broken") as caught:
            load_training(name)
        assert f"{file.parent.name}/{file.name}" in str(caught.value)
        skipped = load_training(name, DataOptions(skip_broken=True))
        left = load_test(name, DataOptions(skip_broken=True))
        assert any(f"{file.parent.name}/{file.name}" in line for line in skipped.survey.notes)
        file.unlink()
        # Once it is away, all is as it was while it was skipped.
        assert load_training(name).fingerprint() == skipped.fingerprint()
        assert torch.equal(load_test(name).images, left.images)
        in_test = len(left.labels) < len(test.labels)
        assert (skipped.fingerprint() == whole.fingerprint()) == in_test
        file.write_bytes(content)


def test_all_broken_images_are_told_in_one_line(tmp_path):
    for part in ("train", "val", "test"):
        write_folder(tmp_path / part, count=4)
        (tmp_path / part / "dog" / ("n" * 200 + ".png")).write_bytes(b"")
        (tmp_path / part / "cat" / "02.png").write_bytes(b"GIF89a")
    with pytest.raises(DataError, match=r"found 6 that are not: .* and 3 more \(") as caught:
        load_training(f"folder:{tmp_path}")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_folder_with_train_and_test_keeps_them_apart(tmp_path, seen):
    write_folder(tmp_path / "own" / "train", count=2, mode="L")
    write_folder(tmp_path / "own" / "test", count=5, size=(8, 7), classes=("cat", "cow", "dog"))
    (tmp_path / "own" / "train" / "cow").mkdir()
    Image.new("L", (4, 4), 77).save(tmp_path / "own" / "train" / "cow" / "a.png")
    name = f"folder:{tmp_path / 'own'}"
    data = load_training(name)
    assert data.input_shape == (1, 32, 32) and len(data.samples.labels) == 5
    assert len(seen[0]) == 20 and len(seen[1]) == 5, (
        "all are decoded, those of the test for naught"
    )
    assert len(load_test(name).labels) == data.survey.n_test
    (tmp_path / "own" / "test" / "empty").mkdir()
    (tmp_path / "own" / "test" / "cow" / "00.png").unlink()
    assert load_training(name).fingerprint() == data.fingerprint()


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA", "CMYK", "LA"])
def test_gray_images_are_gray_in_every_mode_and_colour_where_one_is(mode, tmp_path):
    name = write_folder(tmp_path / "own", mode=mode)
    # A JPEG in CMYK may have a tinge.
    gray = load_training(name).input_shape[0]
    assert gray == 1 or mode == "CMYK"
    Image.new("RGB", (9, 7), (200, 10, 10)).save(tmp_path / "own" / "cat" / "red.png")
    write_folder(tmp_path / "own" / "test", count=3)
    assert load_training(name).input_shape == (3, 32, 32)
    assert load_test(name).images.shape[1] == 3


def test_what_was_gray_before_the_first_colour_is_the_same_in_colour(tmp_path):
    name = write_folder(tmp_path / "own", count=6)
    write_folder(tmp_path / "own" / "test", count=1, classes=("cat",))
    before = load_training(name).samples.images
    Image.new("RGB", (9, 7), (200, 10, 10)).save(tmp_path / "own" / "dog" / "red.png")
    after = load_training(name)
    assert torch.equal(after.samples.images[:-1], before.expand(-1, 3, -1, -1))
    assert any("made colour: " in line for line in after.survey.notes)


def truncated(file):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file)
    file.write_bytes(file.read_bytes()[:5000])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.write_bytes(b"garbage"), "cannot identify"),
        (truncated, "truncated"),
        (lambda file: Image.new("RGB", (13, 10)).save(file), "BombWarning"),
        (lambda file: Image.new("RGB", (30, 30)).save(file), "BombError"),
    ],
)
def test_an_unfit_image_is_named(spoil, words, tmp_path, monkeypatch):
    name = write_folder(tmp_path / "train", count=3)
    write_folder(tmp_path / "test", count=1)
    file = tmp_path / "train" / "dog" / "01.png"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000 if spoil is truncated else 100)
    spoil(file)
    for reading in (1, 2):
        with pytest.raises(DataError, match=f"readable by Pillow.*{words}") as caught:
            load_training(name.removesuffix("/train"), reading=reading)
        assert "dog/01.png" in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_beyond_the_memory_is_refused_before_it_is_read(tmp_path, monkeypatch, seen):
    name = write_folder(tmp_path / "own", count=10)
    size = DataOptions(image_size=512, test_fraction=0.5)
    needed = 10 * 512 * 512
    monkeypatch.setattr(_published, "available_memory", lambda: needed * 10 // 8 - 1)
    with pytest.raises(DataError, match=r"80% of the 3.1 MiB .*found 2.5 MiB needed"):
        load_training(name, size)
    assert not seen[1]
    monkeypatch.setattr(_published, "available_memory", lambda: needed * 10 // 8 + 1)
    assert load_training(name, size).input_shape == (1, 512, 512)
    for file in sorted((tmp_path / "own").rglob("*.png"))[-2:]:
        Image.new("RGB", (9, 7), (int(file.stem), 1, 2)).save(file)
    with pytest.raises(DataError, match=r"found 7.5 MiB needed"):
        load_training(name, DataOptions(image_size=512, test_fraction=0.5))


def test_available_memory_is_that_of_this_machine():
    assert 2**26 < _published.available_memory() < 2**46


# --- as version 0.1.0 read them


def test_searches_of_version_0_1_0_have_the_images_that_they_had(tmp_path):
    name = write_folder(tmp_path / "own", count=10)
    Image.new("RGB", (9, 7), (1, 2, 3)).save(tmp_path / "own" / "cat" / "03.png")
    (tmp_path / "own" / "dog" / "link.png").symlink_to("01.png")
    options = DataOptions(image_size=5, test_fraction=0.3)
    data = load_training(name, options, reading=1)
    test = load_test(name, options, reading=1)
    # What 0.1.0 itself said of such a folder.
    assert data.fingerprint() == "9c99d9fe428de147"
    assert levels(test) == [1, 1, 5, 40, 45, 48]
    train, valid = split(data, valid_fraction=0.3, seed=4)
    assert levels(valid) == [2, 4, 47, 49] and len(train.labels) == 11


def test_version_0_1_0_refused_what_is_converted_now(tmp_path):
    name = write_folder(tmp_path / "own", mode="L")
    Image.new("RGB", (4, 4)).save(tmp_path / "own" / "cat" / "00.png")
    with pytest.raises(DataError, match=r"grayscale and .*in colour"):
        load_training(name, reading=1)
    (tmp_path / "own" / "cat").rename(tmp_path / "own" / "train")
    with pytest.raises(DataError, match=r"both train and test, .*found train alone"):
        load_training(name, reading=1)
