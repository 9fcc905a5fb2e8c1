"""Folders of tests: those that they write a lot in, and what lies beside the checkout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

REFERENCE = Path(__file__).parents[2] / "shared" / "reference"
"""Recorded and stored searches, in the folder `shared` beside the checkout."""
TRACES = REFERENCE / "egnas-traces"
"""Searches that other programs have recorded, as JSON."""
STORED = REFERENCE / "stored-0.1.0"
"""Searches that version 0.1.0 has stored."""


def needs(folder: Path) -> pytest.MarkDecorator:
    """Skip tests where a folder beside the checkout is absent."""
    return pytest.mark.skipif(not folder.is_dir(), reason=f"{folder} is absent")


@contextmanager
def in_memory() -> Iterator[Path]:
    """A folder in memory where there is one: SQLite waits for a disk at each commit."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)
