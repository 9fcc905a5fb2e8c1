"""Whether the process behind a trial still lives: who it is, and what can be told from here.

On the same machine a process is known by its id and its start. A machine is known by its name and
its id, a run of it by its boot id; containers on it share all three, and have process ids of
their own, so that nothing is told of a process in another one. Another boot id is that of a run
before, or of a second machine that was copied with its name and its id: a sign of life decides.
"""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

SAME_START = 1.0
"""Seconds by which two readings of one process's start may differ."""
FIRST_SPACE = "pid:[4026531836]"
"""The process ids of a machine itself on Linux, outside of all containers."""
REBOOTED = 120.0
"""Seconds of silence after which a worker of another run of this machine, or of a copy of it,
counts as dead. Signs are written three times as often; see `evaluation/_account.py`."""
LONG_EPOCHS = 4.0
"""A worker may stay silent for so many of its longest epochs, where that is longer."""


def owner(patience: float | None) -> dict[str, Any]:
    """This thread of this process, as plain values.

    `patience`: seconds without a sign of life after which it counts as dead where nothing better
    is known; None where it gives no signs.
    """
    sign = sign_of_life(patience, 0.0)
    return {**_process(os.getpid()), "thread": threading.get_ident(), **sign}


def is_own(record: Mapping[str, Any]) -> bool:
    """Whether a record of `owner` is of this very thread."""
    here = owner(None)
    return all(record.get(key) == here[key] for key in here if key not in ("at", "patience"))


def sign_of_life(patience: float | None, longest_epoch: float) -> dict[str, Any]:
    """That a worker lives now. `patience` None: its heartbeat says the rest."""
    if patience is not None:
        patience = max(patience, LONG_EPOCHS * longest_epoch)
    return {"at": datetime.now(timezone.utc).isoformat(timespec="seconds"), "patience": patience}


def is_alive(record: Mapping[str, Any], sign: Mapping[str, Any] | None) -> bool:
    """Whether an owner may still live, by its process, else by its last sign of life.

    Its record is its first sign. Clocks of different machines are taken to agree within a small
    part of the patience.
    """
    seen = _seen(record)
    if seen is not None:
        return seen
    last = record if sign is None else sign
    patience = REBOOTED if _is_of_another_run(record) else last["patience"]
    if patience is None:
        return True
    silent = datetime.now(timezone.utc) - datetime.fromisoformat(last["at"])
    return silent.total_seconds() <= float(patience)


def _is_of_another_run(record: Mapping[str, Any]) -> bool:
    """Whether a process is of this machine before it was started again, or of a copy of it."""
    here = _process(os.getpid())
    if here["space"] != FIRST_SPACE or record.get("boot") == here["boot"]:
        return False
    return all(record.get(key) == here[key] for key in ("machine", "space"))


def _seen(record: Mapping[str, Any]) -> bool | None:
    """Whether the process is there; None where that cannot be told from here."""
    here = _process(os.getpid())
    if any(record.get(key) != here[key] for key in ("machine", "boot", "space")):
        return None
    own = record["pid"] == here["pid"]
    started = here["started"] if own else _started(record["pid"])
    return started is not None and abs(started - record["started"]) < SAME_START


@lru_cache(maxsize=4)
def _process(pid: int) -> dict[str, Any]:
    return {
        "host": platform.node(),
        "machine": f"{platform.node()} {_text('/etc/machine-id')}",
        "boot": _text("/proc/sys/kernel/random/boot_id"),
        "space": _link("/proc/self/ns/pid"),
        "pid": pid,
        "started": _started(pid),
    }


def _started(pid: int) -> float | None:
    """Seconds from the machine's start to that of a process; None if there is none, or a zombie.

    Not the time of day, which moves under a long search when the clock is set.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.create_time() - psutil.boot_time()
    except psutil.NoSuchProcess:
        return None


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None


def _link(path: str) -> str | None:
    try:
        return str(Path(path).readlink())
    except OSError:
        return None
