"""Draw the map of the package from its imports: docs/map.svg, which CONTRIBUTING.md shows.

    python scripts/draw_map.py

A box is a subpackage, or a part of a method's folder. It stands above everything that its files
import. An arrow leads to what it imports, unless other arrows lead there already. The imports are
read as `tests/test_layers.py` reads them. The public faces, `options` and `errors` are left out.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from test_layers import FACES, imports, layer_of, modules, name_of  # noqa: E402

COLUMN, GAP, HEIGHT, STEP, MARGIN = 200, 24, 60, 112, 24
LANE, SHIFT = 16, 36


class Place(NamedTuple):
    """The first and the last column of a box, and what is in it."""

    first: int
    last: int
    words: str


PLACES = {
    "_cli": Place(0, 4, "commands, tables, exit codes"),
    "method: replay": Place(0, 1, "recorded searches, simulation"),
    "_search": Place(2, 4, "a search as a whole: set-up, workers, forecast, final training"),
    "method: plots": Place(0, 0, "pictures of its own"),
    "method: torch": Place(1, 1, "networks, weights, source"),
    "pruners": Place(2, 2, "budgets, early stopping"),
    "samplers": Place(2, 2, "drive any method"),
    "visualization": Place(3, 3, "plots, notes, dashboard"),
    "evaluation": Place(4, 4, "data, engine, trained"),
    "method: rules": Place(0, 1, "space, rules, encoding, cost; no library"),
    "_storage": Place(2, 4, "studies, trials, claims, checkpoints, outages"),
    "_core": Place(0, 4, "what all methods share: history, proposal, walk, budget; pure"),
}
Graph = dict[str, set[str]]


def box_of(name: str) -> str | None:
    """The box of a module; None: it is not drawn."""
    layer = layer_of(name)
    if layer == "replay":
        return "method: replay"
    if name in FACES or layer in ("errors", "options"):
        return None
    if layer == "_methods" or layer.endswith("/torch"):
        return "method: torch"
    if layer.startswith("_methods/"):
        part = layer.split("/")[2:]
        return f"method: {part[0]}" if part else "method: rules"
    return layer.split("/")[0]


def graph() -> Graph:
    """What each box imports, without itself."""
    found: Graph = {}
    for file in modules():
        here = box_of(name_of(file))
        if here is None or name_of(file) in FACES:
            continue
        there = {box_of(name) for ours, name in imports(file) if ours}
        found.setdefault(here, set()).update(box for box in there if box not in (None, here))
    if unknown := sorted(found.keys() - PLACES.keys()):
        raise SystemExit(f"PLACES must hold a place for each box, but lacks {unknown}.")
    return found


def beneath(needed: Graph, box: str) -> set[str]:
    """All that a box imports, also by way of others."""
    return needed[box].union(*(beneath(needed, other) for other in needed[box]))


def direct(needed: Graph) -> Graph:
    """The imports that no other import leads to."""
    return {
        box: others - set().union(*(beneath(needed, other) for other in others))
        for box, others in needed.items()
    }


def row(needed: Graph, box: str) -> int:
    """How many boxes stand below it, one upon the other."""
    return 1 + max((row(needed, other) for other in needed[box]), default=-1)


def draw() -> str:
    """The map as SVG."""
    needed = graph()
    rows = {box: row(needed, box) for box in needed}
    top = max(rows.values())
    width = 2 * MARGIN + 5 * COLUMN + 4 * GAP
    height = 2 * MARGIN + top * STEP + HEIGHT

    def left(box: str) -> float:
        return MARGIN + PLACES[box].first * (COLUMN + GAP)

    def right(box: str) -> float:
        return MARGIN + PLACES[box].last * (COLUMN + GAP) + COLUMN

    def y(box: str) -> float:
        return MARGIN + (top - rows[box]) * STEP

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" text-anchor="middle">',
        "<title>The subpackages of optuna-egnas and what they import</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    # Arrows first, so that boxes cover where they begin.
    lanes: dict[int, int] = {}
    for box, others in sorted(direct(needed).items()):
        for other in sorted(others):
            begin, end = max(left(box), left(other)), min(right(box), right(other))
            path = f"M{(begin + end) / 2:g} {y(box) + HEIGHT}V{y(other)}"
            if begin >= end:
                # Down, along a lane of its own above the row of the other one, and down again.
                lane = lanes[rows[other]] = lanes.get(rows[other], 0) + 1
                x, to = ((left(each) + right(each)) / 2 for each in (box, other))
                lane_y = y(other) - LANE * lane
                path = f"M{x + SHIFT:g} {y(box) + HEIGHT}V{lane_y}H{to - SHIFT:g}V{y(other)}"
            lines.append(f'<path d="{path}" fill="none" stroke="#555" marker-end="url(#tip)"/>')
    for box in sorted(needed, key=lambda each: (-rows[each], left(each))):
        fill = "#fde7c8" if box.startswith("method: ") else "#dbe7f6"
        title = box.replace("method: ", "_methods: ")
        middle = (left(box) + right(box)) / 2
        lines.append(
            f'<rect x="{left(box)}" y="{y(box)}" width="{right(box) - left(box)}" '
            f'height="{HEIGHT}" rx="6" fill="{fill}" stroke="#333"/>'
        )
        lines.append(
            f'<text x="{middle:g}" y="{y(box) + 25}" font-size="16" font-weight="bold">'
            f"{escape(title)}</text>"
        )
        words = escape(PLACES[box].words)
        lines.append(f'<text x="{middle:g}" y="{y(box) + 45}" font-size="13">{words}</text>')
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    (ROOT / "docs/map.svg").write_text(draw(), encoding="utf-8")
