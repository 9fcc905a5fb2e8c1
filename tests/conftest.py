"""What all tests share: quiet Optuna, a shell, folders, recorded searches, PostgreSQL."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# Before torch is imported: more threads than cores only wait for each other in small networks.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import optuna
import pytest
from commands import Shell
from folders import TRACES, in_memory

POSTGRESQL = Path("/usr/lib/postgresql")


@pytest.fixture(autouse=True, scope="session")
def _quiet_optuna() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture
def egnas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The command line in a folder of its own, which is also the working directory."""
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that is gone afterwards, in memory where that can be."""
    with in_memory() as folder:
        yield folder


@pytest.fixture(autouse=True, scope="module")
def _no_notes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Searches write no notes for the dashboard, which take seconds, but where tested."""
    with pytest.MonkeyPatch.context() as patched:
        if request.module.__name__ not in ("test_dashboard", "test_browser"):
            patched.setattr("optuna_egnas.visualization._dashboard.find_spec", lambda _: None)
        yield


@pytest.fixture(scope="session")
def recorded() -> list[Path]:
    """The recorded searches; a test that needs them is skipped where they are not there."""
    files = sorted(TRACES.glob("*.json"))
    if not files:
        pytest.skip(f"{TRACES} is absent")
    return files


class Server:
    """A PostgreSQL server of our own, in a folder of its own, on the loopback."""

    def __init__(self, binaries: Path, folder: str) -> None:
        self._binaries, self._folder = binaries, folder
        # The server refuses to run as root; Debian's package brings a user for it.
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user:
            subprocess.run(["chown", self._user, folder], check=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off"
        self.url = f"postgresql://egnas@127.0.0.1:{port}/postgres"
        self._run("initdb", "-U", "egnas", "-A", "trust")

    def start(self) -> None:
        self._run("pg_ctl", "-l", f"{self._folder}/log", "-w", "-o", self._options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), "-D", f"{self._folder}/data", *arguments]
        subprocess.run(
            command,
            user=self._user,
            cwd=self._folder,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=120,
        )


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server that is started for the tests alone."""
    binaries = sorted(POSTGRESQL.glob("*/bin/pg_ctl"))
    if not binaries:
        pytest.skip("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="egnas-pg-") as folder:
        started = Server(binaries[-1].parent, folder)
        started.start()
        try:
            yield started
        finally:
            started.stop()


@pytest.fixture(scope="session")
def postgresql(server: Server) -> str:
    """The URL of a database that holds nothing but what tests left there."""
    return server.url


@pytest.fixture
def new_database(server: Server) -> Callable[[str], str]:
    """Makes an empty database of this name, and returns its URL."""

    def make(name: str) -> str:
        import sqlalchemy as sa

        url = sa.make_url(server.url).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return server.url.replace("/postgres", f"/{name}")

    return make


@pytest.fixture
def restart_postgresql(server: Server) -> Callable[[float], None]:
    """Stops the server at once, as a crash would, and starts it again after so many seconds."""

    def restart(seconds: float) -> None:
        server.stop()
        time.sleep(seconds)
        server.start()

    return restart
