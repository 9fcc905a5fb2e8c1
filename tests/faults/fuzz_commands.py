"""Options, commands, stored attributes and image folders to try."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any, NamedTuple

import numpy as np
import torch
from commands import Shell
from fuzz_files import STUDY, check_options
from fuzzing import NASTY, Kind, Raw, as_json, damaged, mutated
from PIL import Image

from optuna_egnas import EgnasError
from optuna_egnas.evaluation._data import DataOptions, load_training
from optuna_egnas.options import SearchOptions

# Options from Python

OBJECTS: tuple[Any, ...] = (
    *(value for value in NASTY if not isinstance(value, Raw)),
    *(16**5000, object(), len, (1, 2), {1, 2}, b"x", 1j, np.float32(1), np.int64(3), np.zeros(2)),
    *(torch.zeros(()), torch.zeros(3), Path("x"), range(3), NotImplemented, float, "\udc80"),
)


def options(_: Path) -> Kind:
    """Keywords of SearchOptions, and of DataOptions in it."""
    valid = {key: value for key, value in STUDY.items() if key not in ("dataset", "name", "data")}
    valid["data"] = {"root": "data", "download": False, "image_size": 8, "test_fraction": 0.2}

    def draw(random: Random) -> dict[str, Any]:
        return dict(mutated(valid, random, OBJECTS))

    def attempt(given: dict[str, Any]) -> None:
        known = {key: value for key, value in given.items() if key in valid}
        data, fields = known.get("data", {}), valid["data"]
        if isinstance(data, dict):
            known["data"] = DataOptions(**{key: data[key] for key in data if key in fields})
        found = SearchOptions(**known)
        check_options(found)
        assert SearchOptions(**known) == found

    return Kind(draw=draw, attempt=attempt)


# Commands

TEXTS = (
    *("", " ", "x", "0", "1", "-1", "3", "2.5", "nan", "inf", "1e999", "9" * 30, "9" * 5000),
    *("tiny", "TINY", "tiny/macro", "macro/0", "micro/99", "a\nb", "\x1b[31m", "猫", "x" * 300),
    *("x" * 5000, "..", "/", "~", ".", "egnas.db", "0.png", "network.egnas", "trace.json"),
    *("tiny.toml", "-", "--", "--json", "-h", "sqlite:///", "sqlite:///x.db", "sqlite:////x/y.db"),
    *(
        "sqlite:///egnas.db",
        "mysql://nowhere",
        "postgresql://a:b@127.0.0.1:1/x",
        "://",
        "http://x",
    ),
    *("state-dict", "onnx", "python", "cpu", "cuda:99", "meta", "digits", "folder:.", "90s", "1h"),
    *("/dev/null", "/dev/zero", "/proc/self/mem", "pipe", "locked"),
)
"""Lone surrogates stand for bytes that are no text; argv can hold no null byte."""
STUDY_FILE = """\
dataset = "digits"
name = "tiny"
subset = 60
[macro]
min_depth = 1
max_depth = 1
min_width = 2
max_width = 2
base_epochs = 1
[micro]
epochs = 1
kernels = [3]
"""
"""The smallest search that there is."""
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("list", "--storage", "?"),
    ("list", "--json"),
    ("show", "?"),
    ("show", "--storage", "?", "--json"),
    ("show", "tiny", "--trial", "?"),
    ("show", "tiny", "--trace", "?"),
    ("delete", "?", "--yes"),
    ("replay", "?"),
    ("replay", "trace.json", "--pruner", "?"),
    ("export", "--format", "?"),
    ("export", "--format", "state-dict", "--from", "?", "--out", "?"),
    ("predict", "?", "--from", "network.egnas"),
    ("predict", "0.png", "--from", "?", "--top", "?"),
    ("predict", "0.png", "--seed", "?"),
    ("plot", "?"),
    ("show", "--rerun", "--trial", "?"),
    ("search", "?", "--forecast-only", "--subset", "?"),
    ("search", "digits", "--forecast-only", "--profile", "?"),
    ("search", "digits", "--time-limit", "?", "--valid-fraction", "7"),
    ("worker", "--storage", "?", "--name", "?"),
    ("?", "?"),
)


@cache
def _searched() -> Path:
    """A folder with a finished search, its files, and an image; not to be changed."""
    folder = Path(mkdtemp(prefix="egnas-fuzz-"))
    shell = Shell(folder)
    shell.write("tiny.toml", STUDY_FILE)
    for command in (
        ("search", "tiny.toml"),
        ("train", "tiny", "--epochs", "1"),
        ("export", "tiny", "--format", "state-dict", "--out", "network.pt"),
        ("show", "tiny", "--trace", "trace.json"),
    ):
        ran = shell(*command)
        assert ran.code == 0, ran
    (kept,) = (path for path in (folder / "egnas-artifacts").iterdir() if _is_network(path))
    shutil.copy(kept, folder / "network.egnas")
    Image.new("L", (8, 8)).save(folder / "0.png")
    os.mkfifo(folder / "pipe")
    return folder


def _is_network(path: Path) -> bool:
    return path.is_file() and path.read_bytes().startswith(b"egnas-network/1\n")


def _copied(folder: Path) -> Shell:
    """The same in a folder of its own."""
    if not (folder / "egnas.db").exists():
        shutil.copytree(
            _searched(), folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("pipe")
        )
        os.mkfifo(folder / "pipe")
    shutil.copy(_searched() / "egnas.db", folder / "egnas.db")
    return Shell(folder)


def _run(shell: Shell, command: Sequence[str]) -> None:
    """Run a command; what it refuses is an EgnasError here."""
    ran = shell(*command)
    if ran.code == 0:
        return
    assert ran.code == 2, ran
    lines = [line for line in ran.err.splitlines() if line]
    if ran.out and command[0] == "--":
        return
    assert len(lines) == 1 and lines[0].startswith("egnas: "), ran
    raise EgnasError(lines[0])


def commands(folder: Path) -> Kind:
    """Command lines, each in a folder where there is something to work on."""
    _searched()

    def draw(random: Random) -> list[str]:
        words = [random.choice(TEXTS) if word == "?" else word for word in random.choice(COMMANDS)]
        return words

    def attempt(words: list[str]) -> None:
        _run(_copied(folder), words)

    return Kind(draw=draw, attempt=attempt)


# Stored attributes

TABLES = {
    "study_user_attributes": "study_user_attribute_id",
    "study_system_attributes": "study_system_attribute_id",
    "trial_user_attributes": "trial_user_attribute_id",
    "trial_system_attributes": "trial_system_attribute_id",
}
READS = (
    ("list",),
    ("list", "--json"),
    ("show",),
    ("show", "--json"),
    ("show", "tiny"),
    ("export", "tiny", "--format", "state-dict", "--out", "again.pt"),
    ("predict", "0.png"),
    ("plot", "tiny"),
)


class Written(NamedTuple):
    """A row of a table of attributes, and what is written there; then what is read."""

    table: str
    row: int
    key: str | None
    value: str
    command: tuple[str, ...]


def attributes(folder: Path) -> Kind:
    """Storages in which a newer version, a program or a hand has written attributes."""
    with sqlite3.connect(_searched() / "egnas.db") as database:
        rows = [
            (table, row, key, json.loads(value))
            for table, identity in TABLES.items()
            for row, key, value in database.execute(
                f"SELECT {identity}, key, value_json FROM {table}"
            )
        ]
    file = folder / "egnas.db"

    def draw(random: Random) -> Written:
        # Those of a study are few, and more depends on them.
        of_studies = random.random() < 0.6
        table, row, key, value = random.choice(
            [each for each in rows if each[0].startswith("study") == of_studies]
        )
        text = as_json(mutated({"v": value}, random).get("v", None))
        if random.random() < 0.1:
            text = damaged(text.encode(), random).decode("utf-8", "replace")
        renamed = random.choice((f"{key}2", "", "egnas:x", "x")) if random.random() < 0.1 else None
        return Written(table, row, renamed, text, random.choice(READS))

    def attempt(given: Written) -> None:
        shell = _copied(folder)
        with sqlite3.connect(file) as database:
            identity = TABLES[given.table]
            database.execute(
                f"UPDATE {given.table} SET value_json = ?, key = coalesce(?, key) "
                f"WHERE {identity} = ?",
                (given.value, given.key, given.row),
            )
        database.close()
        before = _dump(file)
        try:
            _run(shell, given.command)
        except EgnasError:
            assert _dump(file) == before, "a refusal has changed the storage"
            raise

    return Kind(draw=draw, attempt=attempt)


def _dump(file: Path) -> list[Any]:
    with sqlite3.connect(file) as database:
        found = [[*database.execute(f"SELECT * FROM {table}")] for table in TABLES]
    database.close()
    return found


# Folders of images

NAMES = (
    *("cat", "dog", "Train", "test", "train", "val", "Test", ".git", "__MACOSX", ".DS_Store"),
    *("@eaDir", "Thumbs.db", "a b", "猫", "x" * 200, "a\nb", "\x1b[31m", "'", '"', "a,b", "..x"),
    *("\udcff", "-x", "~", "$HOME", "%s", "{0}", "cat.png", "0"),
)
FILES = (
    *("0.png", "1.png", "2.jpg", "3.JPG", "x.gif", "y.webp", ".hidden.png", "._0.png", "z.tiff"),
    *("notes.txt", "a.csv", "no ending", "0.png.bak", "b.bmp", "猫.png", "a\nb.png", "\udcff.png"),
)


class Plan(NamedTuple):
    """What a folder holds: paths, and for each what is there."""

    seed: int
    entries: tuple[tuple[str, str], ...]


def folders(folder: Path) -> Kind:
    """Image folders as people and programs leave them."""

    def draw(random: Random) -> Plan:
        tops = random.sample(NAMES, random.choice((0, 1, 2, 2, 3, 4)))
        if random.random() < 0.6:
            tops = ["cat", "dog", *tops]
        entries = []
        for top in tops:
            for name in random.sample(FILES, random.choice((0, 3, 4, 6))):
                inner = f"{random.choice(NAMES)}/" if random.random() < 0.2 else ""
                entries.append((f"{top}/{inner}{name}", random.choice(CONTENTS)))
        return Plan(random.randrange(1000), tuple(entries))

    def attempt(plan: Plan) -> None:
        shutil.rmtree(folder / "images", ignore_errors=True)
        for path, what in plan.entries:
            _put(folder / "images" / path, what, Random(f"{plan.seed}/{path!a}"))
        (folder / "images").mkdir(exist_ok=True)
        found = load_training(f"folder:{folder}/images", DataOptions(image_size=4))
        again = load_training(f"folder:{folder}/images/", DataOptions(image_size=4))
        assert found.fingerprint() == again.fingerprint()
        assert len(found.class_names) == len({*found.class_names}) >= 2
        assert int(found.samples.labels.max()) < len(found.class_names)

    return Kind(draw=draw, attempt=attempt)


MODES = ("L", "RGB", "RGBA", "P", "LA", "CMYK", "1", "I;16")
CONTENTS = (
    *("L",) * 5,
    *MODES,
    *("empty", "text", "cut", "link", "loop", "gone", "folder", "copy", "locked"),
)


def _put(file: Path, what: str, random: Random) -> None:
    """Put something there, where nothing is in the way."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _put_there(file, what, random)
    # A file where a folder is to be, or the other way round: what comes first stays.
    except OSError:
        return


def _put_there(file: Path, what: str, random: Random) -> None:
    links = {
        "link": random.choice(("0.png", "../cat/0.png", "/etc/hostname")),
        "loop": random.choice((".", "..", file.name)),
        "gone": "nowhere",
    }
    if what in links:
        file.symlink_to(links[what])
    elif what == "folder":
        file.mkdir()
    elif what in ("empty", "text"):
        file.write_text("" if what == "empty" else "no image")
    else:
        _draw(what if what in MODES else "L", file, Random(0) if what == "copy" else random)
        if what == "cut":
            file.write_bytes(file.read_bytes()[:50])
        if what == "locked":
            file.chmod(0)


def _draw(mode: str, file: Path, random: Random) -> None:
    """A small picture in the format that its name says, or else in PNG."""
    values = np.frombuffer(random.randbytes(64), dtype=np.uint8).reshape(8, 8)
    image = Image.fromarray(values)
    image = image.convert("I").convert("I;16") if mode == "I;16" else image.convert(mode)
    try:
        image.save(file)
    # An ending that says nothing, or a format without this mode.
    except (ValueError, OSError, KeyError):
        image.save(file, "PNG" if mode != "CMYK" else "JPEG")
