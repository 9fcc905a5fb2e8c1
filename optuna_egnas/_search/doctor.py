"""Checks what a search needs: installation, device, storage, artifacts, data; changes nothing."""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import psutil
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from .._core.text import shell_word
from .._storage.artifacts import DEFAULT_PLACE, open_artifacts
from .._storage.claims import is_alive
from .._storage.link import read_places
from .._storage.opening import is_there, open_storage
from .._storage.private import all_trials
from .._storage.urls import parse_url, shown
from ..errors import DataError, EgnasError
from .catalogue import check_may_be_deleted, summaries
from .studies import load_linked_studies

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


State = Literal["ok", "warn", "fail"]
PACKAGES = ("optuna", "torch", "torchvision", "numpy", "sqlalchemy", "plotly", "scikit-learn")
EXTRAS = {
    "dashboard": ("optuna_dashboard", "egnas dashboard, notes and plots in the studies"),
    "png": ("kaleido", "pictures as PNG"),
    "onnx": ("onnxruntime", "networks as ONNX"),
    "postgresql": ("psycopg", "a PostgreSQL storage"),
    "mysql": ("pymysql", "a MySQL or MariaDB storage"),
    "ray": ("ray", "workers on a Ray cluster"),
    "s3": ("boto3", "artifacts in S3"),
    "gcs": ("google.cloud.storage", "artifacts in Google's cloud"),
}
LITTLE_MEMORY = 2**30


class Check(NamedTuple):
    """What was looked at, how it is, and what to do about it, where there is something to do."""

    area: str
    state: State
    said: str
    advice: str = ""


def examine(storage: str, *, data_root: str | None, artifacts: str | None) -> list[Check]:
    """All checks; `fail` where something that a search needs is broken.

    Raises:
        SearchError: the storage's URL is malformed.
    """
    parse_url(storage)
    found = [*_installation(), *_device()]
    opened = None
    try:
        opened = _opened(storage)
    except EgnasError as error:
        found.append(
            Check("storage", "fail", str(error), "egnas search --help explains --storage")
        )
    else:
        found += _storage(opened, storage)
    found += _artifacts(opened, artifacts)
    return [*found, *_data(data_root)]


def _installation() -> Iterator[Check]:
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Check("installation", "ok", f"{python}, optuna-egnas {_version('optuna-egnas')}")
    missing = [name for name in PACKAGES if _version(name) is None]
    if missing:
        advice = "pip install --force-reinstall optuna-egnas"
        yield Check("installation", "fail", f"missing: {', '.join(missing)}", advice)
    else:
        said = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
        yield Check("installation", "ok", said)
    yield _torchvision()
    there = [name for name, (module, _) in EXTRAS.items() if _is_there(module)]
    absent = [f"[{name}] for {use}" for name, (_, use) in EXTRAS.items() if name not in there]
    said = f"extras installed: {', '.join(there) or 'none'}"
    if absent:
        said += f"; not installed, and only needed for what they say: {'; '.join(absent)}"
    yield Check("installation", "ok", said)


def _torchvision() -> Check:
    """Whether torch and torchvision fit: of two that do not, the operators are missing."""
    try:
        import torch

        boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        importlib.import_module("torchvision.ops").nms(boxes, torch.ones(1), 0.5)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        advice = "pip install --upgrade torch torchvision, both from the same index"
        return Check("installation", "fail", f"torchvision does not fit torch: {reason}", advice)
    return Check("installation", "ok", "torch and torchvision fit")


def _device() -> Iterator[Check]:
    import torch

    from ..evaluation.engine.precision import has_bf16

    cpu = torch.device("cpu")
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    bf16 = "bfloat16 in hardware" if has_bf16(cpu) else "no bfloat16: trains in fp32"
    said = f"{torch.backends.cpu.get_cpu_capability()}, {bf16}"
    yield Check("device", "ok", f"cpu: {cores} cores, {torch.get_num_threads()} threads, {said}")
    free = psutil.virtual_memory().available
    little = free < LITTLE_MEMORY
    yield Check(
        "device",
        "warn" if little else "ok",
        f"{free / 2**30:.1f} GiB of memory free",
        "end other programs, or choose a smaller --subset" if little else "",
    )
    gpus = list(_gpus())
    if gpus:
        yield from gpus
    elif torch.backends.mps.is_available():
        yield Check("device", "ok", "mps: Apple's GPU")
    else:
        yield Check("device", "ok", "no GPU that torch can use: searches train on the CPU")


