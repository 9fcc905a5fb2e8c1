"""What the tests of the command line share: a finished search."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from commands import TINY, Ran, Shell


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A folder with a finished search, and what its command printed; not to be changed."""
    shell = Shell(tmp_path_factory.mktemp("unbroken"))
    shell.write("tiny.toml", TINY)
    return shell.folder, shell("search", "tiny.toml", "--json")


@pytest.fixture
def searched(egnas: Shell, unbroken: tuple[Path, Ran]) -> Shell:
    """A shell in a folder that holds a finished search of its own."""
    shutil.copytree(unbroken[0], egnas.folder, dirs_exist_ok=True)
    return egnas
