"""`egnas export` and `egnas predict` as a user meets them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import TINY, Shell
from finishing import load_final
from optuna.artifacts import get_all_artifact_meta
from PIL import Image

import optuna_egnas
from optuna_egnas import LinkedStudies, create_linked_studies, load_linked_studies
from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation.data.held_out import load_test
from optuna_egnas.evaluation.trained.network_file import packed

FORMATS = ("state-dict", "torch-export", "onnx", "python")


@pytest.fixture(scope="module")
def egnas(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell in a folder with a search whose network is finally trained, twice."""
    shell = Shell(tmp_path_factory.mktemp("exports"))
    shell.write("tiny.toml", TINY)
    assert shell("search", "tiny.toml").code == 0
    assert shell("train", "tiny", "--epochs", "2", "--seeds", "2").code == 0
    (shell.folder / "tiny.egnas").write_bytes(packed(load_final(opened(shell))))
    for index, image in enumerate(load_test("digits").images[:3]):
        Image.fromarray(image[0].numpy()).save(shell.folder / f"{index}.png")
    shell.write("broken.png", b"\x89PNG\r\n")
    return shell


def opened(egnas: Shell) -> LinkedStudies:
    return load_linked_studies(storage=f"sqlite:///{egnas.folder}/egnas.db", name="tiny")


@pytest.mark.parametrize("format", FORMATS)
def test_a_network_is_handed_over(egnas: Shell, format: str) -> None:
    folder = egnas.folder / format
    folder.mkdir()

    ran = egnas("export", "tiny", "--format", format, "--out", format, "--check-test")

    assert (ran.code, ran.err) == (0, "")
    trained, lines = load_final(opened(egnas)), ran.out.splitlines()
    written = [Path(line.split(" (")[0]) for line in lines[:-3]]
    assert {egnas.folder / file for file in written} == {*folder.iterdir()}
    assert lines[-3] == (
        "takes uint8 pixels [N, 1, 8, 8], normalises them itself, gives logits of 10 classes"
    )
    assert lines[-2].startswith("loaded back: on 128 training images, logits within ")
    assert lines[-2].endswith(" of the trained network's (allowed: 1.0e-04)")
    assert lines[-1] == (
        f"test images read again: {trained.test_correct} of 359 right, as reported"
    )


def test_the_dashboard_lists_an_export_once(egnas: Shell) -> None:
    def names() -> list[str]:
        return sorted(each.filename for each in get_all_artifact_meta(opened(egnas).micro))

    before = names()
    first = egnas("export", "--format", "python", "--out", "mine.py", "--json").record
    assert names() == sorted([*before, "mine.py", "mine.pt"])

    again = egnas("export", "--format", "python", "--out", "mine.py", "--json")

    assert again.record["artifacts"] == first["artifacts"]
    egnas.refuses(
        "export", "--format", "python", "--out", "mine.py", "--seed", "1", saying=("mine.py",)
    )
    other = egnas(
        "export", "--format", "python", "--out", "mine.py", "--overwrite", "--seed", "1", "--json"
    )
    assert other.record["network"]["seed"] == 1
    assert len(names()) == len(before) + 4


def test_json_says_what_was_compared(egnas: Shell) -> None:
    found = egnas("export", "--format", "state-dict", "--out", "said.pt", "--json").record

    assert found["files"] == ["said.pt"]
    assert (found["compared"], found["images"]) == (128, "training images")
    assert found["difference"] <= found["tolerance"] == 1e-4
    assert found["network"]["test_correct"] == load_final(opened(egnas)).test_correct
    assert "weights" not in found["network"]
    assert found["test_correct"] is None, "nobody has asked to read the test images"


def test_the_file_is_timed(egnas: Shell) -> None:
    ran = egnas("export", "--format", "onnx", "--out", "timed.onnx", "--benchmark")

    assert (ran.code, ran.err) == (0, "")
    one, many = ran.out.splitlines()[-2:]
    for line, batch in ((one, 1), (many, 64)):
        found = re.fullmatch(
            rf"batch {batch}: ([\d.]+) ms median, ([\d.]+) ms at the 95th percentile of "
            r"\d+ runs \(onnxruntime \S+, CPU, 1 thread\)",
            line,
        )
        assert found and 0 < float(found[1]) <= float(found[2]), line
    again = egnas("export", "--format", "onnx", "--out", "timed.onnx", "--benchmark", "--json")
    said = again.record["benchmark"]
    assert said["runtime"].startswith("onnxruntime ") and said["threads"] == 1
    assert [each["batch"] for each in said["latencies"]] == [1, 64]


def test_a_file_is_enough(egnas: Shell, tmp_path: Path) -> None:
    alone = Shell(tmp_path)
    (tmp_path / "tiny.egnas").write_bytes((egnas.folder / "tiny.egnas").read_bytes())

    ran = alone("export", "--from", "tiny.egnas", "--format", "state-dict")

    assert ran.code == 0
    assert "loaded back: on 128 generated images, logits within " in ran.out
    assert {*alone.files()} == {"tiny.egnas", "tiny.pt"}
    assert alone("export", "--from", "tiny.pt", "--format", "python", "--out", "a.py").code == 0
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "tiny.pt").read_bytes()


