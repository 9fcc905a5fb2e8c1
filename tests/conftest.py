"""What all tests share: quiet Optuna, the recorded searches, and a real PostgreSQL."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Before torch is imported: more threads than cores only wait for each other in small networks.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import optuna
import pytest

TRACES = Path(__file__).parents[2] / "shared" / "reference" / "egnas-traces"
POSTGRESQL = Path("/usr/lib/postgresql")


@pytest.fixture(autouse=True, scope="session")
def _quiet_optuna() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture(scope="session")
def recorded() -> list[Path]:
    """The recorded searches; a test that needs them is skipped where they are not there."""
    files = sorted(TRACES.glob("*.json"))
    if not files:
        pytest.skip("the recorded searches are not beside this checkout")
    return files


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of an empty database of a server that is started for the tests alone."""
    binaries = sorted(POSTGRESQL.glob("*/bin/pg_ctl"))
    if not binaries:
        pytest.skip("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    # The server refuses to run as root; Debian's package brings a user for it.
    user = "postgres" if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="egnas-pg-") as folder:
        home = Path(folder)
        if user:
            subprocess.run(["chown", user, folder], check=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]

        def run(program: str, *arguments: str) -> None:
            command = [str(binaries[-1].with_name(program)), *arguments]
            subprocess.run(
                command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=120
            )

        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off"
        run("initdb", "-D", f"{home}/data", "-U", "egnas", "-A", "trust")
        run("pg_ctl", "-D", f"{home}/data", "-l", f"{home}/log", "-w", "-o", options, "start")
        try:
            yield f"postgresql://egnas@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", f"{home}/data", "-m", "immediate", "-w", "stop")
