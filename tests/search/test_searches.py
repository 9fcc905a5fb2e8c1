"""`egnas list`, `egnas delete`, and the tables of `egnas show`, as a user meets them."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import optuna
import pytest
from commands import TINY, Ran, Shell

from optuna_egnas import create_linked_studies, load_linked_studies
from optuna_egnas.visualization._entries import entries


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell in a folder with a finished search; not to be changed."""
    shell = Shell(tmp_path_factory.mktemp("finished"))
    shell.write("tiny.toml", TINY)
    assert shell("search", "tiny.toml").code == 0
    return shell


@pytest.fixture
def egnas(finished: Shell, tmp_path: Path) -> Shell:
    """A shell in a folder with a finished search of its own."""
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    return Shell(tmp_path)


def url(shell: Shell) -> str:
    return f"sqlite:///{shell.folder}/egnas.db"


def begin(shell: Shell, name: str) -> optuna.Trial:
    """Another search, with one trial that runs in this process."""
    studies = create_linked_studies(storage=url(shell), name=name)
    trial = studies.macro.ask()
    trial.suggest_int("depth", 10, 100)
    return trial


# List


def test_each_search_is_listed_as_it_stands(egnas: Shell) -> None:
    create_linked_studies(storage=url(egnas), name="not begun")
    begin(egnas, "running")
    begin(egnas, "stopped").study.tell(0, state=optuna.trial.TrialState.FAIL)
    create_linked_studies(storage=url(egnas), name="half")
    optuna.delete_study(study_name="half/micro", storage=url(egnas))
    optuna.create_study(storage=url(egnas), study_name="somebody else's")

    rows = {row["name"]: row for row in egnas("list", "--json").record["searches"]}
    shown = egnas("list").out

    assert {name: row["state"] for name, row in rows.items() if name != "half"} == {
        "not begun": "not begun",
        "running": "in training",
        "stopped": "stopped",
        "tiny": "finished",
    }
    assert "no search named 'half'" in rows["half"]["state"]
    assert rows["running"]["workers"] == 1
    found = egnas("show", "tiny", "--json").record
    for key in ("valid_accuracy", "params", "candidates"):
        assert rows["tiny"][key] == found[key]
    for words in ("tiny", "finished", "in training (1)", f"{found['params']:,}"):
        assert words in shown


def test_a_storage_without_a_search_is_said_to_hold_none(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    optuna.create_study(storage=url(shell), study_name="other")

    assert shell("list") == Ran(0, "sqlite:///egnas.db holds no search.\n", "")
    assert shell("list", "--json").record == {"searches": []}
    shell.refuses("list", "--storage", "sqlite:///none.db", saying=("none.db does not exist",))


# Show


def test_the_csv_holds_all_trainings(finished: Shell) -> None:
    studies = load_linked_studies(storage=url(finished), name="tiny")
    listed = entries(studies)

    ran = finished("show", "--csv")

    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert ran.code == 0
    assert [row["words"] for row in rows] == [entry.words for entry in listed]
    for row, entry in zip(rows, listed, strict=True):
        assert float(row["score"]) == entry.score
        assert int(row["params"]) == entry.params
        assert row["ops"].split() == list(entry.architecture.ops)
        assert [float(each) for each in row["curve"].split()] == list(entry.curve)


def test_the_walk_alone_shows_what_was_trained_beside_it(egnas: Shell) -> None:
    studies = load_linked_studies(storage=url(egnas), name="tiny")
    trial = studies.macro.trials[0]
    params = {**trial.params, "depth": 3, "width": 4, "epochs": 1}
    studies.macro.add_trial(
        optuna.trial.create_trial(params=params, distributions=trial.distributions, value=0.875)
    )

    alone, whole = egnas("show", "--walk").out, egnas("show").out

    assert "87.50 %" in alone and "asked for" in alone
    assert "87.50 %" not in whole
    assert "the network found" in whole and "the network found" not in alone


def test_one_form_at_a_time(finished: Shell) -> None:
    finished.refuses(
        "show", "--csv", "--json", saying=("Give only one of --json, --csv and --walk",)
    )


# Delete


def agree(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)


def names(shell: Shell) -> set[str]:
    return set(optuna.get_all_study_names(url(shell)))


def test_delete_asks_first_and_takes_no_for_an_answer(
    egnas: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = egnas.files()
    agree(monkeypatch, "n\n")

    ran = egnas("delete", "tiny")

    assert ran.code == 0
    assert "Delete tiny/macro and tiny/micro in sqlite:///egnas.db?" in ran.err
    assert ran.err.endswith("Nothing was deleted.\n")
    assert egnas.files() == before


@pytest.mark.parametrize("arguments", [("--yes",), ()])
def test_a_deleted_search_leaves_nothing_and_others_alone(
    egnas: Shell, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    optuna.create_study(storage=url(egnas), study_name="somebody else's")
    agree(monkeypatch, "y\n")

    ran = egnas("delete", "tiny", *arguments)

    assert (ran.code, ran.out) == (0, "")
    assert ("?" in ran.err) == (not arguments)
    assert names(egnas) == {"somebody else's"}


def test_its_checkpoints_and_uploads_go_too(egnas: Shell) -> None:
    from optuna.artifacts import FileSystemArtifactStore, upload_artifact

    from optuna_egnas._search.identity import stored_recipe
    from optuna_egnas._storage.owners import OwnedStore
    from optuna_egnas.evaluation.engine.checkpoint import Checkpoints
    from optuna_egnas.methods import Candidate

    studies = load_linked_studies(storage=url(egnas), name="tiny")
    folder = egnas.folder / "elsewhere"
    folder.mkdir()
    for study in (studies.macro, studies.micro):
        study.set_user_attr("egnas:places", {"artifacts": str(folder)})
    store = OwnedStore(
        store=FileSystemArtifactStore(folder),
        run=studies.link.run,
        storage=optuna.storages.get_storage(url(egnas)),
    )
    picture = egnas.write("picture.txt", "a file")
    upload_artifact(artifact_store=store, file_path=str(picture), study_or_trial=studies.micro)
    reader, link = studies.reader("macro"), studies.link
    assert reader is not None
    candidate = reader.candidate(studies.macro.trials[0])
    assert isinstance(candidate, Candidate)
    recipe = stored_recipe(link)
    place = Checkpoints(store=store).place(link.run, "macro", candidate, recipe, link.seed)
    (folder / place._names()[0]).write_text("a checkpoint")
    (folder / "another's").write_text("stays")
    assert len([*folder.iterdir()]) == 4, "the list of owners among them"

    assert egnas("delete", "tiny", "--yes").code == 0

    assert [file.name for file in folder.iterdir()] == ["another's"]


def test_half_a_search_can_be_deleted(egnas: Shell) -> None:
    optuna.delete_study(study_name="tiny/macro", storage=url(egnas))

    assert egnas("delete", "tiny", "--yes").code == 0
    assert names(egnas) == set()


def test_what_cannot_be_deleted_is_refused(egnas: Shell) -> None:
    begin(egnas, "running")

    egnas.refuses("delete", "tiny", saying=("--yes",))
    egnas.refuses("delete", "tinny", "--yes", saying=("'tinny'", "there are running, tiny"))
    egnas.refuses("delete", "running", "--yes", saying=("trains 1 candidate now", "stop its"))
    assert json.loads(egnas("list", "--json").out)["searches"][0]["name"] == "running"
