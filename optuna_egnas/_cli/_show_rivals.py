"""What the command line shows of the rivals of a final training: a table and whether it paid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from .._core.comparison import CAUTION, COLUMNS, in_words
from ._show_search import out

if TYPE_CHECKING:
    from .._core.comparison import Comparison


def print_rivals(compared: Comparison | None) -> None:
    """The network found beside its rivals, each by one training; nothing where there are none."""
    if compared is None:
        return
    table = Table(title="The network found and its rivals", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="right" if column else "left")
    for row in compared.rows:
        table.add_row(*in_words(row, is_found=row is compared.found))
    if compared.rivals:
        out.print(table)
        out.print(compared.sentence, soft_wrap=True)
        out.print(CAUTION, soft_wrap=True)
    for line in compared.left_out:
        out.print(f"Left out: {line}", soft_wrap=True)
