"""The command line: the rivals of the network found, in the report, in JSON and in `show`."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import TINY, Shell

TOLD = "whoever chooses a network by it has selected by the test images"


@pytest.fixture
def shell(egnas: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    """A folder with a search that has ended; no weights are on this machine."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    egnas.write("s.toml", TINY)
    assert egnas("search", "s.toml").code == 0
    return egnas


def test_a_table_a_sentence_and_a_caution(shell: Shell) -> None:
    alone = shell("train", "tiny", "--epochs", "2")
    assert "egnas train tiny --storage sqlite:///egnas.db --rivals" in alone.out
    assert "rivals" not in shell("show", "tiny").out

    ran = shell("train", "tiny", "--rivals")

    assert ran.code == 0, ran.err
    record = shell("train", "tiny", "--json").record["rivals"]
    for said in ("The network found and its rivals", record["sentence"], TOLD):
        assert said in ran.out and said in shell("show", "tiny").out
    assert "Left out: pretrained mobilenet_v3_small: its weights must be in" in ran.out
    assert "rival logistic regression (1 of " in ran.err
    assert "rival plain CNN (3 of " in ran.err and "epoch 1 of 2" in ran.err
    assert "seed 0" not in ran.err, "the network found is not trained again"
    assert shell("show", "tiny", "--json").record["rivals"] == record
    names = {each["name"] for each in record["rivals"]}
    assert {"plain CNN", "random forest", "random network 5"} <= names
    assert "--rivals" not in ran.out
