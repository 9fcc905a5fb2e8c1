"""What a search stores of its final trainings, and how it is found again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from finishing import load_final
from folders import in_memory
from optuna.artifacts import get_all_artifact_meta
from searching import MACRO_OF_ONE, searched, url
from walking import EGNAS

from optuna_egnas import LinkedStudies, load_linked_studies
from optuna_egnas._core.report import Report
from optuna_egnas._search.catalogue import delete_search
from optuna_egnas._search.final.stored import load_report, store_final
from optuna_egnas._storage.final_records import FinalRecord, FinalSettings
from optuna_egnas._storage.final_results import all_finals, finals
from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation.data.labelled import LabelledImages
from optuna_egnas.evaluation.trained.examination import examine
from optuna_egnas.evaluation.trained.network_file import TrainedNetwork
from optuna_egnas.options import Recipe
from optuna_egnas.visualization._notes import study_note


@pytest.fixture(scope="module")
def pattern() -> Iterator[Path]:
    """A folder with a search that has ended."""
    with in_memory() as folder:
        searched(folder, macro=MACRO_OF_ONE, micro={"epochs": 1})
        yield folder


@pytest.fixture
def studies(pattern: Path, folder: Path) -> LinkedStudies:
    """A copy of it, whose artifacts are to be kept beside it."""
    (folder / "egnas.db").write_bytes((pattern / "egnas.db").read_bytes())
    found = load_linked_studies(storage=url(folder), name="bars")
    for study in (found.macro, found.micro):
        study.set_user_attr("egnas:places", {"artifacts": str(folder / "artifacts")})
    return found


def examined(studies: LinkedStudies, seed: int = 0) -> tuple[TrainedNetwork, Report]:
    """A network that nobody has trained, and its test on random images."""
    architecture = studies.result().architecture
    assert architecture is not None
    generator = torch.Generator().manual_seed(seed)
    network = EGNAS.build(architecture, input_shape=(1, 8, 8), classes=2, generator=generator)
    trained = TrainedNetwork(
        search=studies.name,
        architecture=architecture,
        input_shape=(1, 8, 8),
        class_names=("lies", "stands"),
        mean=(100.0,),
        std=(60.0,),
        weights=network.state_dict(),
        seed=seed,
        epochs=3,
    )
    images = torch.randint(256, (40, 1, 8, 8), generator=generator, dtype=torch.uint8)
    report = examine(trained, LabelledImages(images=images, labels=torch.arange(40) % 2))
    return replace(trained, test_correct=report.correct, n_test=report.total), report


def stored(studies: LinkedStudies, seed: int = 0, **changes: Any) -> FinalRecord:
    trained, report = examined(studies, seed)
    settings = FinalSettings(
        architecture=trained.architecture, epochs=3, recipe=Recipe().to_json(), n_train=80
    )
    return store_final(
        studies,
        trained,
        report,
        settings=replace(settings, **changes),
        train_accuracy=0.75,
        seconds=1.5,
        device="cpu",
        threads=1,
    )


def test_a_network_and_its_test_come_back(studies: LinkedStudies, folder: Path) -> None:
    record = stored(studies)
    again = load_linked_studies(storage=url(folder), name="bars")
    trained, report = examined(studies)

    assert finals(again) == (record,)
    assert (record.test_correct, record.n_test) == (report.correct, 40)
    assert record.calibration_error == report.calibration_error
    assert load_report(again) == report
    loaded = load_final(again)
    assert (loaded.test_correct, loaded.n_test) == (report.correct, 40)
    for name, values in trained.weights.items():
        assert torch.equal(loaded.weights[name], values), name


def test_the_record_is_small_and_plain(studies: LinkedStudies) -> None:
    record = stored(studies)

    (attribute,) = [
        value for key, value in studies.micro.user_attrs.items() if "egnas:final" in key
    ]
    assert attribute == json.loads(json.dumps(attribute))
    assert len(json.dumps(attribute)) < 4000
    assert FinalRecord.from_json(attribute, EGNAS) == record


def test_the_dashboard_lists_the_files(studies: LinkedStudies) -> None:
    stored(studies, seed=1)

    listed = [each.filename for each in get_all_artifact_meta(studies.micro)]

    assert sorted(listed) == ["bars-seed1.egnas", "bars-seed1.json"]


def test_a_renamed_study_keeps_its_networks(studies: LinkedStudies, folder: Path) -> None:
    # As optuna-dashboard does it: a new study, without the system attributes.
    record = stored(studies)
    optuna.copy_study(
        from_study_name="bars/micro",
        from_storage=url(folder),
        to_storage=url(folder),
        to_study_name="nicer",
    )
    optuna.delete_study(study_name="bars/micro", storage=url(folder))

    renamed = load_linked_studies(storage=url(folder), name="bars")

    assert renamed.micro.study_name == "nicer"
    assert finals(renamed) == (record,)
    assert load_final(renamed).test_correct == record.test_correct


def test_the_first_seed_is_the_default_not_the_best(studies: LinkedStudies) -> None:
    records = [stored(studies, seed) for seed in (3, 1, 2)]

    assert [record.seed for record in finals(studies)] == [1, 2, 3]
    assert load_final(studies).seed == 1
    assert load_final(studies, seed=3).test_correct == records[0].test_correct
    with pytest.raises(SearchError, match=r"there are: 1, 2, 3.*got seed=0.*--seeds 1"):
        load_final(studies, seed=0)


def test_those_with_the_latest_settings_count(studies: LinkedStudies) -> None:
    first, second = stored(studies), stored(studies, epochs=9)

    assert finals(studies) == (second,)
    assert finals(studies, first.settings) == (first,)
    assert all_finals(studies) == (first, second)


def test_without_a_training_the_error_says_what_to_run(studies: LinkedStudies) -> None:
    assert finals(studies) == ()
    with pytest.raises(SearchError, match="no trained network yet: run `egnas train bars` first"):
        load_final(studies)


def test_a_file_that_is_gone_is_named(studies: LinkedStudies, folder: Path) -> None:
    record = stored(studies)
    (folder / "artifacts" / record.artifact_id).unlink()

    with pytest.raises(SearchError, match=r"bars-seed0\.egnas must be in") as refusal:
        load_final(studies)

    assert str(folder / "artifacts") in str(refusal.value)


def test_a_damaged_file_is_refused(studies: LinkedStudies, folder: Path) -> None:
    record = stored(studies)
    (folder / "artifacts" / record.artifact_id).write_bytes(b"GIF89a")

    with pytest.raises(SearchError, match=r"bars-seed0\.egnas must be a trained network"):
        load_final(studies)


def test_the_notes_tell_of_it_and_before_of_how_to_do_it(studies: LinkedStudies) -> None:
    def note() -> str:
        return study_note(
            studies,
            "micro",
            listed=(),
            places={"macro": "/1", "micro": "/2"},
            storage="sqlite:///egnas.db",
        )

    assert "egnas train bars --storage sqlite:///egnas.db" in note()
    records = [stored(studies, seed) for seed in (0, 1)]
    right = [100 * record.test_correct / 40 for record in records]

    assert f"**Final training:** {sum(right) / 2:.2f} +- " in note()
    assert "(2 seeds) of 40 test images right after 3 epochs on 80 images" in note()
    assert "`bars-seed0.egnas`, `bars-seed1.egnas`" in note()
    assert "egnas train bars" not in note()


def test_deleting_the_search_deletes_the_files(studies: LinkedStudies, folder: Path) -> None:
    stored(studies)
    assert len([*(folder / "artifacts").iterdir()]) == 3, "network, report, list of owners"

    delete_search(optuna.storages.get_storage(url(folder)), "bars")

    assert [*(folder / "artifacts").iterdir()] == []
