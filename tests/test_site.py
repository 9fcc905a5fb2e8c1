"""The documentation's site: built as CI builds it, and what would end that build."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage

import optuna_egnas
from optuna_egnas import load_linked_studies
from optuna_egnas.replay import read_trace, replay
from optuna_egnas.visualization import network_svg

ROOT = Path(__file__).parents[1]


def build(project: Path, target: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("mkdocs")
    package = str(Path(optuna_egnas.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)],
        cwd=project,
        env={**os.environ, "PYTHONPATH": package, "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    built = build(ROOT, tmp_path / "site")

    assert built.returncode == 0, built.stdout
    assert "egnas worker" in (tmp_path / "site/commands.html").read_text(encoding="utf-8")
    assert "BudgetPruner" in (tmp_path / "site/api.html").read_text(encoding="utf-8")
    assert (tmp_path / "site/reports/digits/walk.json").exists()


DAMAGE = {
    "a picture from elsewhere": (
        "![x](https://example.org/x.png)",
        'another host: <img alt="x" src="https://example.org/x.png"',
    ),
    "a script from elsewhere": (
        '<script src="//example.org/x.js"></script>',
        'another host: <script src="//example.org/x.js"',
    ),
    "a page that is not there": ("[x](nowhere.md)", "link 'nowhere.md'"),
    "a heading that is not there": ("[x](method.md#nowhere)", "anchor '#nowhere'"),
}


def damaged(folder: Path, text: str) -> str:
    """What a strict build says of the project with this text on its first page."""
    shutil.copy(ROOT / "mkdocs.yml", folder)
    for part in ("docs", "studies", "optuna_egnas"):
        shutil.copytree(ROOT / part, folder / part)
    with (folder / "docs/index.md").open("a", encoding="utf-8") as page:
        page.write(f"\n\n{text}\n")
    built = build(folder, folder / "site")
    assert built.returncode == 1, built.stdout
    return built.stdout


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A build takes seconds, and goes on after a warning: one for all of them."""
    text = "\n\n".join(text for text, _ in DAMAGE.values())
    return damaged(tmp_path_factory.mktemp("damaged"), text)


@pytest.mark.parametrize("row", DAMAGE)
def test_a_strict_build_ends_with(complaints: str, row: str) -> None:
    assert DAMAGE[row][1] in complaints


def test_it_ends_with_a_name_that_is_not_there(tmp_path: Path) -> None:
    assert "optuna_egnas.nothing" in damaged(tmp_path, "::: optuna_egnas.nothing")


def test_the_drawing_on_the_pages_is_that_of_the_kept_search() -> None:
    trace, storage = read_trace(ROOT / "studies/digits/walk.json"), InMemoryStorage()
    replay(trace, storage=storage, name=trace.dataset)
    studies = load_linked_studies(storage=storage, name=trace.dataset)

    # Else: python studies/draw_search.py studies/digits/walk.json docs
    assert (ROOT / "docs/network.svg").read_text(encoding="utf-8") == network_svg(studies)
