"""What the command line shows of final trainings: the progress, and the tests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from .._core.text import shell_word
from .._core.words import clock
from .._storage.final_results import accuracy_words
from .._storage.urls import shown
from ._console import lines
from ._show_rivals import print_rivals
from ._show_search import out

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from .._core.report import Report
    from .._search.final.result import FinalResult
    from .._search.final.setup import FinalProgress


LINES = 10
"""Number of lines that a training prints where there is no terminal to draw a bar in."""
WIDEST = 12
"""Up to so many classes the whole confusion matrix is printed, else what is confused most."""
CONFUSIONS = 10


class Display:
    """Live progress on stderr: a bar in a terminal, else some lines; a line for each test.

    `opening` is said first, once there is a training.
    """

    def __init__(self, console: Console, *, opening: str = "") -> None:
        self._console = console
        self._opening = opening
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("epochs  {task.fields[said]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=1, said="")
        self._started = time.monotonic()

    def __enter__(self) -> None:
        self._bar.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def show(self, event: FinalProgress) -> None:
        """Take in how far a training is."""
        if self._opening:
            self._console.print(self._opening)
            self._opening = ""
        if event.note is not None:
            self._console.print(f"{_which(event)}: {event.note}")
            return
        said = "" if event.train_accuracy is None else f"train {_percent(event.train_accuracy)}"
        times = f"{clock(time.monotonic() - self._started)} spent"
        if event.seconds_left is not None:
            times = f"{times}, about {clock(event.seconds_left)} left"
        self._bar.update(
            self._task,
            description=_which(event),
            total=event.epochs,
            completed=event.epoch,
            said=f"{said}  {times}",
        )
        accuracy = event.record.test_accuracy if event.record else event.rival_accuracy
        if accuracy is not None:
            length = f"{event.epochs} epochs, {said}, " if event.record else ""
            self._console.print(f"{_which(event)}: {length}test {_percent(accuracy)}  [{times}]")
        elif event.train_accuracy is None and event.epoch:
            self._console.print(f"{_which(event)}: goes on after epoch {event.epoch}")
        elif not self._console.is_terminal and _is_told(event):
            self._console.print(
                f"{_which(event)}: epoch {event.epoch} of {event.epochs}, {said}  [{times}]"
            )


def print_final(result: FinalResult, storage: str, network: str | None = None) -> None:
    """The tests over all seeds, class by class, and how sure the networks were.

    `network` is the name by which the network was asked for; None: what the search found.
    """
    _print_summary(result)
    report = result.report
    _print_classes(result, report)
    _print_confusion(report)
    _print_calibration(report)
    for record in result.records:
        if record.test_reads > 1:
            out.print(
                f"The test images were read {record.test_reads} times for seed {record.seed}: a "
                "training was cut off between its test and its record.",
                soft_wrap=True,
            )
    _print_earlier(result)
    print_rivals(result.rivals)
    name, url = shell_word(result.name), shell_word(shown(storage))
    which = "" if network is None else f" --network {shell_word(network)}"
    out.print("Next:")
    if result.rivals is None:
        out.print(f"  egnas train {name} --storage {url}{which} --rivals")
    out.print(f"  egnas train {name} --storage {url}{which} --seeds {len(result.records) + 2}")
    out.print(f"  egnas export {name} --storage {url}{which} --format python")
    out.print(f"  optuna-dashboard {url} --artifact-dir {shell_word(result.artifacts)}")


def _print_earlier(result: FinalResult) -> None:
    """What the test images were read for before these trainings."""
    of_this = result.earlier - result.earlier_networks
    if of_this:
        out.print(
            f"The test images were read before, for {_trainings(of_this)} with other "
            "settings: if those results guided these settings, the test has selected them.",
            soft_wrap=True,
        )
    if result.earlier_networks:
        out.print(
            f"The test images were read before, for {_trainings(result.earlier_networks)} of "
            "another network: who chooses between the networks by these results has selected by "
            "the test.",
            soft_wrap=True,
        )


def _trainings(count: int) -> str:
    return "1 training" if count == 1 else f"{count} trainings"


def _print_summary(result: FinalResult) -> None:
    settings = result.settings
    table = Table(
        title=f"{result.name}: the final training", show_header=False, title_justify="left"
    )
    seeds = ", ".join(str(record.seed) for record in result.records)
    table.add_row("test accuracy", accuracy_words(result.records))
    if result.spread is not None:
        each = [f"{100 * record.test_accuracy:.2f}" for record in result.records]
        table.add_row("of each seed", f"{', '.join(each)} %")
    table.add_row("calibration error", f"{100 * result.calibration_error:.2f} points")
    table.add_row("test images", f"{result.records[0].n_test:,}")
    table.add_row("training images", f"{settings.n_train:,}")
    table.add_row("epochs", f"{settings.epochs}")
    table.add_row("seeds", seeds)
    if settings.recipe.get("label_smoothing"):
        table.add_row("label smoothing", f"{settings.recipe['label_smoothing']}")
    if settings.ema:
        table.add_row("averaged weights", f"{settings.ema} kept in a step")
    table.add_row("network", result.network)
    table.add_row("parameters", f"{result.params:,}")
    table.add_row("training time", clock(sum(record.seconds for record in result.records)))
    table.add_row("files", lines(*(record.file_name for record in result.records)))
    table.add_row("kept in", result.artifacts)
    out.print(table)


def _print_classes(result: FinalResult, report: Report) -> None:
    count = len(result.records)
    title = "Class by class" if count == 1 else f"Class by class, all {count} seeds together"
    table = Table(title=title, title_justify="left")
    table.add_column("class")
    for column in ("right", "of", "accuracy"):
        table.add_column(column, justify="right")
    rows = zip(report.class_names, report.class_correct, report.class_total, strict=True)
    for name, right, total in rows:
        table.add_row(name, str(right), str(total), _percent(right / total) if total else "")
    out.print(table)


def _print_confusion(report: Report) -> None:
    names = report.class_names
    if len(names) <= WIDEST:
        table = Table(title="Confusion matrix (rows: the true class)", title_justify="left")
        table.add_column("")
        for name in names:
            table.add_column(name, justify="right")
        for name, row in zip(names, report.confusion, strict=True):
            table.add_row(name, *(str(count) if count else "." for count in row))
        out.print(table)
        return
    mistaken = [
        (count, names[row], names[column])
        for row, counts in enumerate(report.confusion)
        for column, count in enumerate(counts)
        if count and row != column
    ]
    table = Table(title="Most frequent mistakes", title_justify="left")
    for column in ("class", "taken for", "images"):
        table.add_column(column, justify="right" if column == "images" else "left")
    for count, name, answer in sorted(mistaken, key=lambda it: -it[0])[:CONFUSIONS]:
        table.add_row(name, answer, str(count))
    out.print(table)


def _print_calibration(report: Report) -> None:
    table = Table(title="Confidence and accuracy", title_justify="left")
    for column in ("confidence", "images", "mean confidence", "accuracy"):
        table.add_column(column, justify="right")
    for index, each in enumerate(report.bins):
        if each.count:
            low, high = (100 * (index + end) / len(report.bins) for end in (0, 1))
            accuracy, confidence = each.correct / each.count, each.confidence
            table.add_row(
                f"{low:.0f} to {high:.0f} %",
                str(each.count),
                _percent(confidence),
                _percent(accuracy),
            )
    out.print(table)


def _which(event: FinalProgress) -> str:
    place = f" ({event.index + 1} of {event.count})" if event.count > 1 else ""
    return f"rival {event.rival}{place}" if event.rival else f"seed {event.seed}{place}"


def _is_told(event: FinalProgress) -> bool:
    """Whether a line is due after this epoch."""
    each = -(-event.epochs // LINES)
    return event.train_accuracy is not None and event.epoch % each == 0


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"