def _gpus() -> Iterator[Check]:
    import torch

    from ..evaluation.engine.precision import has_bf16

    for number in range(torch.cuda.device_count()):
        try:
            free, total = torch.cuda.mem_get_info(number)
            name = torch.cuda.get_device_name(number)
            bf16 = "bfloat16" if has_bf16(torch.device("cuda", number)) else "no bfloat16"
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            yield Check("device", "fail", f"cuda:{number}: {reason}", "train with --device cpu")
            continue
        memory = f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
        yield Check("device", "ok", f"cuda:{number}: {name}, {memory}, {bf16}")


def _opened(storage: str) -> BaseStorage | None:
    """The storage; None where its file is not there yet."""
    url = parse_url(storage)
    name = str(url.database or "")
    plain = url.get_backend_name() == "sqlite" and not name.startswith("file:")
    if plain and name not in ("", ":memory:") and not is_there(Path(name)):
        return None
    return open_storage(storage, create=False)


def _storage(opened: BaseStorage | None, storage: str) -> Iterator[Check]:
    url = parse_url(storage)
    file = Path(str(url.database)) if url.get_backend_name() == "sqlite" else None
    if file is not None and not _may_write(file):
        advice = "change its rights, or choose another --storage"
        yield Check("storage", "fail", f"{shown(url)} cannot be written", advice)
        return
    if opened is None:
        yield Check("storage", "ok", f"{shown(url)} does not exist yet: the first search makes it")
        return
    yield Check("storage", "ok", f"{shown(url)} opens{_schema(opened)}")
    yield from _searches(opened)


def _schema(opened: BaseStorage) -> str:
    backend = getattr(opened, "_backend", opened)
    if not isinstance(backend, RDBStorage):
        return "; each worker leaves signs of life"
    return f", tables of Optuna {backend.get_current_version()}; workers send heartbeats"


def _searches(opened: BaseStorage) -> Iterator[Check]:
    for each in summaries(opened):
        try:
            studies = load_linked_studies(storage=opened, name=each.name)
        except EgnasError as error:
            advice = _advice(opened, each.name)
            yield Check("storage", "warn", f"search {each.name}: {error}", advice)
            continue
        running = [
            trial
            for role in studies.roles
            for trial in all_trials(studies.study(role))
            if trial.state is TrialState.RUNNING
        ]
        dead = sum(not is_alive(trial) for trial in running)
        said = f"search {each.name}: {each.state}, {each.candidates} candidates"
        if dead:
            advice = "start the search again: it goes on from their checkpoints"
            yield Check("storage", "warn", f"{said}, {dead} left by dead workers", advice)
        else:
            yield Check("storage", "ok", said)


def _advice(opened: BaseStorage, name: str) -> str:
    """What to do about a search that cannot be opened."""
    try:
        check_may_be_deleted(opened, name)
    except EgnasError:
        return "use it with the version or the program that has written it"
    return f"egnas delete {shell_word(name)}"


def _artifacts(opened: BaseStorage | None, given: str | None) -> Iterator[Check]:
    places = {given or DEFAULT_PLACE: None}
    for each in summaries(opened) if opened is not None and given is None else ():
        try:
            studies = load_linked_studies(storage=opened, name=each.name)
        except EgnasError:
            continue
        stored = read_places(studies.first).get("artifacts")
        if stored is not None:
            places[stored] = None
    for place in places:
        try:
            open_artifacts(place)
        except EgnasError as error:
            yield Check("artifacts", "fail", str(error), "choose a place with --artifacts")
        else:
            yield Check("artifacts", "ok", f"{place} can be written")


def _data(root: str | None) -> Iterator[Check]:
    from ..evaluation.data.labelled import root_of
    from ..evaluation.data.options import DataOptions
    from ..evaluation.data.published import SOURCES, find_published, read_published

    yield Check("data", "ok", "digits: built in")
    folder, absent = root_of(DataOptions(root=root)), []
    for name in SOURCES:
        try:
            files = find_published(name, "train", folder, download=False)
        except DataError:
            absent.append(name)
            continue
        try:
            content = read_published(name, "train", folder, download=False)
        except DataError as error:
            advice = "delete the files and fetch them again with --download"
            yield Check("data", "fail", f"{name}: {error}", advice)
        else:
            said = f"{name}: {len(content.labels):,} training images in {files[0].parent}"
            yield Check("data", "ok", f"{said}, whole")
    if absent:
        said = f"not here: {', '.join(absent)} (--data-root says where, --download fetches them)"
        yield Check("data", "ok", said)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _may_write(file: Path) -> bool:
    """A SQLite file, and its folder, where its journal goes."""
    if str(file) in ("None", "", ":memory:") or str(file).startswith("file:"):
        return True
    folder_too = file.parent.is_dir() and os.access(file.parent, os.W_OK)
    return folder_too and (not is_there(file) or os.access(file, os.W_OK))
