"""The command line: the final training of a search, its test, and what it refuses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import TINY, Shell, draw_images
from finishing import load_final
from folders import in_memory
from optuna.artifacts import get_all_artifact_meta

from optuna_egnas import load_linked_studies
from optuna_egnas._search.final.stored import load_report
from optuna_egnas.evaluation.data.held_out import load_test
from optuna_egnas.evaluation.trained.examination import examine

STORAGE = "sqlite:///egnas.db"


@pytest.fixture(scope="module")
def pattern() -> Iterator[bytes]:
    """The database of a tiny search on digits that has ended."""
    with in_memory() as folder:
        shell = Shell(folder)
        shell.write("s.toml", TINY)
        assert shell("search", "s.toml").code == 0
        yield (folder / "egnas.db").read_bytes()


@pytest.fixture
def shell(pattern: bytes, egnas: Shell) -> Shell:
    """A folder with that search."""
    egnas.write("egnas.db", pattern)
    # Where its checkpoints were kept is gone: as after a move to another folder.
    studies = load_linked_studies(storage=STORAGE, name="tiny")
    for study in (studies.macro, studies.micro):
        study.set_user_attr("egnas:places", {"artifacts": str(egnas.folder / "kept")})
    return egnas


def test_one_object_says_it_all(shell: Shell) -> None:
    ran = shell("train", "tiny", "--epochs", "3", "--seeds", "2", "--json")

    record = ran.record
    studies = load_linked_studies(storage=STORAGE, name="tiny")
    assert record["architecture"] == studies.result().to_json()["architecture"]
    assert (record["seeds"], record["epochs"]) == ([0, 1], 3)
    assert (record["n_train"], record["n_test"]) == (200, 359)
    assert sum(map(sum, record["confusion"])) == 2 * 359
    for index, training in enumerate(record["trainings"]):
        right = [row[label] for label, row in enumerate(training["confusion"])]
        assert training["class_correct"] == right
        assert training["test_correct"] == sum(right)
        network = load_final(studies, seed=index)
        assert examine(network, load_test("digits")) == load_report(studies, seed=index)
        assert network.test_accuracy == training["test_accuracy"]
    accuracies = [training["test_accuracy"] for training in record["trainings"]]
    assert record["test_accuracy"] == pytest.approx(sum(accuracies) / 2)
    assert record["test_accuracy_std"] == pytest.approx(
        abs(accuracies[0] - accuracies[1]) / 2**0.5
    )
    listed = {artifact.filename for artifact in get_all_artifact_meta(studies.micro)}
    assert {"tiny-seed0.egnas", "tiny-seed1.egnas", "tiny-seed0.json"} <= listed
    assert shell("train", "tiny", "--json").record == record, "and again, without training"


def test_it_learns_the_digits_and_says_so(shell: Shell) -> None:
    ran = shell("train", "--epochs", "8", "--all-images")

    assert ran.code == 0
    assert "seed 0: epoch 4 of 8, train" in ran.err and "left]" in ran.err
    words = " ".join(ran.out.split())
    for part in (
        "tiny: the final training",
        "training images │ 1,438",
        "Class by class",
        "Confusion matrix",
        "Confidence and accuracy",
        "egnas train tiny --storage sqlite:///egnas.db --seeds 3",
    ):
        assert part in words, ran.out
    studies = load_linked_studies(storage=STORAGE, name="tiny")
    assert (load_final(studies).test_accuracy or 0) > 0.8
    shown = shell("show", "tiny")
    assert "test accuracy" in shown.out, shown.out


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        (("tiny", "--epochs", "0"), ("`epochs` must be at least 1, but got epochs=0",)),
        (("tiny", "--epochs", "many"), ("--epochs",)),
        (("tiny", "--seeds", "0"), ("`seeds` must be at least 1",)),
        (("tiny", "--label-smoothing", "1"), ("`label_smoothing` must be at least 0 and below",)),
        (("tiny", "--ema", "1"), ("`ema` must be at least 0 and below 1",)),
        (("tiny", "--precision", "fp8"), ("`precision` of `recipe` must be one of fp32, bf16",)),
        (("tiny", "--device", "toaster"), ("`device` must be auto or one that",)),
        (("tiny", "--checkpoint-every", "-1"), ("`checkpoint_seconds` must be at least",)),
        (("other",), ("There is no search named 'other': there are tiny",)),
        (("tiny", "--storage", "sqlite:///no.db"), ("There is no search yet",)),
    ],
)
def test_refusals(arguments: tuple[str, ...], saying: tuple[str, ...], shell: Shell) -> None:
    shell.refuses("train", *arguments, saying=saying)


def test_an_unfinished_search_is_trained_only_when_that_is_asked_for(egnas: Shell) -> None:
    egnas.write("s.toml", TINY)
    assert egnas("search", "s.toml", "--max-total-epochs", "2").code == 0

    egnas.refuses("train", "tiny", saying=("must have ended", "--unfinished", "depth 2"))
    record = egnas("train", "tiny", "--unfinished", "--epochs", "1", "--json").record

    assert record["architecture"]["depth"] == 2


def test_data_that_have_changed_or_gone_are_named(egnas: Shell) -> None:
    draw_images(egnas.folder / "pets/train")
    draw_images(egnas.folder / "pets/test", count=3)
    text = TINY.replace('"digits"', '"folder:pets"').replace("subset = 200", "")
    egnas.write("s.toml", f"{text}[data]\nimage_size = 8\n")
    assert egnas("search", "s.toml").code == 0
    test, aside = egnas.folder / "pets/test", egnas.folder / "aside"

    test.rename(aside)
    egnas.refuses("train", "tiny", saying=("must have the fingerprint",))
    aside.rename(test)
    (egnas.folder / "pets/train/cat/9.png").rename(egnas.folder / "9.png")
    egnas.refuses("train", "tiny", saying=("must have the fingerprint",))
    (egnas.folder / "9.png").rename(egnas.folder / "pets/train/cat/9.png")
    record = egnas("train", "tiny", "--epochs", "1", "--json").record

    assert record["class_names"] == ["cat", "dog"]
    assert record["n_test"] == 6


def test_a_signal_stops_it_in_order(shell: Shell) -> None:
    code = "from optuna_egnas._cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "train", "tiny", "--epochs", "60", "--json"],
        cwd=shell.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "epoch" not in (line := process.stderr.readline()):
        assert line, "it ended before it was stopped"
    process.send_signal(signal.SIGTERM)
    out, said = process.communicate(timeout=60)
    assert (process.returncode, out) == (143, ""), said
    assert said.endswith("Stopped. The same command goes on from here.\n")

    ran = shell("train", "--json")

    assert "seed 0: goes on after epoch" in ran.err
    assert ran.record["epochs"] == 60, "as it was begun"


def test_the_record_in_the_storage_is_plain_json(shell: Shell, tmp_path: Path) -> None:
    record = shell("train", "tiny", "--epochs", "1", "--json").record

    attributes = load_linked_studies(storage=STORAGE, name="tiny").micro.user_attrs
    (stored,) = [value for key, value in attributes.items() if key.startswith("egnas:final:")]
    assert stored["test_accuracy"] == record["test_accuracy"]
    assert len(json.dumps(stored)) < 4000
