"""Folders of images as people lay them out: classes, parts by their usual names, and what else."""

import os
import subprocess
import sys
import unicodedata

import pytest
import torch
from PIL import Image

from optuna_egnas.errors import DataError
from optuna_egnas.evaluation._data import DataOptions, load_training, split
from optuna_egnas.evaluation._layout import read_layout, split_of
from optuna_egnas.evaluation._test_images import load_test

LEVELS = iter(range(10**9))


def draw(folder, *names, count=4, classes=("cat", "dog"), seed=None):
    """In each of these folders some classes of images, each image of its own (or by `seed`)."""
    for name in names or ("",):
        for label, each in enumerate(classes):
            place = folder / name / each
            place.mkdir(parents=True, exist_ok=True)
            for index in range(count):
                level = next(LEVELS) if seed is None else 100 * seed + 10 * label + index
                image = Image.new("RGB", (6, 5), (level % 256, level // 256 % 256, 7))
                image.save(place / f"{index:02}.png")
    return f"folder:{folder}"


def counts(name, options=None):
    """Images to train on, to validate on as given, and for the test."""
    data = load_training(name, options)
    valid = 0 if data.validation is None else int(data.validation.sum())
    return (
        len(data.samples.labels) - valid,
        valid,
        len(load_test(name, options, training=data).labels),
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((each, "train") for each in ("train", "Train", "TRAINING", "train_set", "Training Set")),
        *((each, "train") for each in ("train-images", "images_train", "seg_train", "train2017")),
        *((each, "train") for each in ("trainset", "TrainingData", "01-train", "trainval")),
        *(
            (each, "test")
            for each in ("test", "TEST", "testing", "test_set", "TestSet", "test.data")
        ),
        *((each, "test") for each in ("test1", "images-test", "holdout", "hold-out")),
        *((each, "valid") for each in ("val", "Valid", "VALIDATION", "validation_set", "val2017")),
        *((each, "valid") for each in ("dev", "dev-set", "eval", "evaluation", "valset")),
        *(
            (each, None)
            for each in ("cat", "dataset", "latest", "contest", "trains", "train station")
        ),
        *((each, None) for each in ("", "2017", "_", "set", "images", "价值", "value", "devil")),
    ],
)
def test_parts_are_known_by_their_usual_names(name, kind):
    assert split_of(name) == kind


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("Train", "Test"), (8, 0, 8)),
        (("TRAINING", "testing"), (8, 0, 8)),
        (("training_set", "test_set"), (8, 0, 8)),
        (("train", "val", "test"), (8, 8, 8)),
        (("Training", "Dev", "Holdout"), (8, 8, 8)),
        (("train-images", "test-images", "validation-images"), (8, 8, 8)),
        (("", "test"), (8, 0, 8)),
        (("", "Validation", "TEST"), (8, 8, 8)),
    ],
)
def test_given_parts_are_used_as_they_are(parts, expected, tmp_path):
    name = draw(tmp_path, *parts)
    assert counts(name) == expected
    assert load_training(name).class_names == ("cat", "dog")


@pytest.mark.parametrize("parts", [("train",), ("training", "validation"), ("", "val")])
def test_without_a_test_folder_a_share_is_kept_for_the_test(parts, tmp_path):
    train, valid, test = counts(draw(tmp_path, *parts), DataOptions(test_fraction=0.5))
    assert train + test == 8 and train >= 2 and test >= 2
    assert valid == (8 if len(parts) == 2 else 0)


def test_a_given_validation_set_is_the_one_that_is_used(tmp_path):
    name = draw(tmp_path, "train", "val", "test", count=10)
    draw(tmp_path / "val", count=3)
    data = load_training(name)
    for arguments in ({"seed": 0}, {"seed": 1}, {"seed": 1, "subset": 7}):
        train, valid = split(data, valid_fraction=0.2, **arguments)
        assert torch.equal(valid.images, data.samples.images[data.validation])
        assert len(train.labels) == arguments.get("subset", 20)
        assert set(train.labels.tolist()) == {0, 1}
    assert any("valid_fraction has no use" in line for line in data.survey.notes)
    with pytest.raises(DataError, match=r"subset must be 2 \(1 of each class\) to 20, found 21"):
        split(data, valid_fraction=0.2, seed=0, subset=21)


