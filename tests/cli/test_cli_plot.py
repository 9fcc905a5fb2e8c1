"""`egnas plot` as a user meets it."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from commands import TINY, Shell

from optuna_egnas import create_linked_studies
from optuna_egnas.methods import method
from optuna_egnas.visualization._files import PLOTS


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell in a folder with a finished search."""
    shell = Shell(tmp_path_factory.mktemp("plots"))
    shell.write("tiny.toml", TINY)
    assert shell("search", "tiny.toml").code == 0
    return shell


@pytest.fixture
def no_kaleido(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kaleido", None)


@pytest.mark.usefixtures("no_kaleido")
def test_pages_and_the_drawing_are_written_and_one_line_says_why_no_png_is(
    searched: Shell,
) -> None:
    ran = searched("plot", "tiny", "--out", "here/plots")

    folder = searched.folder / "here" / "plots"
    assert ran.code == 0
    assert {Path(line).name for line in ran.out.splitlines()} == {
        "network.svg",
        *(f"{name}.html" for name in (*PLOTS, *method("egnas").plots)),
    }
    assert all((searched.folder / line).is_file() for line in ran.out.splitlines())
    assert ran.err == "No PNG files: kaleido is missing: pip install 'optuna-egnas[png]'.\n"
    ElementTree.parse(folder / "network.svg")
    assert "tiny: what was tried" in (folder / "walk.html").read_text(encoding="utf-8")
    assert (folder / "plotly.min.js").stat().st_size > 1_000_000, "pages need no network"


def test_a_browser_that_cannot_be_started_is_one_line_too(
    searched: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaleido = pytest.importorskip("kaleido")

    def missing(*_: object, **__: object) -> None:
        raise RuntimeError("Kaleido requires Google Chrome.\nA long story.")

    monkeypatch.setattr(kaleido, "write_fig_from_object_sync", missing, raising=False)
    monkeypatch.setattr("plotly.io.write_images", missing)

    ran = searched("plot", "--json")

    assert ran.record["no_png"].endswith("no Chromium that works: Kaleido requires Google Chrome.")
    assert ran.err == ""
    assert not any(file.endswith(".png") for file in ran.record["files"])


@pytest.mark.usefixtures("no_kaleido")
def test_what_cannot_be_drawn_or_written_is_refused(searched: Shell) -> None:
    searched.write("file", "not a folder")
    create_linked_studies(storage=f"sqlite:///{searched.folder}/new.db", name="new")

    searched.refuses("plot", "--out", "file/plots", saying=("Cannot write plots",))
    searched.refuses("plot", "--storage", "sqlite:///new.db", saying=("'new' has not",))
    searched.refuses("plot", "tinny", saying=("'tinny'", "there are tiny"))


@pytest.mark.browser
def test_png_files_are_pictures(searched: Shell) -> None:
    from PIL import Image

    ran = searched("plot", "--out", "png", "--json")

    assert ran.record["no_png"] is None
    for name in PLOTS:
        with Image.open(searched.folder / "png" / f"{name}.png") as picture:
            assert picture.width == 2000
            assert np.unique(np.asarray(picture.convert("L"))).size > 20, "it is not empty"
