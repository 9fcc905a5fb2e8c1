"""What the command line shows of a search: the result, the walk, and the progress."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from .._core.text import printable, shell_word
from .._core.words import clock
from .._search.forecast.estimate import seconds_left, time_rows
from .._search.identity import reading_note
from .._storage.final_results import accuracy_words, finals
from .._storage.link import search_names
from .._storage.opening import open_storage, storage_errors
from .._storage.urls import parse_url, shown
from ..errors import SearchError
from ..visualization._entries import entries
from ._console import PlainConsole, lines

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console

    from .._core.problem import Space
    from .._search.catalogue import Summary
    from .._search.doctor import Check
    from .._search.rerun import Rerun
    from .._search.studies import LinkedStudies
    from .._storage.result import Result
    from ..evaluation.account import Progress as Event


out = PlainConsole()
if not out.is_terminal:
    # A pipe has no width of its own; the walk's table reads best on lines of this length.
    out = PlainConsole(width=120)

SHARE = 30.0
"""The rest is estimated anew after so many times as long as the last estimate took."""


def storage_trouble(storage: str | None) -> AbstractContextManager[None]:
    """Turn what a database says in the middle of the work into one line."""
    return nullcontext() if storage is None else storage_errors(parse_url(storage))


def only_name(storage: str) -> str:
    """The name of the one search in a storage."""
    names = search_names(open_storage(storage, create=False))
    if len(names) == 1:
        return names[0]
    there = f"there are {', '.join(names)}" if names else "it holds none"
    raise SearchError(f"Name the search to show in {shown(storage)}: {there}.")


def print_result(studies: LinkedStudies, storage: str) -> None:
    """The network found, where it is stored, and what to type next."""
    result = studies.result()
    table = Table(title=_title(result), show_header=False, title_justify="left")
    for row in _rows(result, studies.link.space):
        table.add_row(*row)
    tested = finals(studies)
    if tested:
        table.add_row("test accuracy", accuracy_words(tested))
    for row in time_rows(studies, finished=result.finished):
        table.add_row(*row)
    table.add_row("studies", ", ".join(result.studies.values()))
    table.add_row("storage", shown(storage))
    out.print(table)
    if note := reading_note(studies.link):
        out.print(note, soft_wrap=True)
    out.print("Next:")
    name, url = shell_word(result.name), shell_word(shown(storage))
    out.print(f"  egnas show {name} --storage {url}", soft_wrap=True)
    if result.finished and not tested:
        out.print(f"  egnas train {name} --storage {url}", soft_wrap=True)
    out.print(f"  optuna-dashboard {url}", soft_wrap=True)


def print_walk(studies: LinkedStudies, *, beside: bool = False) -> None:
    """Print the walk of all studies, step by step, each with its verdict in words.

    `beside`: also what was trained beside the walk.
    """
    table = Table(title="The walk", title_justify="left")
    for column, justify in _COLUMNS:
        table.add_column(column, justify="right" if justify else "left", no_wrap=justify)
    for entry in entries(studies):
        if entry.place is not None or beside:
            table.add_row(
                "" if entry.place is None else str(entry.place),
                entry.phase,
                entry.name,
                f"{entry.params:,}",
                "" if entry.epochs is None else str(entry.epochs),
                "" if entry.score is None else f"{100 * entry.score:.2f} %",
                entry.words,
            )
    out.print(table)


def csv_of(studies: LinkedStudies) -> str:
    """All trainings as comma-separated values, under the names of the fields of `Entry`."""
    text, listed = io.StringIO(), entries(studies)
    writer = csv.writer(text, lineterminator="\n")
    rows = [
        ({field: _plain(getattr(entry, field)) for field in _PLAIN}, entry) for entry in listed
    ]
    networks = [
        {**_flat(entry.architecture.to_json()), **_flat(entry.measured, "details.")}
        for entry in listed
    ]
    columns = dict.fromkeys(key for network in networks for key in network)
    writer.writerow([*_PLAIN, *columns, "curve"])
    for (plain, entry), network in zip(rows, networks, strict=True):
        values = [network.get(column, "") for column in columns]
        writer.writerow([*plain.values(), *values, " ".join(map(str, entry.curve))])
    return text.getvalue()


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The fields of a network, or details of it, lists as words with spaces between them."""
    return {
        prefix + printable(key): " ".join(map(str, value)) if isinstance(value, list) else value
        for key, value in values.items()
    }


def _plain(value: object) -> object:
    """A value as a cell: of a text, what a terminal would obey is shown as escapes."""
    return printable(value) if isinstance(value, str) else value