def test_the_validation_set_is_part_of_what_the_data_are(tmp_path):
    name = draw(tmp_path, "train", "val", "test")
    before = load_training(name).fingerprint()
    (tmp_path / "val" / "cat" / "00.png").rename(tmp_path / "train" / "cat" / "moved.png")
    assert load_training(name).fingerprint() != before


# --- classes that are named like parts, and what could be read in two ways


@pytest.mark.parametrize(
    "classes", [("bus", "car", "train"), ("Train", "truck"), ("boat", "training", "van")]
)
def test_a_class_may_be_named_like_a_part(classes, tmp_path):
    assert load_training(draw(tmp_path, classes=classes)).class_names == classes


def test_a_class_named_like_a_part_stays_one_beside_real_parts(tmp_path):
    vehicles = ("bus", "car", "train")
    name = draw(tmp_path, "", "test", classes=vehicles)
    assert load_training(name).class_names == vehicles and counts(name) == (12, 0, 12)
    for kind in ("steam", "diesel"):
        (tmp_path / "train" / kind).mkdir()
        for file in sorted((tmp_path / "train").glob("*.png"))[:2]:
            file.rename(tmp_path / "train" / kind / file.name)
    assert load_training(name).class_names == vehicles and counts(name) == (12, 0, 12)


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        (
            [("train", ("steam", "diesel")), ("", ("bus", "car"))],
            "train in .* may be a part with.*bus, car",
        ),
        ([("", ("cat", "dog", "test"))], "test in .* may be a class, or images without class"),
        ([("", ("train", "test"))], "test in .* may be a class, or images without class folders"),
        (
            [("", ("cat", "dog")), ("test", ("blood", "urine"))],
            "test in .* may be a class beside cat, dog",
        ),
        (
            [("train", ("a", "b")), ("Training", ("a", "b"))],
            "one folder for a part, found Training and train",
        ),
        ([("train", ("a", "b")), ("val", ("a", "b")), ("dev", ("a", "b"))], "found dev and val"),
        (
            [("cat", ("train", "test")), ("dog", ("train", "test"))],
            "parts must hold the classes, as in train/cat, found test, train in .*cat",
        ),
        ([("test", ("a", "b"))], "class folders or train as well, found test alone"),
        (
            [("test", ("a", "b")), ("val", ("a", "b"))],
            "found test, val alone|found val, test alone",
        ),
        (
            [("train", ("a", "b")), ("test", ("a", "b", "fox"))],
            "same classes, found fox in .*test only",
        ),
        (
            [("train", ("a", "b")), ("val", ("a", "c", "d"))],
            "same classes, found c, d in .*val only",
        ),
        ([("", ("cat",))], "at least 2 classes, found only cat in"),
        ([("photos", ("cat", "dog"))], r"found only photos in .*did you mean folder:.*photos\?"),
        ([("train", ("cat",)), ("test", ("cat",))], "at least 2 classes, found only cat"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_with_both(layout, words, tmp_path):
    for name, classes in layout:
        draw(tmp_path / "own", name, classes=classes)
    with pytest.raises(DataError, match=words) as caught:
        load_training(f"folder:{tmp_path / 'own'}")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "parts", [("x_train", "x_test"), ("petsTrain", "petsTest"), ("pets-train", "pets-val")]
)
def test_what_may_be_parts_of_other_names_is_refused(parts, tmp_path):
    with pytest.raises(DataError, match="may be classes or parts: rename them"):
        load_training(draw(tmp_path, *parts))

    # Classes that hold images themselves may be named so.
    draw(tmp_path / "flat", classes=parts)
    assert load_training(f"folder:{tmp_path}/flat").class_names == tuple(sorted(parts))


def test_images_without_class_folders_are_no_test(tmp_path):
    name = draw(tmp_path, "train")
    (tmp_path / "test").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "test" / "1.png")
    train, _, test = counts(name)
    assert train + test == 8
    assert "not used: test" in load_training(name).survey.notes


def test_what_is_not_used_is_named(tmp_path):
    name = draw(tmp_path, "train", "test", "extra", "predict")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "1.txt").write_text("0 0.5")
    Image.new("L", (4, 4)).save(tmp_path / "cover.png")
    draw(tmp_path / "train", classes=("empty",), count=0)
    (tmp_path / "train" / "cat" / "notes.txt").write_text("x")
    (tmp_path / "train" / "cat" / "clip.MP4").write_bytes(b"\0" * 99)
    (tmp_path / "train" / "dog" / "README").write_text("x")
    notes = load_training(name).survey.notes
    assert "not used: extra, predict, 1 image" in notes
    assert "left out: folders without images: empty" in notes
    (left,) = (line for line in notes if "txt" in line)
    assert set(left.removeprefix("left out: ").split(", ")) == {
        "1 .txt",
        "1 .mp4",
        "1 without ending",
    }


