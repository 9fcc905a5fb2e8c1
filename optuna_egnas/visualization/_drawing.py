"""The network as a picture for a paper: SVG, written here, with nothing but the standard library.

A column per resolution, front to back; a box per layer, as wide as its channels, with its
operation, kernel and channels inside and its parameters beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from .._core.text import html
from ._network import NetworkInfo, Part, _network_info, operation_look
from ._style import FONT, GREY, PALE

if TYPE_CHECKING:
    from .._linked import LinkedStudies

ROW, BOX, COLUMN, MARGIN, HEAD = 30, 22, 290, 16, 64
"""Pixels: from layer to layer, height of a box, from column to column, around all, above all."""
WIDEST, NARROWEST = 190, 96
"""Pixels of the widest box, and of one that still holds its text."""


def network_svg(studies: LinkedStudies) -> str:
    """The network that was found, or the best so far, as SVG; needs no browser to be made.

    Raises:
        SearchError: nothing has been trained yet.
    """
    return draw_network(_network_info(studies))


def draw_network(info: NetworkInfo) -> str:
    """A network as SVG."""
    columns = _columns(info.parts)
    width = 2 * MARGIN + COLUMN * len(columns)
    height = HEAD + 2 * MARGIN + ROW * max(len(column) for column in columns)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="{html(FONT)}" font-size="13">',
        f"<title>{html(info.name)}: {html(info.summary)}</title>",
        _patterns(info.parts),
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(MARGIN, MARGIN + 12, info.summary, extra='font-size="15"'),
    ]
    widest = max(part.outputs for part in info.parts)
    for index, column in enumerate(columns):
        lines += _column(column, MARGIN + COLUMN * index, widest)
    for index, (column, after) in enumerate(pairwise(columns)):
        lines.append(_arrow(index, len(column), _size(after[0], widest)))
    return "\n".join([*lines, "</svg>", ""])


def _columns(parts: tuple[Part, ...]) -> list[list[Part]]:
    """The parts of each resolution; the linear layer stands below the last layers."""
    *body, head = parts
    stages = groupby(body, key=lambda part: (part.height, part.width))
    columns = [list(column) for _, column in stages]
    columns[-1].append(head)
    return columns


def _column(parts: list[Part], left: int, widest: int) -> Iterator[str]:
    title = f"{parts[0].height} x {parts[0].width} pixels"
    yield _text(left + WIDEST / 2, HEAD, title, extra='font-weight="bold" text-anchor="middle"')
    yield _text(left + WIDEST + 8, HEAD, "parameters", extra=f'fill="{GREY}"')
    for row, part in enumerate(parts):
        top = HEAD + MARGIN + ROW * row
        size = _size(part, widest)
        x, middle = left + (WIDEST - size) / 2, left + WIDEST / 2
        if row:
            yield _line(middle, top - (ROW - BOX), middle, top)
        yield (
            f'<rect x="{x:g}" y="{top}" width="{size}" height="{BOX}" rx="3" '
            f'fill="{_fill(part)}" stroke="{GREY}"/>'
        )
        yield _text(middle, top + 16, part.words, extra=_HALO)
        yield _text(left + WIDEST + 8, top + 16, f"{part.params:,}", extra=f'fill="{GREY}"')


_HALO = 'text-anchor="middle" stroke="white" stroke-width="3" paint-order="stroke"'
"""Text over a hatch stays readable with a white edge."""


def _size(part: Part, widest: int) -> int:
    """Pixels of a box."""
    return round(NARROWEST + (WIDEST - NARROWEST) * part.outputs / widest)


def _arrow(index: int, rows: int, size: int) -> str:
    """From the foot of a column to the first box, so many pixels wide, of the next one."""
    x = MARGIN + COLUMN * index + WIDEST / 2
    foot = HEAD + MARGIN + ROW * rows - (ROW - BOX)
    right = MARGIN + COLUMN * (index + 1)
    bend = right - 8
    start = HEAD + MARGIN + BOX / 2
    path = f"M{x:g} {foot:g}v8H{bend:g}V{start:g}H{right + (WIDEST - size) / 2:g}"
    return f'<path d="{path}" fill="none" stroke="{GREY}"/>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{GREY}"/>'


def _text(x: float, y: float, text: str, *, extra: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" {extra}>{html(text)}</text>'


def _fill(part: Part) -> str:
    if not part.label.startswith("layer"):
        return PALE
    colour, hatch = operation_look(part.operation)
    return f"url(#{part.operation})" if hatch else colour


def _patterns(parts: tuple[Part, ...]) -> str:
    """A hatch for each operation that has one, so that black and white tells them apart."""
    found = []
    for name in dict.fromkeys(part.operation for part in parts):
        colour, hatch = operation_look(name)
        if hatch:
            found.append(
                f'<pattern id="{name}" width="7" height="7" patternUnits="userSpaceOnUse" '
                'patternTransform="rotate(45)">'
                f'<rect width="7" height="7" fill="{colour}"/>'
                '<line x1="0" y1="0" x2="0" y2="7" stroke="white" stroke-width="2"/></pattern>'
            )
    return f"<defs>{''.join(found)}</defs>"
