"""What the site takes from elsewhere in this project, and what must not be in it.

The reports of studies/ become pages, the command line's reference is written by the command line
itself, and a page that would load anything from another host ends a strict build.
"""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
COMMANDS = "<!-- the reference of all commands -->"
FOREIGN = re.compile(
    r"""<(?:script|img|iframe|source|video)\b[^>]*\bsrc=["'](?:https?:)?//[^>]*>"""
    r"""|<link\b[^>]*\bhref=["'](?:https?:)?//[^>]*>"""
    r"""|@import[^;]*//[^;]*;|url\(["']?(?:https?:)?//[^)]*\)"""
)
"""What makes a browser ask another host; a link that a person may follow does not."""
LINKED = (".toml", ".json", ".patch", ".png", ".svg")
"""Files that a report may link to or show."""
log = logging.getLogger("mkdocs.hooks.egnas")


def on_config(config: Any) -> Any:
    """List the reports, those of studies that will be added too."""
    config.nav.append({"Reports": [_uri(report) for report in _reports()]})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the reports, and beside each what it links to."""
    for report in _reports():
        beside = (file for file in report.parent.iterdir() if file.suffix in LINKED)
        for file in (report, *sorted(beside)):
            files.append(File.generated(config, _uri(file), abs_src_path=str(file)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the reference of all commands where a page asks for it."""
    return markdown.replace(COMMANDS, _commands()) if COMMANDS in markdown else markdown


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse what is fetched from elsewhere."""
    for found in FOREIGN.findall(output):
        log.warning("%s loads from another host: %s", page.file.src_uri, found)
    return output


def on_post_build(config: Any) -> None:
    """The same for the style sheets."""
    for sheet in Path(config.site_dir).rglob("*.css"):
        for found in FOREIGN.findall(sheet.read_text(encoding="utf-8")):
            log.warning("%s loads from another host: %s", sheet.name, found)


def _reports() -> list[Path]:
    return sorted((ROOT / "studies").glob("*/REPORT.md"))


def _uri(file: Path) -> str:
    return f"reports/{file.parent.name}/{file.name}"


def _commands() -> str:
    # typer's own writer of Markdown, as `typer ... utils docs` offers it.
    command = [sys.executable, "-m", "typer", "optuna_egnas._cli", "utils", "docs"]
    ran = subprocess.run(
        [*command, "--name", "egnas"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    # Its title stands on the page, and its list of commands ends each line with "...".
    return re.sub(r"\*\*Commands\*\*:\n\n(?:\*.*\n)+", "", ran.stdout.split("\n", 2)[2])
