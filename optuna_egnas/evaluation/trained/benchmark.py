"""How long an exported file takes to answer, in its own format and by its own runtime."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import Tensor

from ..engine.conditions import conditions
from ..engine.latency import THREADS, Latency, measured_latencies
from .formats import FORMATS

RUNS = 100
"""Most runs that count: of fewer, the 95th percentile says little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """The latencies of an exported file on the CPU of this machine.

    Args:
        runtime: the package that has run it, with its version.
        threads: threads that it has had.
        latencies: from pixels to logits, one for each size of a batch.
    """

    runtime: str
    threads: int
    latencies: tuple[Latency, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values under the field names."""
        return {
            "runtime": self.runtime,
            "threads": self.threads,
            "latencies": [each.to_json() for each in self.latencies],
        }


def benchmarked(format: str, file: Path, images: Tensor) -> Benchmark:
    """Load a file that `export_network` has written here and now, and time it.

    `images` are uint8 pixels [N, C, H, W], at least as many as the largest batch.
    """
    chosen = FORMATS[format]
    with conditions(threads=THREADS):
        # A runtime takes its number of threads when the file is loaded.
        latencies = measured_latencies(chosen.read(file), images, most=RUNS)
    return Benchmark(
        runtime=f"{chosen.runtime} {version(chosen.runtime)}",
        threads=THREADS,
        latencies=latencies,
    )
