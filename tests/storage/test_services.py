"""The same walk on services that most machines do not have: `pytest -m services`.

MariaDB and Redis come from their Debian packages, each started here for the test alone; Ray from
its extra; Optuna's gRPC proxy stands before a SQLite file.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from test_backends import searched

from optuna_egnas import load_linked_studies

pytestmark = pytest.mark.services

TINY = """
dataset = "digits"
name = "tiny"
subset = 200
[macro]
min_depth = 2
max_depth = 4
min_width = 4
max_width = 8
base_epochs = 2
[micro]
epochs = 2
"""


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    from optuna.storages import InMemoryStorage

    return searched(InMemoryStorage())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(command: list[str], port: int) -> Iterator[None]:
    """A server that runs while it is needed, and answers on a port of this machine."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_redis(alone: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("redis")
    port = free_port()
    command = [program("redis-server"), "--port", str(port), "--dir", str(tmp_path)]

    with server([*command, "--bind", "127.0.0.1"], port):
        assert searched(f"redis://127.0.0.1:{port}/0") == alone


def test_mariadb(alone: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("pymysql")
    data, port = tmp_path / "data", free_port()
    me = ["--user=root", f"--datadir={data}"]
    install = [program("mariadb-install-db"), *me, "--auth-root-authentication-method=normal"]
    subprocess.run(install, check=True, capture_output=True)
    command = [program("mariadbd"), *me, f"--port={port}", "--bind-address=127.0.0.1"]

    with server([*command, f"--socket={tmp_path}/socket"], port):
        import pymysql

        with pymysql.connect(host="127.0.0.1", port=port, user="root") as connection:
            connection.cursor().execute("CREATE DATABASE egnas")
        assert searched(f"mysql://root@127.0.0.1:{port}/egnas") == alone


def test_the_grpc_proxy(alone: dict[str, Any], tmp_path: Path) -> None:
    port = free_port()
    code = (
        "from optuna.storages import get_storage, run_grpc_proxy_server; "
        f"run_grpc_proxy_server(get_storage('sqlite:///{tmp_path}/s.db'), "
        f"host='127.0.0.1', port={port})"
    )

    with server([sys.executable, "-W", "ignore", "-c", code], port):
        assert searched(f"grpc://127.0.0.1:{port}") == alone


def test_ray_makes_the_walk_of_one_worker(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    (tmp_path / "tiny.toml").write_text(TINY, encoding="utf-8")

    def run(name: str, *options: str) -> list[object]:
        url = f"sqlite:///{tmp_path}/{name}.db"
        command = [sys.executable, "-m", "optuna_egnas", "search", "tiny.toml", "--storage", url]
        subprocess.run([*command, *options], cwd=tmp_path, check=True, capture_output=True)
        studies = load_linked_studies(storage=url, name="tiny")
        walks = [studies.walk("macro"), studies.walk("micro")]
        return [(s.proposal.candidate, s.score) for walk in walks if walk for s in walk.steps]

    assert run("ray", "--workers", "2", "--engine", "ray") == run("alone")
