"""Odd inputs of all kinds are taken whole or refused in one line; nothing else comes of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import fuzz_commands
import fuzz_files
import pytest
from fuzzing import Counts, Kind, fuzz

KINDS: dict[str, tuple[Callable[[Path], Kind], int, int]] = {
    "study files": (fuzz_files.study_files, 1000, 30_000),
    "traces": (fuzz_files.traces, 200, 5_000),
    "network files": (fuzz_files.sealed_networks, 400, 15_000),
    "state dicts": (fuzz_files.state_dicts, 400, 15_000),
    "ONNX files": (fuzz_files.onnx_files, 150, 5_000),
    "folders": (fuzz_commands.folders, 150, 5_000),
    "options": (fuzz_commands.options, 1000, 20_000),
    "commands": (fuzz_commands.commands, 80, 2_500),
    "attributes": (fuzz_commands.attributes, 60, 2_500),
}
"""Each kind, how many inputs of it are tried every time, and how many of 100,000 on request."""


@pytest.mark.parametrize("name", KINDS)
def test_odd_input_is_taken_whole_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    kind, inputs, _ = KINDS[name]

    counts = fuzz(kind(tmp_path), inputs=inputs)

    sys.stdout.write(report_of(name, counts))
    assert counts.refused > inputs / 10, "most changes are for the worse"
    assert counts.accepted > 0, "some change nothing"


@pytest.mark.fuzz
@pytest.mark.parametrize("name", KINDS)
def test_so_it_is_for_a_hundred_thousand(name: str, tmp_path: Path) -> None:
    kind, _, inputs = KINDS[name]

    sys.stdout.write(report_of(name, fuzz(kind(tmp_path), inputs=inputs, seed=1)))


def report_of(name: str, counts: Counts) -> str:
    """A row of the table in the documentation."""
    return f"| {name} | {sum(counts):,} | {counts.accepted:,} | {counts.refused:,} |\n"
