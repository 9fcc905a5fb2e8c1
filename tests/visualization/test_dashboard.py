"""What optuna-dashboard shows of a search, by its own interface."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
from commands import TINY, Shell
from walking import EGNAS

from optuna_egnas import LinkedStudies, create_linked_studies, load_linked_studies
from optuna_egnas._search.run import dashboard_writer
from optuna_egnas._storage.urls import full_url
from optuna_egnas.visualization import _dashboard as dashboard
from optuna_egnas.visualization._dashboard import DashboardWriter
from optuna_egnas.visualization._entries import entries
from optuna_egnas.visualization._notes import MARK, merged, study_note

ROLES = ("macro", "micro")

pytest.importorskip("optuna_dashboard")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell in a folder with a finished search; not to be changed."""
    shell = Shell(tmp_path_factory.mktemp("dashboard"))
    shell.write("tiny.toml", TINY)
    assert shell("search", "tiny.toml").code == 0
    return shell


@pytest.fixture
def egnas(finished: Shell, tmp_path: Path) -> Shell:
    """A shell in a folder with a finished search of its own."""
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    return Shell(tmp_path)


def opened(shell: Shell) -> LinkedStudies:
    return load_linked_studies(storage=f"sqlite:///{shell.folder}/egnas.db", name="tiny")


def shown(shell: Shell, path: str) -> Any:
    """What the dashboard's server answers."""
    from optuna_dashboard import wsgi

    environ: dict[str, Any] = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    storage = optuna.storages.get_storage(f"sqlite:///{shell.folder}/egnas.db")
    body = b"".join(wsgi(storage)(environ, lambda *_: None))
    storage.remove_session()
    return json.loads(body)


def studies_shown(shell: Shell) -> dict[str, Any]:
    listed = shown(shell, "/api/studies")["study_summaries"]
    found = {}
    for each in listed:
        study = shown(shell, f"/api/studies/{each['study_id']}")
        # The server gives them in no order.
        study["plotly_graph_objects"].sort(key=lambda saved: saved["id"])
        found[each["study_name"]] = {**study, "id": each["study_id"]}
    return found


def test_each_study_says_what_it_is_and_leads_to_the_other(finished: Shell) -> None:
    found, result = studies_shown(finished), opened(finished).result()

    assert found.keys() == {"tiny/macro", "tiny/micro"}
    for name, other in (("tiny/macro", "tiny/micro"), ("tiny/micro", "tiny/macro")):
        note = found[name]["note"]["body"]
        assert f"[{other}](/dashboard/studies/{found[other]['id']})" in note
        for words in ("Finished", f"{result.params:,} parameters", "egnas show tiny", MARK):
            assert words in note
        assert f"--storage sqlite:///{finished.folder}/egnas.db" in note
        assert found[name]["objective_names"] == ["validation accuracy"]


def test_each_study_shows_its_plots(finished: Shell) -> None:
    found = studies_shown(finished)

    for role in ROLES:
        saved = found[f"tiny/{role}"]["plotly_graph_objects"]
        assert {each["id"] for each in saved} == {
            f"egnas-{name}" for name in EGNAS.role(role).plots
        }
        for each in saved:
            assert json.loads(each["graph_object"])["data"], each["id"]


def test_each_trial_says_its_verdict_and_has_numbers_to_sort_by(finished: Shell) -> None:
    found, all_entries = studies_shown(finished), entries(opened(finished))

    for entry in all_entries:
        trial = found[f"tiny/{entry.role}"]["trials"][entry.number]
        assert f"**{entry.words}**" in trial["note"]["body"]
        values = {each["key"]: each["value"] for each in trial["user_attrs"]}
        for key in ("params", "macs", "train_accuracy", "seconds", "progress", "budget_epochs"):
            float(values[key])
        assert float(values["progress"]) == 1


def test_what_users_write_below_stays_and_so_does_a_note_of_their_own(egnas: Shell) -> None:
    from optuna_dashboard import get_note, save_note

    studies = opened(egnas)
    below = get_note(studies.macro).replace("Finished", "Outdated") + "\nTo be run on the GPU."
    save_note(studies.macro, below)
    save_note(studies.micro, "All mine.")

    DashboardWriter(studies=studies, storage="x").update(last=True)

    assert get_note(studies.macro).endswith("\nTo be run on the GPU.")
    assert "Finished" in get_note(studies.macro)
    assert get_note(studies.micro) == "All mine."


@pytest.mark.parametrize(
    ("ours", "stored", "expected"),
    [
        ("new", "", f"new\n\n{MARK}\n"),
        ("new", " \n", f"new\n\n{MARK}\n"),
        ("new", f"old\n\n{MARK}\n", f"new\n\n{MARK}\n"),
        ("new", f"old\n\n{MARK}\nmine", f"new\n\n{MARK}\nmine"),
        ("new", f"new\n\n{MARK}\nmine", None),
        ("new", "mine", None),
    ],
)
def test_only_our_part_of_a_note_is_renewed(ours: str, stored: str, expected: str | None) -> None:
    assert merged(ours, stored) == expected


def test_a_search_under_way_says_how_it_goes_on() -> None:
    studies = create_linked_studies(storage=None, name="a name")

    note = study_note(
        studies,
        "macro",
        listed=(),
        places={"macro": "/p", "micro": "/p"},
        storage="sqlite:///my file.db",
    )

    assert "Nothing is trained yet." in note
    assert "egnas worker --name 'a name' --storage 'sqlite:///my file.db'" in note


def test_writing_again_changes_nothing(finished: Shell, egnas: Shell) -> None:
    before = studies_shown(egnas)
    url = full_url(f"sqlite:///{finished.folder}/egnas.db")

    dashboard_writer(opened(egnas), url).update(last=True)

    assert studies_shown(egnas) == before, "not even a version"


def test_updates_are_rare(egnas: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[DashboardWriter] = []
    monkeypatch.setattr(DashboardWriter, "_update", lambda board: seen.append(board))
    board = DashboardWriter(studies=opened(egnas), storage="x")

    for _ in range(3):
        board.update()
    assert len(seen) == 1
    board.update(last=True)
    assert len(seen) == 2


@pytest.mark.parametrize("trouble", ["no package", "a package that raises"])
def test_a_search_needs_no_dashboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    import optuna_dashboard

    def raises(*_: object, **__: object) -> None:
        raise RuntimeError("odd")

    if trouble == "no package":
        monkeypatch.setattr(dashboard, "find_spec", lambda _: None)
    monkeypatch.setattr(optuna_dashboard, "save_note", raises)
    monkeypatch.setattr(optuna_dashboard, "save_plotly_graph_object", raises)
    shell = Shell(tmp_path)
    shell.write("tiny.toml", TINY)

    ran = shell("search", "tiny.toml", "--json")

    assert ran.record["params"]
    assert all(not each["note"]["body"] for each in studies_shown(shell).values())


def test_the_command_says_what_it_cannot_do(egnas: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    egnas.refuses("dashboard", "--storage", "sqlite:///none.db", saying=("does not exist",))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ran = egnas("dashboard", "--host", "127.0.0.1", "--port", port)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert f"Cannot serve on 127.0.0.1:{port}" in ran.err
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    egnas.refuses("dashboard", saying=("pip install 'optuna-egnas[dashboard]'",))
