"""Attributes that another version, another program or a hand has written: one line, no traceback.

Each command either answers as if the attribute were not there, or refuses the search in one line;
the other searches of the storage stay listed, and nothing stored is changed.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from commands import TINY, Shell

from optuna_egnas._core.text import LONGEST

DB = "egnas.db"
DEEP: Any = json.loads("[" * 90 + "]" * 90)
VALUES: list[Any] = [
    *(None, True, 0, -1, 2**70, 10**400, 1.5, 1e308, float("nan"), float("inf")),
    *("", "x", "\x1b[31m\r\n\u202e", "y" * 100_000, "2026-01-01T00:00:00", "../../file"),
    *([], {}, [1], [None], [[]], {"newer": 1}, {"version": 99}, DEEP),
]
KEYS = {
    "trial_user": [
        *("seconds", "train_accuracy", "train_correct", "resumed_from", "epochs_trained"),
        *("stopped_by", "stopped", "stopped_below", "dropped", "error", "error_is_final", "phase"),
        *("sign_of_life", "copied_from", "budget", "threads", "micro_batch", "device", "verdict"),
    ],
    "trial_system": ["egnas:claim", "egnas:owner", "fixed_params", "artifacts:1"],
    "study_user": [
        *("egnas:search", "egnas:start", "egnas:places", "egnas:limits", "egnas:forecast"),
        *("egnas:final:abc:0", "egnas:final-begun:abc", "egnas:final-claim:0"),
        "egnas:rival:abc:plain CNN",
    ],
    "study_system": ["artifacts:1"],
}
READ = [
    ("list",),
    ("show", "tiny"),
    ("show", "tiny", "--csv"),
    ("show", "tiny", "--json"),
    ("show", "tiny", "--trace", "trace.json"),
    ("export", "tiny", "--format", "state-dict", "--out", "weights.pt", "--overwrite"),
]
WORK = [
    ("plot", "tiny"),
    ("train", "tiny"),
    ("search", "tiny.toml"),
    ("worker", "--name", "tiny", "--storage", f"sqlite:///{DB}"),
    ("delete", "tiny", "--yes"),
]


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell in a folder with a search whose network is trained, and another search."""
    shell = Shell(tmp_path_factory.mktemp("attributes"))
    shell.write("tiny.toml", TINY)
    assert shell("search", "tiny.toml").code == 0
    assert shell("train", "tiny", "--epochs", "1").code == 0
    shell("search", "digits", "--subset", "100", "--name", "other", "--max-total-epochs", "1")
    return shell


@pytest.fixture
def egnas(pattern: Shell, tmp_path: Path) -> Shell:
    shutil.copytree(pattern.folder, tmp_path, dirs_exist_ok=True)
    return Shell(tmp_path)


def write(shell: Shell, kind: str, key: str, value: str, *, of: int = 1) -> None:
    """Write an attribute as a hand does, around Optuna: any text in the place of its JSON."""
    scope = kind.split("_")[0]
    with sqlite3.connect(shell.folder / DB) as database:
        database.execute(
            f"DELETE FROM {kind}_attributes WHERE {scope}_id = ? AND key = ?", (of, key)
        )
        database.execute(
            f"INSERT INTO {kind}_attributes ({scope}_id, key, value_json) VALUES (?, ?, ?)",
            (of, key, value),
        )
    database.close()


def read(shell: Shell, kind: str) -> list[tuple[int, str, str]]:
    """All attributes of a kind: whose, key, JSON."""
    scope = kind.split("_")[0]
    with sqlite3.connect(shell.folder / DB) as database:
        found = database.execute(
            f"SELECT {scope}_id, key, value_json FROM {kind}_attributes ORDER BY 1, 2"
        ).fetchall()
    database.close()
    return found


def run_through(shell: Shell, command: tuple[str, ...]) -> str | None:
    """Run a command that is right or refuses; returns its refusal."""
    before = (shell.folder / DB).read_bytes()

    ran = shell(*command)

    assert not set("\x1b\r\u202e") & set(ran.out + ran.err)
    if command[0] == "list" and ran.code == 0:
        assert "other" in ran.out
    if ran.code == 0:
        return None
    said = [line for line in ran.err.splitlines() if line.startswith("egnas: ")]
    assert ran.code == 2 and len(said) == 1, ran
    assert len(said[0]) <= LONGEST + len("egnas: ") < 400
    assert (shell.folder / DB).read_bytes() == before, "nothing is changed"
    return said[0]


