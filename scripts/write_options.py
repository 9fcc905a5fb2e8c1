"""Write docs/options.md: a table of all options, from their declarations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer.main

from optuna_egnas._cli import app
from optuna_egnas._core import commands
from optuna_egnas._core.declared import Declared, options_of
from optuna_egnas._core.method import METHODS, method
from optuna_egnas._core.recipe import Recipe
from optuna_egnas.options import DataOptions, SearchOptions, TrainOptions

PAGE = Path(__file__).parents[1] / "docs/options.md"
HEAD = """# All options

Each option is declared once, in the code; this page is written from there by
`python scripts/write_options.py`. An option has the same name in Python and in a study file, and
its flag on the command line where it has one.
"""
COLUMNS = ("Name", "Flag", "Default", "Bounds", "What it is")


def sections() -> dict[str, type]:
    """The classes that declare options, by the titles of their tables."""
    spaces = {
        f"[{role.name}] of the method {name}": role.space
        for name in METHODS
        for role in method(name).roles
    }
    return {
        "A search": SearchOptions,
        "[data] of a study file: how images are read": DataOptions,
        **spaces,
        "[recipe] of a study file: how a network is trained": Recipe,
        "A final training": TrainOptions,
    }


def page() -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for title, kind in sections().items():
        rows = [row(each) for each in options_of(kind)]
        parts.append(f"\n## {title}\n\nIn Python: `{kind.__name__}`.\n\n{table(COLUMNS, rows)}")
    rows = [[*row(each), " ".join(names)] for each, names in of_commands()]
    parts.append(f"\n## Of the command line\n\n{table((*COLUMNS, 'Commands'), rows)}")
    return "".join(parts)


def of_commands() -> list[tuple[Declared, list[str]]]:
    """What is declared for the command line alone, each with the commands that have it."""
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    said = {
        name: {(it.help or "").lower() for it in command.params} for name, command in known.items()
    }
    declared = [each for each in vars(commands).values() if isinstance(each, Declared)]
    return [
        (each, [name for name, helps in said.items() if each.help.lower() in helps])
        for each in declared
    ]


def row(each: Declared) -> list[str]:
    """An option as a row of a table."""
    return [
        f"`{each.name}`",
        " ".join(f"`{flag}`" for flag in each.option.flag.split("/") if flag),
        each.default_in_words or ("off" if each.is_switch else ""),
        each.option.bounds,
        each.option.help,
    ]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
