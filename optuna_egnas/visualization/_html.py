"""What a notebook shows of a search: the result, the network drawn, the walk, where it lies.

Plain HTML with its styles inside, readable on light and dark pages. All text that comes from
users, such as names, is escaped.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from .._core.text import html
from ._entries import Entry, entries
from ._files import drawing_of
from ._style import BLACK, LOOKS

if TYPE_CHECKING:
    from .._storage.result import Result
    from .._storage.studies import StoredStudies


MARKS = {
    "baseline": "■",
    "accepted": "●",
    "neutral": "◆",
    "refused": "✕",
    "confirmed": "★",
    "measured": "⬢",
    "ahead": "○",
    "stopped": "▽",
    "failed": "+",
    "lost": "Y",
    "running": "▷",
}
"""The symbols of the plots as characters, by the fate of an entry."""
CELL = "padding: 2px 14px 2px 0; text-align: left; vertical-align: top"
TABLE = "color: inherit; font-size: inherit"


def notebook_html(studies: StoredStudies) -> str:
    """A search as HTML."""
    result = studies.result()
    listed = entries(studies)
    parts = [f"<h4>{html(_title(result))}</h4>", _table(_rows(result, studies))]
    if result.architecture is not None:
        parts += [drawing_of(studies) or "", _walk(listed)]
    names = " and ".join(f"<code>{html(name)}</code>" for name in result.studies.values())
    parts.append(
        f"<p>The studies {names}; their plots: <code>optuna_egnas.visualization.plot_walk</code> "
        "and others.</p>"
    )
    return f'<div style="overflow-x: auto">{"".join(parts)}</div>'


def _title(result: Result) -> str:
    if result.architecture is None:
        return f"{result.name}: nothing is trained yet"
    return f"{result.name}: {'the network found' if result.finished else 'the best so far'}"


def _rows(result: Result, studies: StoredStudies) -> list[tuple[str, str]]:
    trained = f"{result.candidates} networks, {result.epochs} epochs, {result.seconds:.0f} s"
    if result.architecture is None:
        return [("trained", trained)]
    accuracy = result.valid_accuracy
    return [
        ("network", studies.link.space.describe(result.architecture)),
        ("parameters", f"{result.params:,}"),
        ("multiply-accumulates", f"{result.macs:,} per image"),
        ("validation accuracy", "" if accuracy is None else f"{100 * accuracy:.2f} %"),
        ("trained", trained),
    ]


def _walk(listed: tuple[Entry, ...]) -> str:
    """A line per phase with a mark for each training, and the legend; words are in tooltips."""
    steps = [entry for entry in listed if entry.place is not None]
    beside = [entry for entry in listed if entry.place is None]
    phases = [(phase, list(each)) for phase, each in groupby(steps, key=lambda step: step.phase)]
    rows = [
        (phase, f"{_marks(each)} {_best(each)}")
        for phase, each in [*phases, ("beside the walk", beside)]
        if each
    ]
    seen = {entry.fate for entry in listed}
    legend = ", ".join(f"{_mark(fate)} {LOOKS[fate].label}" for fate in LOOKS if fate in seen)
    return f"<p>The walk: {legend}.</p>{_table(rows, escaped=True)}"


def _marks(listed: list[Entry]) -> str:
    return "".join(
        f'<span title="{html(f"{entry.name}: {_percent(entry.score)} {entry.words}")}">'
        f"{_mark(entry.fate)}</span>"
        for entry in listed
    )


def _mark(fate: str) -> str:
    # Black would be lost on a dark page.
    colour = "inherit" if LOOKS[fate].colour == BLACK else LOOKS[fate].colour
    return f'<b style="color: {colour}">{MARKS[fate]}</b>'


def _best(steps: list[Entry]) -> str:
    """The incumbent's score after a phase."""
    return _percent(steps[-1].best)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f} %"


def _table(rows: list[tuple[str, str]], *, escaped: bool = False) -> str:
    cells = rows if escaped else [(html(key), html(value)) for key, value in rows]
    lines = "".join(
        f'<tr><th style="{CELL}">{key}</th><td style="{CELL}">{value}</td></tr>'
        for key, value in cells
    )
    return f'<table style="{TABLE}">{lines}</table>'