@pytest.mark.parametrize(
    ("kind", "key", "value", "words"),
    [
        ("trial_user", "resumed_from", None, ("trial 0", "'tiny/macro'", "resumed_from", "None")),
        ("trial_user", "egnas:details", [1], ("trial 0", "egnas:details", "plain values", "[1]")),
        ("trial_system", "egnas:claim", {"candidate": {"newer": 1}}, ("egnas:claim", "trial 0")),
        ("study_user", "egnas:places", ["here"], ("egnas:places", "'tiny/macro'", "['here']")),
        ("study_user", "egnas:limits", {"ends": "never"}, ("egnas:limits", "`ends`")),
        ("study_user", "egnas:search", {"name": "tiny"}, ("egnas:search", "'tiny/macro'")),
        ("study_user", "egnas:search", 3, ("'tiny/macro'", "an object", "got 3")),
    ],
)
def test_what_decides_is_refused_by_its_name(
    kind: str, key: str, value: Any, words: tuple[str, ...], egnas: Shell
) -> None:
    write(egnas, kind, key, json.dumps(value))

    for command in (("show", "tiny"), ("search", "tiny.toml"), ("delete", "tiny", "--yes")):
        said = run_through(egnas, command)
        assert said is not None, command
        if command[0] == "show":
            assert all(each in said for each in words), said

    rows = {row["name"]: row["state"] for row in egnas("list", "--json").record["searches"]}
    assert rows.keys() == {"tiny", "other"}
    assert all(each in rows["tiny"] for each in words), rows
    assert egnas("show", "other").code == 0


@pytest.mark.parametrize("value", VALUES, ids=lambda value: str(value)[:20])
def test_what_is_only_shown_hinders_nothing(value: Any, egnas: Shell) -> None:
    for key in ("seconds", "phase", "device", "threads", "verdict", "train_correct"):
        write(egnas, "trial_user", key, json.dumps(value))
    write(egnas, "study_user", "egnas:forecast", json.dumps(value))

    for command in READ[1:4]:
        assert run_through(egnas, command) is None


@pytest.mark.parametrize(
    ("key", "value", "of"),
    [
        ("egnas:final:abc:0", {"newer": 1}, 2),
        ("egnas:final-begun:abc", {"newer": 1}, 2),
        ("egnas:final-claim:0", {"newer": 1}, 2),
    ],
)
def test_final_trainings_of_a_newer_version(key: str, value: Any, of: int, egnas: Shell) -> None:
    write(egnas, "study_user", key, json.dumps(value), of=of)

    said = [run_through(egnas, command) for command in (*READ[:2], WORK[1], WORK[4])]

    assert said[0] is None, "it is listed"
    refusals = [each for each in said if each is not None]
    assert said[-1] is not None, "it is not deleted"
    assert all(key in each for each in refusals), refusals


def test_a_rival_of_a_newer_version(egnas: Shell) -> None:
    write(egnas, "study_user", "egnas:rival:abc:plain CNN", json.dumps({"newer": 1}), of=2)

    for command in (READ[1], WORK[1], WORK[2]):
        assert "`egnas:rival:abc:plain CNN` of" in (run_through(egnas, command) or ""), command
    rows = {row["name"]: row["state"] for row in egnas("list", "--json").record["searches"]}
    assert "egnas:rival:abc:plain CNN" in rows["tiny"] and rows["other"] != rows["tiny"]
    assert run_through(egnas, WORK[4]) is None, "it names no files, so it can be deleted"


def test_text_that_is_no_json(egnas: Shell) -> None:
    write(egnas, "trial_user", "seconds", "{half")

    for command in (*READ, *WORK):
        assert "no JSON" in (run_through(egnas, command) or ""), command


@pytest.mark.parametrize(
    "seed",
    [*range(10), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(10, 1000))],
)
def test_whatever_stands_there(seed: int, egnas: Shell) -> None:
    random_ = random.Random(seed)
    for _ in range(random_.choice((1, 1, 2, 3))):
        kind = random_.choice((*KEYS, "study_user", "study_user"))
        stored = read(egnas, kind)
        if stored and random_.random() < 0.7:
            of, key, value = random_.choice(stored)
            changed = mutated(json.loads(value), random_)
        else:
            of, key = random_.choice((1, 2)), random_.choice(KEYS[kind])
            changed = random_.choice(VALUES)
        write(egnas, kind, key, json.dumps(changed), of=of)

    for command in (*random_.sample(READ, 2), random_.choice(WORK)):
        run_through(egnas, command)


def mutated(value: Any, random_: random.Random) -> Any:
    """The value with something in it missing, new or of another kind."""
    if isinstance(value, dict) and value and random_.random() < 0.85:
        key, chance = random_.choice([*value]), random_.random()
        if chance < 0.15:
            return {name: each for name, each in value.items() if name != key}
        if chance < 0.25:
            return {**value, "newer": random_.choice(VALUES)}
        return {**value, key: mutated(value[key], random_)}
    if isinstance(value, list) and value and random_.random() < 0.6:
        place = random_.randrange(len(value))
        return [*value[:place], mutated(value[place], random_), *value[place + 1 :]]
    return random_.choice(VALUES)
