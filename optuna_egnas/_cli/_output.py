"""How all commands print and fail."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from .._core.text import one_line, printable
from ..errors import SearchError
from ._arguments import checked_name
from ._console import PlainConsole

if TYPE_CHECKING:
    from .._search.studies import LinkedStudies


errors = PlainConsole(stderr=True, soft_wrap=True)


def quiet_optuna() -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Work that goes on later: on Ctrl-C or SIGTERM, say so and exit as a shell expects it."""
    from .._storage.interrupts import Terminated, ending_on_sigterm

    try:
        with ending_on_sigterm():
            yield
    except KeyboardInterrupt as stop:
        errors.print("Stopped. The same command goes on from here.")
        raise typer.Exit(143 if isinstance(stop, Terminated) else 130) from None


def opened(storage: str, name: str | None) -> LinkedStudies:
    """The search of this name in a storage, or the only one there is."""
    from .._search.studies import load_linked_studies
    from . import _show_search as _show

    found = _show.only_name(storage) if name is None else checked_name(name)
    return load_linked_studies(storage=storage, name=found)


def record(studies: LinkedStudies, *, resumed: int) -> dict[str, Any]:
    """The object that `search` and `show` print."""
    found = studies.result().to_json()
    del found["finished"]
    return {**found, "resumed": resumed}


def say(line: str) -> None:
    """Print one line of a result, not wrapped."""
    typer.echo(printable(line))


def print_json(record: dict[str, Any]) -> None:
    typer.echo(json.dumps(record))


def write_file(path: Path, text: str) -> None:
    try:
        if path.is_file() and path.read_bytes()[:1] not in (b"", b"{"):
            fail(f"A trace must go to a new file or replace a trace, but {path} is none.")
        with open(path, "w", encoding="utf-8", opener=_without_waiting) as file:
            file.write(text)
    except OSError as error:
        unread = "no process reads this pipe" if error.errno == errno.ENXIO else None
        fail(f"Cannot write {path}: {unread or error.strerror or error}.")


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a named pipe that no process reads is an OSError, not a wait without end."""
    opened = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(opened, True)
    return opened


def agreed(question: str) -> bool:
    """Whether a person answers yes.

    Raises:
        SearchError: nobody can be asked.
    """
    if not sys.stdin.isatty():
        raise SearchError("Confirm with --yes: there is no terminal to ask.")
    errors.print(f"{question} [y/N]", end=" ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def fail(message: str) -> NoReturn:
    errors.print(f"egnas: {one_line(message)}")
    sys.exit(2)
