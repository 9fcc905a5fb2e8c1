"""Storages that are full, read-only, deleted or silent in the middle of a search."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from commands import TINY, Shell
from linking import trials_of
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from searching import (
    NAME,
    Progress,
    Terminated,
    bars,
    ending_on_sigterm,
    left_over,
    options,
    prepare,
    run,
    url,
)

from optuna_egnas import load_linked_studies
from optuna_egnas._search.setup import Setup
from optuna_egnas._storage import outage as _outage
from optuna_egnas._storage.private import storage_of

COMPLETE, PRUNED = TrialState.COMPLETE, TrialState.PRUNED

resource = pytest.importorskip("resource", reason="limits of files are of Unix")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_outage, "PAUSE", 0.05)


class Said(logging.Handler):
    """What the package has said so far, and whether it has said anything."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.heard, self.is_over = threading.Event(), False

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        # A limit on the size of files is one for checkpoints, too.
        if "checkpoints" not in self.lines[-1].lower():
            self.heard.set()


@pytest.fixture
def said() -> Iterator[Said]:
    handler = Said()
    _outage.logger.addHandler(handler)
    yield handler
    _outage.logger.removeHandler(handler)
    handler.is_over = True
    handler.heard.set()


class Trouble:
    """Makes trouble in an epoch of a search, and ends it as soon as the search has said so."""

    def __init__(self, said: Said) -> None:
        self.is_there, self.left, self._said = False, 3, said
        self.then: Callable[[], object] = self.end

    def __call__(self, event: Progress) -> None:
        self.left -= event.verdict is None and event.epoch > 0
        if self.left == 0:
            self.left = -1
            self.begin()
            threading.Thread(target=self._wait, daemon=True).start()

    def begin(self) -> None:
        self.is_there = True

    def end(self) -> None:
        self.is_there = False

    def _wait(self) -> None:
        self._said.heard.wait(60)
        if not self._said.is_over:
            self.then()


@pytest.fixture
def trouble(said: Said) -> Trouble:
    return Trouble(said)


def prepared(trouble: Trouble, folder: Path, storage: str) -> Setup:
    return prepare(bars(), storage=storage, name=NAME, options=options(folder), watch=trouble)


