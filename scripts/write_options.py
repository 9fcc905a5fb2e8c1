"""Write docs/options.md: a table of all options, from their declarations."""

from __future__ import annotations

from pathlib import Path

from optuna_egnas._core.declared import options_of
from optuna_egnas._core.method import METHODS, method
from optuna_egnas._core.recipe import Recipe
from optuna_egnas.options import DataOptions, SearchOptions, TrainOptions

PAGE = Path(__file__).parents[1] / "docs/options.md"
HEAD = """# All options

Each option is declared once, in the code; this page is written from there by
`python scripts/write_options.py`. An option has the same name in Python and in a study file, and
its flag on the command line where it has one.
"""
COLUMNS = "| Name | Flag | Default | Bounds | What it is |\n| --- | --- | --- | --- | --- |\n"


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
        rows = [
            [
                f"`{each.name}`",
                " ".join(f"`{flag}`" for flag in each.option.flag.split("/") if flag),
                each.default_in_words or ("off" if each.is_switch else ""),
                each.option.bounds,
                each.option.help,
            ]
            for each in options_of(kind)
        ]
        lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
        parts.append(f"\n## {title}\n\nIn Python: `{kind.__name__}`.\n\n{COLUMNS}{lines}")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
