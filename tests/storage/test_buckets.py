"""Checkpoints in buckets, on servers that speak as the clouds do: `pytest -m services`.

S3 is answered by moto, Google Cloud Storage by its emulator, both from the package index. Each
search is killed while a checkpoint lies in the bucket; another process goes on from it.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_services import free_port, server

from optuna_egnas import LinkedStudies, load_linked_studies
from optuna_egnas._storage.reader import RESUMED

pytestmark = pytest.mark.services

LONG = """
dataset = "digits"
name = "long"
subset = 400
deterministic = true
checkpoint_seconds = 0.0
[macro]
min_depth = 2
max_depth = 3
min_width = 6
max_width = 8
base_epochs = 40
[micro]
epochs = 2
"""
SECONDS = 120.0


@contextmanager
def s3(folder: Path) -> Iterator[tuple[str, Mapping[str, str], Callable[[], int]]]:
    """Place, environment and the number of objects of a bucket that moto keeps."""
    boto3 = pytest.importorskip("boto3")
    if importlib.util.find_spec("moto") is None:
        pytest.skip("moto is not installed")
    port = free_port()
    keys = {
        "AWS_ACCESS_KEY_ID": "egnas",
        "AWS_SECRET_ACCESS_KEY": "egnas",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    with server([sys.executable, "-m", "moto.server", "-p", str(port)], port):
        client = boto3.client(
            "s3",
            endpoint_url=keys["AWS_ENDPOINT_URL"],
            aws_access_key_id="egnas",
            aws_secret_access_key="egnas",
            region_name="us-east-1",
        )
        client.create_bucket(Bucket="egnas")
        yield (
            "s3://egnas/some/where",
            keys,
            lambda: int(client.list_objects_v2(Bucket="egnas")["KeyCount"]),
        )


@contextmanager
def gcs(folder: Path) -> Iterator[tuple[str, Mapping[str, str], Callable[[], int]]]:
    """The same of a bucket that the emulator keeps."""
    storage = pytest.importorskip("google.cloud.storage")
    if importlib.util.find_spec("gcp_storage_emulator") is None:
        pytest.skip("gcp-storage-emulator is not installed")
    from google.auth.credentials import AnonymousCredentials

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    keys = {"STORAGE_EMULATOR_HOST": url, "GOOGLE_CLOUD_PROJECT": "egnas"}
    code = (
        "from gcp_storage_emulator.server import create_server; "
        f"create_server('127.0.0.1', {port}, in_memory=True, default_bucket='egnas').run()"
    )
    with server([sys.executable, "-W", "ignore", "-c", code], port):
        client = storage.Client(
            project="egnas",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": url},
        )
        yield "gs://egnas/some/where", keys, lambda: len([*client.list_blobs("egnas")])


@pytest.mark.parametrize("bucket", [s3, gcs])
def test_another_process_goes_on_from_the_checkpoint_in_a_bucket(
    bucket: Callable[..., Iterator[tuple[str, Mapping[str, str], Callable[[], int]]]],
    tmp_path: Path,
) -> None:
    (tmp_path / "long.toml").write_text(LONG, encoding="utf-8")
    unbroken = searched(tmp_path, "unbroken", [], {})

    with bucket(tmp_path) as (place, keys, count):  # type: ignore[attr-defined]
        options = ["--artifacts", place]
        first = start(tmp_path, "broken", options, keys)
        began = time.monotonic()
        while count() == 0:
            assert first.poll() is None and time.monotonic() - began < SECONDS
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        first.communicate()
        broken = searched(tmp_path, "broken", options, keys)

        assert count() == 0, "no checkpoint is left in the bucket"

    resumed = [trial.user_attrs.get(RESUMED, 0) for trial in broken.macro.trials]
    assert max(resumed) > 0, "it went on from the bucket"
    assert walked(broken) == walked(unbroken)


def test_a_bucket_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_text(LONG, encoding="utf-8")

    with s3(tmp_path) as (_, keys, _count):
        process = start(tmp_path, "none", ["--artifacts", "s3://another"], keys)
        _, said = process.communicate(timeout=SECONDS)

    assert process.returncode == 2
    assert said.count("\n") == 1 and "Cannot keep artifacts at s3://another" in said


def start(
    folder: Path, name: str, options: list[str], keys: Mapping[str, str]
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "optuna_egnas", "search", "long.toml", *options]
    return subprocess.Popen(
        [*command, "--storage", f"sqlite:///{folder}/{name}.db"],
        cwd=folder,
        env={**os.environ, **keys},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def searched(
    folder: Path, name: str, options: list[str], keys: Mapping[str, str]
) -> LinkedStudies:
    process = start(folder, name, options, keys)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said
    return load_linked_studies(storage=f"sqlite:///{folder}/{name}.db", name="long")


def walked(studies: LinkedStudies) -> list[object]:
    walks = [studies.walk("macro"), studies.walk("micro")]
    return [(s.proposal.candidate, s.score) for walk in walks if walk for s in walk.steps]