def test_classes_that_a_part_lacks_are_named_and_may_be_spelt_otherwise(tmp_path):
    draw(tmp_path, "train", classes=("Cat", "dog", unicodedata.normalize("NFC", "é")))
    draw(tmp_path, "test", classes=("cat", unicodedata.normalize("NFD", "é")))
    name = f"folder:{tmp_path}"
    assert load_test(name).labels.unique().tolist() == [0, 2]
    assert any("no images of dog" in line for line in load_training(name).survey.notes)


def test_a_part_may_lie_in_a_folder_of_its_own_name(tmp_path):
    name = draw(tmp_path, "seg_train/seg_train", "seg_test/seg_test", "seg_pred/seg_pred")
    assert counts(name) == (8, 0, 8)


def test_a_class_of_images_that_only_a_plug_in_reads_is_not_left_out_in_silence(tmp_path):
    name = draw(tmp_path)
    (tmp_path / "fox").mkdir()
    (tmp_path / "fox" / "1.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(DataError, match=r"images that Pillow reads, found only .heic in .*fox"):
        load_training(name)


# --- copies


def test_copies_stand_on_one_side_only_also_between_given_parts(tmp_path):
    name = draw(tmp_path, "train", "val", "test", count=5)
    for source, target in (("train", "val"), ("train", "test"), ("val", "test")):
        for each in ("cat", "dog"):
            content = (tmp_path / source / each / "03.png").read_bytes()
            (tmp_path / target / each / f"copy-{source}.png").write_bytes(content)
    # The test keeps its 14; four of the 12 in val are there as well, and two of the 10 in train.
    assert counts(name) == (8, 8, 14)
    notes = load_training(name).survey.notes
    assert any(line.startswith("6 copies of other images") for line in notes)
    assert any(line.startswith("left out: 6 copies of images of another part") for line in notes)


def test_parts_of_copies_alone_are_not_used(tmp_path):
    name = draw(tmp_path, "train", "val", "test", seed=1, count=8)
    train, valid, test = counts(name)
    assert (train + test, valid) == (16, 0) and test >= 2
    train_side = {image.numpy().tobytes() for image in load_training(name).samples.images}
    assert not train_side & {image.numpy().tobytes() for image in load_test(name).images}
    notes = load_training(name).survey.notes
    assert sum(line.startswith("not used: the ") for line in notes) == 2


def test_one_image_of_two_classes_is_told_of(tmp_path):
    name = draw(tmp_path)
    content = (tmp_path / "cat" / "01.png").read_bytes()
    (tmp_path / "dog" / "other.png").write_bytes(content)
    said = load_training(name).survey.conflicts
    assert said == "1 image is the same as one of another class: cat/01.png and dog/other.png, say"
    assert not load_training(draw(tmp_path / "b")).survey.conflicts


# --- hidden and system files, links


SYSTEM = (
    *("__MACOSX", ".git", ".ipynb_checkpoints", "@eaDir", "$RECYCLE.BIN", "#recycle", "@Recycle"),
    *("System Volume Information", "lost+found", ".Trash-1000", ".thumbnails", "__pycache__"),
)


def test_hidden_and_system_folders_and_files_are_no_data(tmp_path):
    name = draw(tmp_path / "own")
    before = load_training(name)
    for each in SYSTEM:
        draw(tmp_path / "own", classes=(each, f"cat/{each}"))
    for each in ("._00.png", ".hidden.jpg", "~$a.png", "a.png~", ".a.png.swp", "b.jpg.part"):
        (tmp_path / "own" / "dog" / each).write_bytes(b"\0\5\x16\7")
    for each in ("Thumbs.db", "desktop.ini", ".DS_Store", "Icon\r", "c.png.crdownload"):
        (tmp_path / "own" / each).write_bytes(b"x")
        (tmp_path / "own" / "cat" / each).write_bytes(b"x")
    after = load_training(name)
    assert after.fingerprint() == before.fingerprint() and after.class_names == ("cat", "dog")
    assert after.survey == before.survey


def test_a_folder_of_system_folders_alone_has_no_classes(tmp_path):
    draw(tmp_path, classes=SYSTEM)
    with pytest.raises(DataError, match="a subfolder with images for each class"):
        load_training(f"folder:{tmp_path}")


@pytest.mark.parametrize(
    "links",
    [
        {"cat/loop": "."},
        {"cat/loop": "..", "dog/loop": "../..", "up": "."},
        {"cat/x": "../dog", "dog/y": "../cat"},
        {"cat/again.png": "00.png", "dog/again.png": "../cat/01.png", "kitten": "cat"},
        {"cat/a": "b", "cat/b": "a", "cat/self": "self"},
        {"cat/root": "/"},
    ],
)
def test_links_multiply_no_image(links, tmp_path):
    name = draw(tmp_path)
    before = load_training(name)
    for link, target in links.items():
        (tmp_path / link).symlink_to(target)
    after = load_training(name)
    assert after.fingerprint() == before.fingerprint() and after.class_names == ("cat", "dog")


def test_links_to_elsewhere_are_followed_once(tmp_path):
    draw(tmp_path / "pool", classes=("cat", "dog", "more"))
    own = tmp_path / "own"
    own.mkdir()
    for each in ("cat", "dog"):
        (own / each).symlink_to(tmp_path / "pool" / each)
    for each in ("one", "two"):
        (own / "cat" / each).symlink_to(tmp_path / "pool" / "more")
    layout = read_layout(own)
    assert [layout.train.labels.count(label) for label in (0, 1)] == [8, 4]


def test_a_link_that_leads_nowhere_is_a_broken_image(tmp_path):
    name = draw(tmp_path)
    (tmp_path / "cat" / "gone.jpg").symlink_to("/nowhere/a.jpg")
    (tmp_path / "cat" / "gone.txt").symlink_to("/nowhere/a.txt")
    with pytest.raises(DataError, match=r"1 that is not: cat/gone\.jpg"):
        load_training(name)


def test_pipes_are_neither_data_nor_waited_for(tmp_path):
    name = draw(tmp_path)
    before = load_training(name).fingerprint()
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    assert load_training(name).fingerprint() == before


# --- formats, names and paths


@pytest.mark.parametrize("ending", ["", ".jfif", ".JPE", ".webp_", ".1", ".apng", ".Tif", ".dat"])
def test_images_are_found_by_content_where_the_ending_says_nothing(ending, tmp_path):
    name = draw(tmp_path)
    before = counts(name)
    for index, file in enumerate(sorted(tmp_path.rglob("*.png"))):
        with Image.open(file) as image:
            image.save(file.with_name(f"{index}{ending}"), "PNG")
        file.unlink()
    assert counts(name) == before


@pytest.mark.parametrize(
    "classes", [("Äpfel", "Öl"), ("猫", "🐶"), ("a\nb", "c\x1b[31m"), ("b\udce9b", "b\udceab")]
)
def test_class_names_of_any_bytes_are_text(classes, tmp_path):
    try:
        name = draw(tmp_path, classes=classes)
    except OSError:
        pytest.skip("this file system has no such names")
    names = load_training(name).class_names
    assert len(set(names)) == 2
    "".join(names).encode()


def test_the_names_of_classes_do_not_depend_on_the_locale(tmp_path):
    draw(tmp_path, classes=("Äpfel", "b\udce9b"))
    code = (
        "import sys; from optuna_egnas.evaluation._layout import read_layout; from pathlib import "
        "Path; print(ascii(read_layout(Path(sys.argv[1])).class_names))"
    )
    here = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=here, capture_output=True, text=True
    )
    assert ran.stdout.strip() == ascii(read_layout(tmp_path).class_names), ran.stderr


@pytest.mark.parametrize(
    "path", ["x" * 300, "x/" * 3000, "a\0b", "~nobody-of-this-name/x", "\udce9"]
)
def test_paths_that_cannot_be_are_refused_in_one_line(path):
    for reading in (1, 2):
        with pytest.raises(DataError) as caught:
            load_training(f"folder:{path}", reading=reading)
        assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)
    with pytest.raises(DataError) as caught:
        load_training("kmnist", DataOptions(root=path))
    assert len(str(caught.value)) < 600
    with pytest.raises(DataError, match="must be one of"):
        load_training(path)


def test_one_folder_has_one_name(tmp_path, monkeypatch):
    draw(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    spellings = ("folder:photos", "folder:photos/", "folder:./photos", "folder:.//photos/.")
    assert {load_training(each).name for each in spellings} == {"folder:photos"}