def test_where_the_data_are_gone_generated_images_do(
    egnas: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optuna_egnas._search.identity.DATASETS", ())

    found = egnas("export", "--format", "state-dict", "--out", "gone.pt", "--json").record

    assert (found["compared"], found["images"]) == (128, "generated images")


def test_an_upload_that_fails_leaves_the_file(
    egnas: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise SearchError("the bucket is full")

    monkeypatch.setattr("optuna_egnas._search.export.upload", full)

    ran = egnas("export", "--format", "state-dict", "--out", "kept.pt")

    assert ran.code == 0
    assert ran.err == "Not among the artifacts of the search: the bucket is full\n"
    assert (egnas.folder / "kept.pt").is_file()


def test_the_same_in_python(egnas: Shell, tmp_path: Path) -> None:
    exported = optuna_egnas.export(opened(egnas), tmp_path, format="state-dict", seed=1)

    assert exported.files == (tmp_path / "tiny.pt",)
    again = optuna_egnas.export(exported.network, tmp_path / "again.pt", format="state-dict")
    assert again.files[0].read_bytes() == exported.files[0].read_bytes()
    with pytest.raises(SearchError, match="for a search only, but got a network alone"):
        optuna_egnas.export(exported.network, format="state-dict", check_test=True)


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        (("--format", "tflite"), ("`format` must be one of state-dict, torch-export",)),
        ((), ("--format",)),
        (
            ("tiny", "--from", "tiny.egnas", "--format", "onnx"),
            ("Give a search or --from, but not both",),
        ),
        (("other", "--format", "onnx"), ("other",)),
        (("--seed", "7", "--format", "onnx"), ("seed=7", "0, 1")),
        (("--from", "tiny.egnas", "--format", "onnx", "--check-test"), ("for a search only",)),
        (("--from", "broken.png", "--format", "onnx"), ("broken.png must be a trained network",)),
        (("--from", "gone", "--format", "onnx"), ("Cannot read gone: No such file",)),
        (("--format", "state-dict", "--out", "tiny.toml"), ("must end with .pt",)),
        (("--format", "onnx", "--out", "no/where.onnx"), ("must exist",)),
    ],
)
def test_what_cannot_be_exported_is_refused(
    egnas: Shell, arguments: tuple[str, ...], saying: tuple[str, ...]
) -> None:
    egnas.refuses("export", *arguments, saying=saying)


def test_without_a_final_training_there_is_nothing_to_hand_over(tmp_path: Path) -> None:
    alone, image = Shell(tmp_path), tmp_path / "image.png"
    create_linked_studies(storage=f"sqlite:///{tmp_path}/egnas.db", name="tiny")
    Image.new("L", (8, 8)).save(image)

    alone.refuses("export", "--format", "onnx", saying=("egnas train tiny",))
    alone.refuses("predict", str(image), saying=("egnas train tiny",))


def test_images_are_named(egnas: Shell) -> None:
    found = egnas("predict", "0.png", "1.png", "--top", "2", "--json").record

    assert [image["file"] for image in found["images"]] == ["0.png", "1.png"]
    for image in found["images"]:
        first, second = image["top"]
        assert 1 >= first["probability"] >= second["probability"] >= 0
        assert first["class_name"] in "0123456789"

    ran = egnas("predict", "0.png", "1.png", "--top", "2", "--name", "tiny")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"{image['file']}: "
        + ", ".join(
            f"{each['class_name']} {100 * each['probability']:.1f} %" for each in image["top"]
        )
        for image in found["images"]
    ]


def test_a_file_predicts_what_the_search_does(egnas: Shell) -> None:
    for format, file in (("state-dict", "model.pt"), ("onnx", "model.onnx")):
        assert egnas("export", "--format", format, "--out", file).code == 0
    expected = egnas("predict", "0.png").out

    assert expected
    for file in ("tiny.egnas", "model.pt", "model.onnx"):
        assert egnas("predict", "0.png", "--from", file).out == expected


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        ((), ("images",)),
        (("0.png", "broken.png"), ("readable by Pillow", "broken.png")),
        (("broken.png", "gone.png", "0.png"), ("2 of 3 image files", "broken.png, gone.png;")),
        (("0.png", "gone.png"), ("gone.png", "No such file")),
        (("0.png", "--top", "0"), ("`top` must be at least 1, but got top=0",)),
        (("0.png", "--from", "tiny.toml"), ("tiny.toml must be a trained network",)),
        (("0.png", "--from", "tiny.py"), ("hold no code",)),
        (
            ("0.png", "--from", "tiny.egnas", "--name", "tiny"),
            ("Give a search or --from, but not both",),
        ),
        (
            ("0.png", "--from", "tiny.egnas", "--seed", "1"),
            ("Give a search or --from, but not both",),
        ),
        (("0.png", "--name", "other"), ("other",)),
        (("0.png", "--seed", "9"), ("seed=9",)),
    ],
)
def test_what_cannot_be_predicted_is_refused(
    egnas: Shell, arguments: tuple[str, ...], saying: tuple[str, ...]
) -> None:
    egnas.refuses("predict", *arguments, saying=saying)
