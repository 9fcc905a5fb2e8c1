"""A Chromium opens what a search leaves behind: optuna-dashboard's pages, and the plots' own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import TINY, Shell
from walking import EGNAS

from optuna_egnas.visualization._files import PLOTS

pytestmark = pytest.mark.browser
SAVED = {role.name: role.plots for role in EGNAS.roles}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    shell = Shell(tmp_path_factory.mktemp("browser"))
    shell.write("tiny.toml", TINY)
    assert shell("search", "tiny.toml").code == 0
    return shell


@pytest.fixture(scope="module")
def address(searched: Shell) -> Iterator[str]:
    """Where `egnas dashboard` serves the search."""
    command = [sys.executable, "-m", "optuna_egnas", "dashboard", "--port", "0"]
    with subprocess.Popen(
        command, cwd=searched.folder, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        yield server.stderr.readline().split()[0]
        server.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page on which nothing may go wrong."""
    opened = browser.new_page(viewport={"width": 1400, "height": 1000})
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    opened.on("requestfailed", lambda request: wrong.append(request.url))
    yield opened
    opened.close()
    assert not wrong


def test_the_studies_are_listed(page: Any, address: str) -> None:
    page.goto(address)

    for name in ("tiny/macro", "tiny/micro"):
        page.get_by_text(name).first.wait_for()


def test_the_notes_lead_from_each_study_to_the_other_and_back(page: Any, address: str) -> None:
    page.goto(f"{address}studies/1/note")
    page.get_by_role("link", name="tiny/micro", exact=True).click()
    page.get_by_text("tiny/micro (id=2)").wait_for()

    page.goto(f"{address}studies/2/note")
    page.get_by_role("link", name="tiny/macro", exact=True).click()
    page.get_by_text("tiny/macro (id=1)").wait_for()


@pytest.mark.parametrize(("study", "role"), [(1, "macro"), (2, "micro")])
def test_our_plots_are_drawn(page: Any, address: str, study: int, role: Any) -> None:
    page.goto(f"{address}studies/{study}")

    for name in SAVED[role]:
        plot = page.locator(f"[id='user-defined-plot:egnas-{name}']")
        plot.locator("svg.main-svg").first.wait_for()
        assert "tiny: " in str(plot.text_content())


@pytest.mark.parametrize("attribute", ["params", "macs", "train_accuracy", "seconds"])
def test_attributes_sort(page: Any, address: str, attribute: str) -> None:
    page.goto(f"{address}studies/1/smartSelection")
    header = page.locator("th", has_text=re.compile(f"^UserAttribute {attribute}"))
    header.wait_for()
    column = page.locator("th").all_inner_texts().index(header.inner_text())

    def values() -> list[float]:
        cells = page.locator(f"tbody tr td:nth-child({column + 1})").all_inner_texts()
        return [float(cell) for cell in cells]

    header.locator("span").first.click()
    page.wait_for_timeout(300)
    first = values()
    header.locator("span").first.click()
    page.wait_for_timeout(300)

    assert len(first) > 1
    assert {tuple(first), tuple(values())} == {
        tuple(sorted(first)),
        tuple(sorted(first, reverse=True)),
    }


def test_a_trial_says_its_verdict(page: Any, address: str) -> None:
    page.goto(f"{address}studies/1/trials?numbers=0")

    page.get_by_text("baseline", exact=True).first.wait_for()
    page.get_by_text("What you write below this line stays.").wait_for()


@pytest.fixture(scope="module")
def pictures(searched: Shell) -> Path:
    """The plots' files; one run of the command for all of them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "kaleido", None)
        assert searched("plot", "--out", "pictures").code == 0
    return searched.folder / "pictures"


@pytest.mark.parametrize("name", sorted({*PLOTS, *EGNAS.plots}))
def test_the_plots_own_pages_are_drawn_without_a_network(
    page: Any, pictures: Path, name: str
) -> None:
    page.context.set_offline(True)
    page.goto((pictures / f"{name}.html").as_uri())

    page.locator("svg.main-svg").first.wait_for()
    title = page.locator(".gtitle")
    assert title.first.text_content().startswith("tiny: ")
