"""`egnas show --front` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import TINY, Shell

from optuna_egnas import create_linked_studies, load_linked_studies
from optuna_egnas._search.scored import scored_networks


@pytest.fixture(scope="module")
def egnas(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell in a folder with a search that has ended."""
    shell = Shell(tmp_path_factory.mktemp("fronts"))
    shell.write("tiny.toml", TINY)
    assert shell("search", "tiny.toml").code == 0
    return shell


def test_it_is_a_table_that_says_how_it_was_measured(egnas: Shell) -> None:
    before = (egnas.folder / "egnas.db").read_bytes()

    ran = egnas("show", "tiny", "--front")

    words = " ".join(ran.out.split())
    assert (ran.code, ran.err) == (0, "")
    assert "networks are not beaten" in words and "ms, batch 64" in words
    assert "Latencies are medians of up to 30 runs on cpu, 1 thread; those within 5 %" in words
    assert "egnas train tiny --storage sqlite:///egnas.db --network trial:" in words
    assert "Within" not in words
    assert (egnas.folder / "egnas.db").read_bytes() == before, "nothing is stored"


def test_one_object_says_the_same(egnas: Shell) -> None:
    record = egnas("show", "tiny", "--front", "--json").record

    studies = load_linked_studies(storage=f"sqlite:///{egnas.folder}/egnas.db", name="tiny")
    trained = {each.name: each for each in scored_networks(studies)}
    assert (record["name"], record["trained"]) == ("tiny", len(trained))
    assert "within" not in record
    for each in record["front"]:
        same = trained[each["name"]].to_json()
        assert {key: each[key] for key in same} == same
        assert [latency["batch"] for latency in each["latencies"]] == [1, 64]
    best = max(each.score for each in trained.values())
    assert max(each["score"] for each in record["front"]) == best


def test_within_names_the_smallest_that_train_takes(egnas: Shell) -> None:
    ran = egnas("show", "tiny", "--front", "--within", "100")
    picked = egnas("show", "tiny", "--front", "--within", "100", "--json").record["within"]

    words = " ".join(ran.out.split())
    assert f"Within 100 points of the best the smallest is {picked['network']['words']}" in words
    assert "egnas train tiny --storage sqlite:///egnas.db --network within:100" in words
    trained = egnas("train", "tiny", "--network", "within:100", "--epochs", "1", "--json").record
    assert trained["architecture"] == picked["network"]["architecture"]
    assert trained["params"] == picked["network"]["params"]
    exported = ("export", "--network", "within:100", "--format", "state-dict", "--json")
    found = egnas(*exported).record["network"]
    assert found["architecture"] == picked["network"]["architecture"]


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        (("--within", "0.5"), "--within must be given with --front, but got --within 0.5"),
        (("--front", "--within", "101"), "`within` must be at most 100, but got within=101.0"),
        (("--front", "--within", "nan"), "`within` must be a number, but got within=nan"),
        (("--front", "--walk"), "Give only one of --front, --csv and --walk"),
        (("--front", "--csv"), "Give only one of --front, --csv and --walk"),
    ],
)
def test_refusals(egnas: Shell, arguments: tuple[str, ...], saying: str) -> None:
    egnas.refuses("show", "tiny", *arguments, saying=(saying,))


def test_without_a_trained_network_it_says_so(tmp_path: Path) -> None:
    create_linked_studies(storage=f"sqlite:///{tmp_path}/egnas.db", name="tiny")

    Shell(tmp_path).refuses("show", "--front", saying=("must be trained to the end first",))
