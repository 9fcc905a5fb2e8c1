"""The consoles of the command line, to which nothing is sent that a terminal would obey."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group
from rich.text import Text

from ._core.text import printable


class PlainConsole(Console):
    """A console that shows every text as it is, and what cannot be seen as escapes.

    A text is one line: what has several is printed as `lines`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Rich asks this of each text, also in the cells of a table."""
        return super().render_str(printable(text), **options)


def lines(*texts: str) -> Group:
    """Several lines, for one cell of a table, say."""
    return Group(*texts)
