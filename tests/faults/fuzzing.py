"""Odd inputs of all kinds, and what may become of them: taken whole, or refused in one line.

A kind draws an input from a generator, and tries it. To try is to raise an EgnasError where the
input is refused; what is taken must survive being written and read again, which the kind checks.
All the rest (other errors, long messages, a second of silence too many) is a failure, and names
the seed with which it comes again.
"""

from __future__ import annotations

import copy
import datetime
import json
import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from optuna_egnas import EgnasError
from optuna_egnas._core.text import short

LONGEST_MESSAGE = 399
SECONDS = 20
"""So long may one input take, on a machine with other work."""


class Raw(str):
    """What is written as it stands, be it JSON, TOML or neither."""


def nested(depth: int) -> Any:
    """A list in a list in a list ..."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 255, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64),
    *(10**30, 10**400, -(10**400), Raw("9" * 5000), Raw("0x" + "f" * 5000), Raw("1e999")),
    *(0.0, -0.0, 0.5, 1.5, 1e-320, 1e30, 1e308, -1e308, math.nan, math.inf, -math.inf),
    *("", " ", "x", "0", "1", "-1", "nan", "true", "\0", "\n", "\x1b[31m", "\u202e", "\ud800"),
    *("é", "猫" * 30, "x" * 3000, "a/b", "../..", "~", "/", "C:\\x", "quick", "sound", "conv"),
    *([], [[]], [0], [1], [1, 1], [1, 2, 3], [3, 3], [None], [True], ["a"], ["sep"], [0.5], [-1]),
    *(
        {},
        {"a": 1},
        {"": {}},
        [{}],
        nested(15),
        Raw("[" * 600 + "1" + "]" * 600),
        list(range(600)),
        ["x"] * 600,
    ),
    *(datetime.date(2025, 2, 5), datetime.datetime(2025, 2, 5, 12), datetime.time(1)),
)


class TooLong(BaseException):
    """Nothing has come of an input; no error that anybody may take for one of their own."""


class Counts(NamedTuple):
    """How many inputs were taken, and how many refused."""

    accepted: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of input.

    Args:
        draw: an input from a generator.
        attempt: reads it as a user's command would; an EgnasError refuses it.
        unchanged: what must be the same after a refusal, and is looked at before it.
    """

    draw: Callable[[Random], Any]
    attempt: Callable[[Any], None]
    unchanged: Callable[[], object] = lambda: None


def fuzz(kind: Kind, *, inputs: int, seed: int = 0) -> Counts:
    """Try so many inputs of a kind."""
    refused = 0
    for number in range(inputs):
        given = kind.draw(Random(f"{seed}/{number}"))
        before = kind.unchanged()
        try:
            with no_longer_than(SECONDS):
                kind.attempt(given)
        except EgnasError as error:
            refused += 1
            check_message(str(error))
            assert kind.unchanged() == before, f"seed {seed}/{number}: a refusal has changed it"
        except (Exception, TooLong) as error:
            raise AssertionError(f"seed {seed}/{number}: {short(given, 500)}") from error
    return Counts(accepted=inputs - refused, refused=refused)


def check_message(message: str) -> None:
    """One line, and no book."""
    assert message.strip()
    assert len(message.splitlines()) == 1, message
    assert len(message) <= LONGEST_MESSAGE, message


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    """Fail where something takes longer."""

    def late(*_: object) -> None:
        raise TooLong(f"nothing has come of it in {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    # Again and again: the first may come where nothing can be raised.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# What a mutation does


def places(record: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to each value in a record of dictionaries and lists."""
    if path:
        yield path
    items = record.items() if isinstance(record, dict) else ()
    for key, value in items if not isinstance(record, list) else enumerate(record):
        yield from places(value, (*path, key))


def mutated(record: Any, random: Random, values: tuple[Any, ...] = NASTY) -> Any:
    """A copy of a record with one to three of its values changed, missing, or beside others."""
    record = copy.deepcopy(record)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        paths = [*places(record)]
        if not paths:
            break
        *parents, key = random.choice(paths)
        holder = record
        for each in parents:
            holder = holder[each]
        _change(holder, key, random, values)
    return record


def _copied(value: Any) -> Any:
    return copy.deepcopy(value) if isinstance(value, (dict, list)) else value


def _change(holder: Any, key: Any, random: Random, values: tuple[Any, ...]) -> None:
    # A copy: a later change within it must not change what others draw.
    what, value = random.random(), _copied(random.choice(values))
    if what < 0.7:
        holder[key] = value
    elif what < 0.8:
        del holder[key]
    elif what < 0.9 and isinstance(holder, dict):
        holder[random.choice(("x", "", "name", "é", "seed", key + "s"))] = value
    elif isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif isinstance(holder[key], int) and not isinstance(holder[key], bool):
        holder[key] += random.choice((-2, -1, 1, 2, 1000))


def damaged(content: bytes, random: Random) -> bytes:
    """Bytes with some of them flipped, missing, doubled or cut off."""
    found = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 5))):
        if not found:
            break
        at = random.randrange(len(found))
        match random.randrange(6):
            case 0 | 1 | 2:
                found[at] ^= 1 << random.randrange(8)
            case 3:
                del found[at : at + random.choice((1, 4, 100))]
            case 4:
                found[at:at] = found[at : at + random.choice((1, 4, 100))]
            case _:
                found[at] = random.choice((0, 10, 34, 91, 255))
    return (
        bytes(found[: random.randrange(len(found) + 1)]) if random.random() < 0.1 else bytes(found)
    )


def flipped(content: bytes, random: Random) -> bytes:
    """Bytes with one bit flipped."""
    at = random.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << random.randrange(8))]) + content[at + 1 :]


def as_json(value: Any) -> str:
    """JSON of any value; of what JSON does not know, something like it."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {as_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(as_json, value)) + "]"
    return json.dumps(value, default=str)


def as_toml(record: dict[str, Any]) -> str:
    """TOML of a record, its tables last."""
    plain = {key: value for key, value in record.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in record.items() if isinstance(value, dict)}
    lines = [f"{_toml_key(key)} = {_toml(value)}" for key, value in plain.items()]
    for key, table in tables.items():
        lines += [f"[{_toml_key(key)}]", as_toml(table)]
    return "\n".join(lines) + "\n"


def _toml_key(key: str) -> str:
    return json.dumps(key)


def _toml(value: Any) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml_key(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, float):
        return repr(value)
    # Pairs of surrogates are what TOML does not have.
    return json.dumps(value, ensure_ascii=not isinstance(value, str) or not value.isprintable())