def print_summaries(found: list[Summary], storage: str) -> None:
    """The searches of a storage, one a line."""
    if not found:
        out.print(f"{shown(storage)} holds no search.", soft_wrap=True)
        return
    table = Table(title=f"Searches in {shown(storage)}", title_justify="left")
    for column in (
        "name",
        "method",
        "data",
        "state",
        "candidates",
        "accuracy",
        "parameters",
        "last trial",
    ):
        right = column in ("candidates", "accuracy", "parameters")
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for each in found:
        table.add_row(
            each.name,
            each.method,
            each.dataset,
            f"{each.state} ({each.workers})" if each.workers else each.state,
            str(each.candidates),
            "" if each.valid_accuracy is None else f"{100 * each.valid_accuracy:.2f} %",
            "" if each.params is None else f"{each.params:,}",
            "" if each.last is None else f"{each.last:%Y-%m-%d %H:%M}",
        )
    out.print(table)


def print_checks(found: Sequence[Check]) -> None:
    """What `egnas doctor` has found, one a row, and what to do."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for check in found:
        advice = [f"-> {check.advice}"] if check.advice else []
        table.add_row(check.state, check.area, lines(check.said, *advice))
    out.print(table)


def print_replay(lines: list[str]) -> None:
    """Whether a replay agreed, where it did not, and what its workers or its pruner gained."""
    for line in lines:
        out.print(line, soft_wrap=True)


def print_rerun(seen: Rerun) -> None:
    """Whether a second training of a trial agreed, and where it did not."""
    where = f"{seen.epochs} epochs, {seen.device}, threads: {seen.threads}"
    if seen.agrees:
        out.print(f"Trial {seen.trial} agrees in every epoch, bit for bit ({where}).")
        return
    first = seen.differences[0]
    place = f"{first.what} of epoch {first.epoch}" if first.epoch else first.what
    out.print(f"Trial {seen.trial} differs ({where}).")
    out.print(f"First difference: {place} is {first.stored} there, now {first.again}.")


class Display:
    """Live progress on stderr: a bar for the running candidate, a line for each ended one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("epochs  best {task.fields[score]}  {task.fields[times]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[int, TaskID] = {}
        self._studies: LinkedStudies | None = None
        self._started = time.monotonic()
        self._left: tuple[float, float] | None = None
        self._due = float("-inf")
        self._times = ""

    @contextmanager
    def following(self, studies: LinkedStudies) -> Iterator[None]:
        """Show the progress of a search while it runs."""
        self._studies = studies
        with self._bar:
            yield

    def __call__(self, event: Event) -> None:
        """Take in what happened."""
        if event.worker not in self._tasks:
            self._tasks[event.worker] = self._bar.add_task("", total=1, score="", times="")
        score = "" if event.score is None else f"{100 * event.score:.2f} %"
        self._bar.update(
            self._tasks[event.worker],
            description=f"{event.phase}: {event.candidate}",
            total=event.epochs,
            completed=event.epoch,
            score=score,
            times=self._times,
        )
        if event.verdict is None:
            return
        self._times = self._spent_and_left()
        self._console.print(
            f"{event.phase:8} {event.candidate:35} {event.epoch:4} epochs "
            f"{score:>8}  {event.verdict}  [{self._times}]"
        )

    def _spent_and_left(self) -> str:
        now = time.monotonic()
        if self._studies is not None and now >= self._due:
            left = seconds_left(self._studies, workers=max(1, len(self._tasks)))
            self._left = left and (now, left.typical)
            self._due = now + SHARE * (time.monotonic() - now)
        spent = f"{clock(now - self._started)} spent"
        if self._left is None:
            return spent
        at, typical = self._left
        return f"{spent}, about {clock(max(0.0, typical - (now - at)))} left"


_PLAIN = (
    "place",
    "role",
    "number",
    "phase",
    "name",
    "fate",
    "words",
    "params",
    "macs",
    "epochs",
    "score",
    "standard_error",
    "best",
    "train_accuracy",
    "seconds",
)
"""The fields of an entry that are a column of their own."""

_COLUMNS = (
    ("#", True),
    ("phase", False),
    ("candidate", False),
    ("parameters", True),
    ("epochs", True),
    ("score", True),
    ("verdict", False),
)


def _title(result: Result) -> str:
    if result.architecture is None:
        return f"{result.name}: nothing trained yet"
    return f"{result.name}: {'the network found' if result.finished else 'the best so far'}"


def _rows(result: Result, space: Space) -> list[tuple[str, str]]:
    rows = [
        ("method", result.method),
        ("candidates", f"{result.candidates}, {result.epochs} epochs"),
    ]
    if result.architecture is not None:
        accuracy = "" if result.valid_accuracy is None else f"{100 * result.valid_accuracy:.2f} %"
        rows = [
            *space.rows(result.architecture),
            ("parameters", f"{result.params:,}"),
            ("multiply-accumulates", f"{result.macs:,} per image"),
            ("validation accuracy", accuracy),
            *rows,
        ]
    return [*rows, ("training time", clock(result.seconds))]
