"""`--network` as a user meets it: in a final training, an export and a prediction."""

from __future__ import annotations

import pytest
from commands import TINY, Shell
from optuna.artifacts import get_all_artifact_meta
from PIL import Image

from optuna_egnas import LinkedStudies, load_linked_studies
from optuna_egnas._search.named import named_network


@pytest.fixture(scope="module")
def egnas(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell in a folder with a search whose network and whose largest one are trained."""
    shell = Shell(tmp_path_factory.mktemp("networks"))
    shell.write("tiny.toml", TINY)
    assert shell("search", "tiny.toml").code == 0
    assert shell("train", "tiny", "--epochs", "1").code == 0
    assert shell("train", "tiny", "--epochs", "1", "--network", "largest").code == 0
    Image.new("L", (8, 8)).save(shell.folder / "0.png")
    return shell


def opened(egnas: Shell) -> LinkedStudies:
    return load_linked_studies(storage=f"sqlite:///{egnas.folder}/egnas.db", name="tiny")


def test_a_network_is_trained_by_its_name(egnas: Shell) -> None:
    ran = egnas("train", "tiny", "--network", "largest")

    words = " ".join(ran.out.split())
    assert (
        "The test images were read before, for 1 training of another network: who chooses between "
        "the networks by these results has selected by the test."
    ) in words
    assert "egnas train tiny --storage sqlite:///egnas.db --network largest --seeds 3" in words
    assert "egnas export tiny --storage sqlite:///egnas.db --network largest --format" in words
    record = egnas("train", "tiny", "--network", "largest", "--json").record
    assert record["architecture"] == named_network(opened(egnas), "largest").to_json()
    assert record["earlier_networks"] == record["earlier_tests"] == 1
    found = egnas("train", "tiny")
    assert "read before" not in found.out and "--network" not in found.out


def test_it_is_exported_and_predicts(egnas: Shell) -> None:
    arguments = ("--format", "state-dict", "--json", "--network")
    largest = egnas("export", "--out", "largest.pt", *arguments, "largest").record

    expected = named_network(opened(egnas), "largest").to_json()
    assert largest["network"]["architecture"] == expected
    assert "largest.pt" in {each.filename for each in get_all_artifact_meta(opened(egnas).micro)}
    found = egnas("export", "--out", "found.pt", *arguments, "micro").record
    assert found["network"]["architecture"] == egnas("show", "--json").record["architecture"]

    for file, name in (("largest.pt", "largest"), ("found.pt", "micro")):
        by_name = egnas("predict", "0.png", "--network", name).out
        assert by_name and by_name == egnas("predict", "0.png", "--from", file).out
    assert egnas("predict", "0.png").out == egnas("predict", "0.png", "--network", "micro").out


@pytest.mark.parametrize(
    "command", [("train", "tiny"), ("export", "--format", "onnx"), ("predict", "0.png")]
)
@pytest.mark.parametrize(
    ("name", "saying"),
    [
        ("best", "`network` must be one of macro, micro, largest, within:POINTS, trial:macro/N"),
        ("trial:macro/99", "`N` of macro/N must be less than"),
        ("within:-1", "`within` must be at least 0, but got within=-1.0"),
    ],
)
def test_a_name_that_does_not_exist_is_refused(
    egnas: Shell, command: tuple[str, ...], name: str, saying: str
) -> None:
    egnas.refuses(*command, "--network", name, saying=(saying,))


@pytest.mark.parametrize("command", [("export", "--format", "onnx"), ("predict", "0.png")])
def test_what_is_not_trained_says_how(egnas: Shell, command: tuple[str, ...]) -> None:
    egnas.refuses(
        *command,
        "--network",
        "trial:macro/0",
        saying=("got network='trial:macro/0'", "egnas train tiny --network trial:macro/0"),
    )


@pytest.mark.parametrize(
    ("command", "saying"),
    [
        (("predict", "0.png"), "Give a search or --from, but not both"),
        (
            ("export", "--format", "onnx"),
            "can be chosen, and a test be checked, for a search only",
        ),
    ],
)
def test_a_file_has_one_network(egnas: Shell, command: tuple[str, ...], saying: str) -> None:
    egnas("export", "--out", "largest.pt", "--format", "state-dict", "--network", "largest")

    egnas.refuses(*command, "--from", "largest.pt", "--network", "largest", saying=(saying,))
