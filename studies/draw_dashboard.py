"""Take pictures of a search in optuna-dashboard, for the README.

    python studies/draw_dashboard.py sqlite:///egnas.db docs

Needs a Chromium, and `pip install 'optuna-egnas[dashboard,browser]'`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

PLOT = "[id='user-defined-plot:egnas-walk'] svg.main-svg"


def save(page: Page, target: Path, *, height: int) -> None:
    """Save the top of a page with few colours, which keeps the file small."""
    clip = {"x": 0, "y": 0, "width": 1300, "height": height}
    shot = Image.open(BytesIO(page.screenshot(full_page=True, clip=clip)))
    shot.convert("RGB").quantize(64).save(target, optimize=True)


def main() -> None:
    storage, folder = sys.argv[1], Path(sys.argv[2])
    command = [sys.executable, "-m", "optuna_egnas", "dashboard"]
    command += ["--storage", storage, "--port", "0"]
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server,
        sync_playwright() as playwright,
    ):
        assert server.stderr is not None
        address = server.stderr.readline().split()[0]
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        page.goto(f"{address}studies/1/note")
        page.get_by_role("link", name="/micro").wait_for()
        save(page, folder / "dashboard-note.png", height=440)
        page.goto(f"{address}studies/1")
        page.locator(PLOT).first.wait_for()
        page.wait_for_timeout(2000)
        plot = page.locator(PLOT).first.bounding_box()
        assert plot is not None
        save(page, folder / "dashboard.png", height=round(plot["y"] + plot["height"]) + 20)
        browser.close()
        server.terminate()


if __name__ == "__main__":
    main()
