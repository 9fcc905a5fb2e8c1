"""The code blocks of a page of the documentation, run in order as its reader would.

    python -W error tests/pages.py docs/tutorial.md

All Python blocks of a page share their names, all blocks its folder: the working directory. A
block with the title of a file is written to that file instead. A block whose title begins with
"Not run" is left out, and says there, for readers too, why that is so.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import NamedTuple

FENCE = re.compile(r"^```(\w+)(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
TITLE = re.compile(r'^ title="([^"]+)"$')
SKIPPED = re.compile(r"Not run[^:]*: .{10,}")
PROGRAMS = {"python": "", "egnas": "-m optuna_egnas"}
"""What a page calls by these names is of these tests, with warnings as errors."""


class Block(NamedTuple):
    """One block of code; `line` is where its first line stands in the page, from 1."""

    line: int
    language: str
    title: str
    code: str

    @property
    def is_run(self) -> bool:
        """Whether a reader's copy of it is run."""
        return self.language in ("python", "bash") and not self.title

    @property
    def is_file(self) -> bool:
        """Whether it is the content of a file."""
        return bool(self.title) and not self.title.startswith("Not run")


def blocks(page: Path) -> tuple[Block, ...]:
    """The blocks of a page; a title that is neither a file nor a reason is refused."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        title = TITLE.match(match[2])
        assert title or not match[2], f"{page.name}: unknown attributes {match[2]!r}"
        line = text.count("\n", 0, match.start()) + 2
        block = Block(line, match[1], title[1] if title else "", match[3])
        assert not block.title or block.is_file or SKIPPED.match(block.title), block.title
        found.append(block)
    assert text.count("```") == 2 * len(found), f"{page.name}: a block that begins in mid-line"
    return tuple(found)


def run(page: Path, replacements: dict[str, str]) -> None:
    """Run the blocks of a page; the first one that fails ends it."""
    sys.modules["__main__"] = module = ModuleType("__main__")
    with TemporaryDirectory() as folder:
        _write_programs(Path(folder))
        environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
        for block in blocks(page):
            code = block.code
            for there, here in replacements.items():
                code = code.replace(there, here)
            if block.is_file:
                Path(block.title).write_text(code, encoding="utf-8")
            elif block.is_run and block.language == "python":
                # Blank lines before it, so that an error tells the line of the page.
                lines = "\n" * (block.line - 1) + code
                exec(compile(lines, page, "exec", dont_inherit=True), vars(module))
            elif block.is_run:
                sys.stdout.flush()
                ran = subprocess.run(["bash", "-euo", "pipefail", "-c", code], env=environment)
                assert ran.returncode == 0, f"{page}:{block.line} ended with {ran.returncode}"


def _write_programs(folder: Path) -> None:
    for name, arguments in PROGRAMS.items():
        program = folder / name
        # exec: a signal to the program reaches Python.
        command = f'exec {shlex.quote(sys.executable)} -W error {arguments} "$@"'
        program.write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
        program.chmod(0o755)


if __name__ == "__main__":
    pairs = (argument.split("=", 1) for argument in sys.argv[2:])
    run(Path(sys.argv[1]), dict(pairs))
