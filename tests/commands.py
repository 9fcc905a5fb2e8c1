"""The command line as a user meets it, but in this process: exit code, stdout, stderr, files."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from optuna_egnas.__main__ import main

TINY = """\
dataset = "digits"
name = "tiny"
subset = 200
[macro]
policy = "paper"
min_depth = 2
max_depth = 3
min_width = 4
max_width = 6
base_epochs = 1
epochs_per_layer = 0
epochs_per_width_step = 0
[micro]
epochs = 1
"""
"""A study file whose search takes a second: two macro and four micro candidates at least."""


class Ran(NamedTuple):
    """What a command has left behind."""

    code: int
    out: str
    err: str

    @property
    def record(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        assert self.code == 0, self.err
        found: dict[str, Any] = json.loads(self.out)
        return found


class Shell:
    """Runs `egnas` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str) -> Ran:
        """Run `egnas` with these arguments, to its exit."""
        out, err, before = io.StringIO(), io.StringIO(), Path.cwd()
        os.chdir(self.folder)
        try:
            with (
                mock.patch.object(sys, "argv", ["egnas", *arguments]),
                redirect_stdout(out),
                redirect_stderr(err),
                pytest.raises(SystemExit) as left,
            ):
                main()
        finally:
            os.chdir(before)
        return Ran(code=int(left.value.code or 0), out=out.getvalue(), err=err.getvalue())

    def write(self, name: str, content: str | bytes) -> Path:
        """Put a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def files(self) -> dict[str, bytes]:
        """All there is in the folder; "" stands for a directory."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes() if path.is_file() else b""
            for path in self.folder.rglob("*")
        }

    def refuses(self, *arguments: str, saying: tuple[str, ...] = ()) -> str:
        """Check that a command ends as bad input should, and that nothing has changed."""
        before = self.files()
        ran = self(*arguments)
        assert (ran.code, ran.out) == (2, ""), ran
        assert ran.err.startswith("egnas: "), ran.err
        assert ran.err.count("\n") == 1, ran.err
        assert ran.err.endswith("\n"), ran.err
        for words in ("Traceback", *saying):
            assert (words in ran.err) == (words != "Traceback"), ran.err
        assert self.files() == before, "nothing is written"
        return ran.err


Prepare = Callable[[Shell], object]


def draw_images(
    folder: Path, *, mode: str = "L", classes: tuple[str, ...] = ("cat", "dog"), count: int = 20
) -> None:
    """PNG files of 8 x 8 pixels, a folder per class, each class of its own brightness."""
    noise = np.random.default_rng(0)
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            shape = (8, 8) if mode == "L" else (8, 8, 3)
            values = noise.integers(120 * label, 120 * label + 100, shape, dtype=np.uint8)
            Image.fromarray(values).save(folder / name / f"{index}.png")


def nothing(_: Shell) -> None:
    """Prepare nothing."""


def file(name: str, content: str | bytes) -> Prepare:
    """Prepare a file of this content."""
    return lambda shell: shell.write(name, content)
