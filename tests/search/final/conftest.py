"""A search that has ended, to be trained for good."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from finishing import copied
from folders import in_memory
from searching import MACRO_OF_ONE, searched


@pytest.fixture(scope="module")
def pattern() -> Iterator[Path]:
    """A folder with a search that has ended."""
    with in_memory() as folder:
        searched(folder, macro=MACRO_OF_ONE, micro={"epochs": 1})
        yield folder


@pytest.fixture
def ended(pattern: Path, folder: Path) -> Path:
    """A copy of it, whose artifacts are kept beside it."""
    return copied(pattern, folder)
