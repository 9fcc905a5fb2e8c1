"""Searches of version 0.1.0 go on with the images that they had; later ones are told from them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from commands import draw_images
from folders import STORED, needs

from optuna_egnas import LinkedStudies
from optuna_egnas._search import identity as _stored
from optuna_egnas._search.setup import Setup, prepare
from optuna_egnas.errors import DataError, SearchError
from optuna_egnas.options import DataOptions, SearchOptions


def prepared(folder: Path, **data: object) -> Setup:
    options = SearchOptions(
        data=DataOptions(image_size=8, **data),
        macro={"min_depth": 2, "max_depth": 2, "min_width": 4, "max_width": 4},
        precision="fp32",
        artifacts=str(folder / "artifacts"),
    )
    url = f"sqlite:///{folder}/egnas.db"
    return prepare(f"folder:{folder}/pets", storage=url, name="pets", options=options)


def images(setup: Setup) -> tuple[torch.Tensor, torch.Tensor]:
    return setup.objective.training.images, setup.objective.validation.images


def test_a_search_of_version_0_1_0_is_read_and_divided_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_images(tmp_path / "pets")
    with monkeypatch.context() as then:
        then.setattr(_stored, "READING", 1)
        before = prepared(tmp_path)
    assert not {"reading", "ground"} & before.studies.link.dataset.keys()

    after = prepared(tmp_path)

    assert all(map(torch.equal, images(before), images(after)))
    assert any("version 0.1.0" in line for line in after.found)
    again = _stored.stored_images(after.studies)
    assert all(torch.equal(a, b.images) for a, b in zip(images(before), again, strict=True))
    assert len(_stored.stored_test(after.studies).labels) == 8


def test_a_search_keeps_its_reading_and_its_ground(tmp_path: Path) -> None:
    draw_images(tmp_path / "pets")
    begun = prepared(tmp_path, ground="black")

    assert begun.studies.link.dataset["reading"] == 2
    assert _stored.stored_source(begun.studies)[1].ground == "black"
    assert not any("0.1.0" in line for line in begun.found)
    with pytest.raises(SearchError, match="ground is 'black' there, but got 'white'"):
        prepared(tmp_path)


def test_a_search_remembers_that_broken_images_are_left_out(tmp_path: Path) -> None:
    draw_images(tmp_path / "pets")
    (tmp_path / "pets" / "cat" / "broken.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"cat/broken\.png"):
        prepared(tmp_path)

    begun = prepared(tmp_path, skip_broken=True)

    again = _stored.stored_images(begun.studies)
    assert all(torch.equal(a, b.images) for a, b in zip(images(begun), again, strict=True))


def test_a_search_of_a_later_version_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_images(tmp_path / "pets")
    with monkeypatch.context() as later:
        later.setattr(_stored, "READING", 3)
        studies: LinkedStudies = prepared(tmp_path).studies

    with pytest.raises(SearchError, match="1 to 2, but it was begun with reading 3"):
        prepared(tmp_path)
    with pytest.raises(SearchError, match="reading 3"):
        _stored.stored_images(studies)


@needs(STORED)
def test_the_stored_search_of_version_0_1_0_goes_on(tmp_path: Path) -> None:
    shutil.copytree(STORED, tmp_path / "old")
    setup = prepare(
        "digits",
        storage=f"sqlite:///{tmp_path}/old/unfinished.db",
        options=SearchOptions(seed=5, artifacts=str(tmp_path / "old/finished-artifacts")),
    )

    assert setup.resumed == 31
    assert [len(each) for each in images(setup)] == [1150, 288]
    assert any("version 0.1.0" in line for line in setup.found)
