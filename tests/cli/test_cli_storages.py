"""The command line: storages that are refused, and passwords that are not shown."""

from __future__ import annotations

import json
import socket
import sqlite3
import sys
from pathlib import Path

import pytest
from commands import TINY, Prepare, Ran, Shell, file, nothing

from optuna_egnas import load_linked_studies
from optuna_egnas._storage import shown

SECRET = "s3cret-w0rd"


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


AWAY = "127.0.0.1:PORT/db"
"""Where nobody listens: PORT stands for a closed port, looked for when the test runs."""
BAD_STORAGES: dict[str, tuple[Prepare, tuple[str, ...]]] = {
    "egnas.db": (nothing, ("must be a URL such as sqlite:///egnas.db",)),
    "": (nothing, ("must be a URL",)),
    f"postgresql://u:{SECRET}@{AWAY}": (nothing, ("u:***@", "PORT", "refused")),
    f"postgresql://{AWAY}?user=u&password={SECRET}": (nothing, ("password=***", "refused")),
    f"postgresql://u:{SECRET}@127.0.0.1:port/db": (nothing, ("must be a URL",)),
    f"postgresql://u:{SECRET}@127.0.0.1:99999999/db": (nothing, ("99999999",)),
    f"postgresql://u:{SECRET}@{AWAY}?no_such_option=1": (nothing, ("no_such_option",)),
    f"postgresql+no_driver://u:{SECRET}@{AWAY}": (nothing, ("must be SQLite, PostgreSQL",)),
    f"redis://u:{SECRET}@{AWAY}": (nothing, ("Cannot use the storage redis://u:***@",)),
    "sqlite:///no/such/folder/x.db": (nothing, ("must exist", "no/such/folder")),
    "sqlite:////proc/x.db": (nothing, ("/proc/x.db",)),
    "sqlite:///here": (lambda shell: (shell.folder / "here").mkdir(), ("unable to open",)),
    "sqlite:///notes.txt": (file("notes.txt", 200 * "text, "), ("not a database",)),
    "journal:////dev/zero": (nothing, ("must be a plain file, but /dev/zero is none",)),
    "sqlite:///x.db?timeout=long": (nothing, ("could not convert", "long")),
    f"sqlite:///{300 * 'x'}.db": (nothing, ("unable to open",)),
}


@pytest.mark.parametrize("url", BAD_STORAGES)
@pytest.mark.parametrize("command", ["search", "show", "replay"])
def test_bad_storages_are_refused(
    egnas: Shell, unbroken: tuple[Path, Ran], url: str, command: str
) -> None:
    port = str(closed_port())
    prepare, words = BAD_STORAGES[url]
    saying = tuple(each.replace("PORT", port) for each in words)
    prepare(egnas)
    egnas.write("tiny.toml", TINY)
    argument = {"search": "tiny.toml", "show": "tiny", "replay": str(trace_of(unbroken[0]))}

    # What cannot be there is missing for a user who only looks.
    known = () if command == "show" and url.startswith("sqlite") else saying
    away = url.replace("PORT", port)
    said = egnas.refuses(command, argument[command], "--storage", away, saying=known)
    assert SECRET not in said


def trace_of(folder: Path) -> Path:
    """The trace of the finished search, written once."""
    path = folder.with_name("traced.json")
    if not path.exists():
        from optuna_egnas._trace import write_trace

        studies = load_linked_studies(storage=f"sqlite:///{folder}/egnas.db", name="tiny")
        path.write_text(json.dumps(write_trace(studies)))
    return path


@pytest.mark.parametrize(
    ("url", "module", "hint"),
    [
        ("mysql://u:{}@localhost/db", "pymysql", "pip install 'optuna-egnas[mysql]'."),
        ("mariadb://u:{}@localhost/db", "pymysql", "pip install 'optuna-egnas[mysql]'."),
        ("postgresql://u:{}@localhost/db", "psycopg", "pip install 'optuna-egnas[postgresql]'."),
        ("postgresql+psycopg2://u:{}@localhost/db", "psycopg2", "begin the URL with postgresql:"),
        ("mssql+pyodbc://u:{}@localhost/db", "pyodbc", "install a SQLAlchemy driver for mssql."),
    ],
)
def test_a_missing_driver_is_one_line_with_what_to_install(
    egnas: Shell, monkeypatch: pytest.MonkeyPatch, url: str, module: str, hint: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    said = egnas.refuses("search", "--storage", url.format(SECRET), saying=("driver", hint))

    assert SECRET not in said


@pytest.mark.parametrize(
    ("url", "shown_as"),
    [
        ("sqlite:///egnas.db", "sqlite:///egnas.db"),
        ("postgresql://u:pw@h/d", "postgresql+psycopg://u:***@h/d"),
        ("postgresql://h/d?password=pw&user=u", "postgresql+psycopg://h/d?password=***&user=u"),
        ("mysql://u@h/d?ssl_key_passwd=pw", "mysql+pymysql://u@h/d?ssl_key_passwd=***"),
    ],
)
def test_a_url_is_shown_without_its_passwords(url: str, shown_as: str) -> None:
    assert shown(url) == shown_as


def test_a_password_is_neither_printed_nor_stored(egnas: Shell, postgresql: str) -> None:
    url = postgresql.replace("egnas@", f"egnas:{SECRET}@")
    egnas.write("tiny.toml", TINY)
    ran = egnas("search", "tiny.toml", "--name", "with a password", "--storage", url)
    looked = egnas("show", "with a password", "--storage", url)

    assert (ran.code, looked.code) == (0, 0), ran.err + looked.err
    assert "egnas:***@" in looked.out
    assert SECRET not in "".join((ran.out, ran.err, looked.out, looked.err))
    studies = load_linked_studies(storage=url, name="with a password")
    for study in (studies.macro, studies.micro):
        stored = [study.user_attrs, *((t.user_attrs, t.system_attrs) for t in study.trials)]
        assert SECRET not in repr(stored)
    assert not any(SECRET.encode() in content for content in egnas.files().values())


def test_a_read_only_database_can_be_shown_but_not_searched(searched: Shell) -> None:
    url = "sqlite:///file:egnas.db?mode=ro&uri=true"

    assert searched("show", "--json", "--storage", url).record["name"] == "tiny"
    searched.refuses(
        "search", "tiny.toml", "--name", "new", "--storage", url, saying=("readonly database",)
    )


def test_somebody_elses_database_gets_no_tables_from_being_looked_at(egnas: Shell) -> None:
    with sqlite3.connect(egnas.folder / "egnas.db") as database:
        database.execute("create table recipes (name text)")
    database.close()
    egnas.write("empty.db", b"")

    egnas.refuses("show", saying=("no search", "sqlite:///egnas.db"))
    egnas.refuses("show", "x", "--storage", "sqlite:///empty.db", saying=("no search",))
