"""The documentation: each page's code runs as it stands, the README's can, and the site builds."""

from __future__ import annotations

import ast
import importlib
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pages
import pytest
import typer

import optuna_egnas
from optuna_egnas import methods, options, replay, visualization
from optuna_egnas._cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
TEXTS = [ROOT / "README.md", *PAGES]
SERVER, SHARED = "postgresql://egnas@db/egnas", "/shared/egnas"
"""What stands on the pages for a reader's own database and directory."""


def read(page: Path, folder: Path, **replacements: str) -> subprocess.CompletedProcess[str]:
    """Run a page in a folder of its own, in a process of its own."""
    command = [sys.executable, "-W", "error", pages.__file__, str(page)]
    command += [f"{there}={here}" for there, here in replacements.items()]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def write(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return page


@pytest.mark.docs
@pytest.mark.parametrize(
    "page", [page for page in PAGES if pages.blocks(page)], ids=lambda page: page.stem
)
def test_a_page_runs_from_its_first_block_to_its_last(
    page: Path, folder: Path, request: pytest.FixtureRequest
) -> None:
    replaced = {SHARED: str(folder / "shared")}
    if SERVER in page.read_text(encoding="utf-8"):
        replaced[SERVER] = request.getfixturevalue("new_database")("docs")

    ran = read(page, folder, **replaced)

    assert ran.returncode == 0, ran.stdout[-4000:]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.stem)
def test_the_command_line_knows_every_command_that_is_written_down(text: Path) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    lines = [line for block in pages.blocks(text) for line in block.code.splitlines()]
    for line in lines:
        if line.startswith("egnas "):
            # Up to what the shell does with it.
            alone = re.split(r" (?:&|>|\|)", line)[0]
            name, *arguments = shlex.split(alone, comments=True)[1:]
            assert commands[name].make_context(name, arguments), line


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.stem)
def test_every_name_that_is_imported_from_us_is_there(text: Path) -> None:
    for block in pages.blocks(text):
        for node in ast.walk(ast.parse(block.code if block.language == "python" else "")):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("optuna_egnas"):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize("module", [optuna_egnas, methods, options, replay, visualization])
def test_the_reference_holds_every_public_name(module: ModuleType) -> None:
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")

    # The errors stand there as a module.
    for name in {*module.__all__} - {"EgnasError"}:
        assert re.search(rf"(::: {module.__name__}\.|- ){name}$", text, re.MULTILINE), name


def test_the_documentation_names_public_modules_only() -> None:
    for text in TEXTS:
        imported = re.findall(
            r"(?:from|import) (optuna_egnas\S*)", text.read_text(encoding="utf-8")
        )
        assert not [name for name in imported if "._" in name], text.name


def test_the_map_is_that_of_the_imports() -> None:
    # Else: python scripts/draw_map.py
    drawn = runpy.run_path(str(ROOT / "scripts/draw_map.py"))["draw"]()

    assert (ROOT / "docs/map.svg").read_text(encoding="utf-8") == drawn


def test_the_readme_is_short_and_keeps_the_commands_that_ci_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert text.count("\n") <= 120
    for marker in ("search", "tests"):
        assert re.search(rf"<!-- {marker} -->\n```bash\n.*\n```\n", text), marker


BROKEN = {
    "Python": ("```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n", "line 6"),
    "a command": ("text\n\n```bash\negnas search no-such-data\n```\n", "page.md:4 ended with 2"),
    "a warning": ("```python\nimport warnings\nwarnings.warn('old')\n```\n", "UserWarning: old"),
    "no reason": ('```bash title="Not run: no"\nfalse\n```\n', "AssertionError: Not run: no"),
    "an indent": ("- item\n\n    ```bash\n    false\n    ```\n", "begins in mid-line"),
}


@pytest.mark.parametrize("row", BROKEN)
def test_a_page_with_a_broken_block_fails(tmp_path: Path, row: str) -> None:
    text, said = BROKEN[row]

    ran = read(write(tmp_path, text), tmp_path)

    assert ran.returncode == 1
    assert said in ran.stdout


def test_the_blocks_of_a_page_share_names_and_files_and_a_reason_keeps_one_out(
    tmp_path: Path,
) -> None:
    page = write(
        tmp_path,
        '```python title="mine.py"\nvalue = 3\n```\n```python\nimport sys\n'
        'sys.path.append(".")\nfrom mine import value\n```\n```bash\npython -c "import mine"\n'
        'touch HERE\n```\n```bash title="Not run here: it would never end"\nfalse\n```\n'
        '```python\nassert value == 3\nassert "there" in __import__("os").listdir()\n```\n',
    )

    ran = read(page, tmp_path, HERE="there")

    assert ran.returncode == 0, ran.stdout