@contextmanager
def pragma(setup: Setup, trouble: Trouble, there: str, gone: str) -> Iterator[None]:
    """Let each connection of a search's SQLite file have the trouble that a pragma makes."""
    engine = storage_of(setup.studies.macro)._backend.engine  # type: ignore[attr-defined]

    def checkout(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA {there if trouble.is_there else gone}")

    sa.event.listen(engine, "checkout", checkout)
    try:
        yield
    finally:
        sa.event.remove(engine, "checkout", checkout)


def check_finished(storage: str) -> None:
    """Check that the search has ended, and that no training was given up."""
    studies = load_linked_studies(storage=storage, name=NAME)
    assert studies.result().finished
    assert {trial.state for trial in trials_of(studies)} <= {COMPLETE, PRUNED}


def test_a_full_database_is_told_of_and_waited_for(
    folder: Path, trouble: Trouble, said: Said
) -> None:
    setup = prepared(trouble, folder, url(folder))

    with pragma(setup, trouble, "max_page_count=1", "max_page_count=1000000"):
        run(setup)

    first, last = said.lines
    assert f"{url(folder)} is full: database or disk is full. Waiting until" in first
    assert f"{url(folder)} can be used again" in last
    check_finished(url(folder))


def test_a_journal_that_may_not_grow_is_told_of_and_waited_for(
    folder: Path, trouble: Trouble, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of `ulimit -f` cuts a line of the journal in two."""
    storage, journal = f"journal:///{folder}/j.log", folder / "j.log"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = resource.setrlimit
    monkeypatch.setattr(
        trouble,
        "begin",
        lambda: limit(resource.RLIMIT_FSIZE, (journal.stat().st_size + 30, before[1])),
    )
    monkeypatch.setattr(trouble, "then", lambda: limit(resource.RLIMIT_FSIZE, before))
    setup = prepared(trouble, folder, storage)

    try:
        run(setup)
    finally:
        limit(resource.RLIMIT_FSIZE, before)

    lines = [words for words in said.lines if "checkpoints" not in words.lower()]
    assert lines[0].startswith(f"The storage {storage} is full: File too large")
    assert lines[-1].startswith(f"The storage {storage} can be used again")
    check_finished(storage)


def test_a_database_that_becomes_read_only_is_an_error_at_once(
    folder: Path, trouble: Trouble, said: Said
) -> None:
    setup = prepared(trouble, folder, url(folder))

    with (
        pragma(setup, trouble, "query_only=on", "query_only=off"),
        pytest.raises(StorageInternalError) as raised,
    ):
        run(setup)

    assert "readonly database" in str(raised.value.__cause__)
    assert said.lines == []


@pytest.mark.parametrize("scheme", ["sqlite", "journal"])
def test_the_first_signal_ends_the_wait_for_a_file_that_is_gone(
    folder: Path,
    trouble: Trouble,
    said: Said,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
) -> None:
    file = folder / "egnas.db"
    storage = f"{scheme}:///{file}"
    monkeypatch.setattr(trouble, "begin", lambda: file.rename(folder / "away"))
    main = threading.main_thread().ident
    assert main is not None
    monkeypatch.setattr(trouble, "then", lambda: signal.pthread_kill(main, signal.SIGTERM))
    setup = prepared(trouble, folder, storage)

    with pytest.raises(Terminated), ending_on_sigterm():
        run(setup)

    (only,) = said.lines
    assert only.startswith(f"The storage {storage} cannot be used: ")
    assert "Waiting up to 10 minutes; Ctrl-C ends it." in only
    assert not file.exists(), "nothing takes its place"
    assert left_over(folder), "the checkpoint is kept"
    (folder / "away").rename(file)
    run(prepare(bars(), storage=storage, name=NAME, options=options(folder)))
    assert load_linked_studies(storage=storage, name=NAME).result().finished


def test_a_line_of_a_journal_that_was_cut_off_is_taken_back(folder: Path) -> None:
    storage, journal = f"journal:///{folder}/j.log", folder / "j.log"
    run(prepare(bars(), storage=storage, name=NAME, options=options(folder)))
    with journal.open("ab") as file:
        file.write(b'{"op_code":4,"worker')

    study = load_linked_studies(storage=storage, name=NAME).macro
    study.set_user_attr("after", "the cut")

    again = load_linked_studies(storage=storage, name=NAME)
    assert again.macro.user_attrs["after"] == "the cut"
    assert again.result().finished


@pytest.mark.parametrize("command", ["search", "train"])
def test_a_read_only_file_is_refused_in_one_line(egnas: Shell, command: str) -> None:
    egnas.write("tiny.toml", TINY)
    assert egnas("search", "tiny.toml").code == 0
    storage = "sqlite:///file:egnas.db?mode=ro&uri=true"
    data = {"search": ["tiny.toml", "--max-total-epochs", "1000"], "train": ["tiny"]}[command]

    ran = egnas(command, *data, "--storage", storage)

    assert ran.code == 2
    last = ran.err.splitlines()[-1]
    assert last.startswith("egnas: Cannot use the storage sqlite:///file")
    assert "readonly database" in last
    assert egnas("list", "--storage", storage).code == 0, "it can be read"


def test_a_server_that_only_reads_is_refused_in_one_line(
    egnas: Shell, new_database: Callable[[str], str]
) -> None:
    egnas.write("tiny.toml", TINY)
    storage = new_database("standby")
    assert egnas("search", "tiny.toml", "--storage", storage, "--max-total-epochs", "1").code == 0

    ran = egnas(
        "search",
        "tiny.toml",
        "--storage",
        f"{storage}?options=-c%20default_transaction_read_only%3Don",
    )

    assert ran.code == 2
    assert "read-only transaction" in ran.err.splitlines()[-1]
