"""What the command line shows of the non-dominated networks of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from .._core.text import shell_word
from .._storage.urls import shown
from ._show_search import out

if TYPE_CHECKING:
    from .._search.front import Front
    from .._search.scored import Scored
    from .._search.studies import LinkedStudies
    from ..evaluation.engine.latency import Latency


def front_record(studies: LinkedStudies, front: Front, points: float | None) -> dict[str, Any]:
    """The object that `show --front --json` prints."""
    record = {"name": studies.name, **front.to_json()}
    if points is not None:
        record["within"] = {"points": points, "network": front.within(points).to_json()}
    return record


def print_front(studies: LinkedStudies, front: Front, points: float | None, storage: str) -> None:
    """The front as a table, how it was measured, and how to train a network of it."""
    title = (
        f"{studies.name}: {len(front.networks)} of {len(front.trained)} networks are not beaten"
    )
    table = Table(title=title, title_justify="left")
    batches = [f"ms, batch {each.batch}" for each in front.networks[0].latencies]
    for column in ("network", "name", "accuracy", "epochs", "parameters", "MACs", *batches):
        left = column in ("network", "name")
        table.add_column(column, justify="left" if left else "right", overflow="fold")
    for each in front.networks:
        one = each.scored
        table.add_row(
            one.words,
            one.name,
            accuracy_words(one),
            "" if one.epochs is None else str(one.epochs),
            f"{one.params:,}",
            f"{one.macs:,}",
            *map(milliseconds, each.latencies),
        )
    out.print(table)
    runs = max(latency.runs for each in front.networks for latency in each.latencies)
    out.print(
        "The accuracy is that on the validation images, with its standard error; candidates "
        "trained for different numbers of epochs do not compare exactly. Latencies are medians "
        f"of up to {runs} runs on {front.device}, {front.threads} thread; those within 5 % count "
        "as equal.",
        soft_wrap=True,
    )
    picked = None if points is None else front.within(points)
    if picked is not None:
        out.print(
            f"Within {points:g} points of the best the smallest is {picked.words} "
            f"({picked.name}): {accuracy_words(picked)}, {picked.params:,} parameters.",
            soft_wrap=True,
        )
    name, url = shell_word(studies.name), shell_word(shown(storage))
    which = front.networks[-1].scored.name if points is None else f"within:{points:g}"
    out.print("Next:")
    out.print(f"  egnas train {name} --storage {url} --network {which}", soft_wrap=True)


def accuracy_words(scored: Scored) -> str:
    """The accuracy of a network in percent, with its standard error where it is known."""
    error = "" if scored.standard_error is None else f" +- {100 * scored.standard_error:.2f}"
    return f"{100 * scored.score:.2f}{error} %"


def milliseconds(latency: Latency) -> str:
    """The median of a latency in milliseconds."""
    return f"{1000 * latency.median:.2f}"
