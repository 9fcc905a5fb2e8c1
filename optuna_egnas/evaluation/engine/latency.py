"""How long a network takes to answer, measured on this device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ..._core.method import Method
from ..._core.network import Network, Shape
from .conditions import conditions

BATCHES = (1, 64)
"""Images that are answered at once."""
THREADS = 1
"""Threads of the CPU: with one, figures of different machines and of busy ones compare best."""
WARM_UP = 3
"""Runs before those that count."""
RUNS = 30
"""Most runs that count, and the fewest that count however long they take."""
FEWEST = 5
ENOUGH = 1.0
"""Seconds after which no further run begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """The time from one batch of images to its logits.

    Args:
        batch: number of images.
        runs: how often it was measured, after some runs to warm up.
        median: seconds.
        p95: the 95th percentile, in seconds.
    """

    batch: int
    runs: int
    median: float
    p95: float

    def to_json(self) -> dict[str, Any]:
        """Plain values under the field names."""
        return asdict(self)


def measured_latencies(
    answer: Callable[[Tensor], object], images: Tensor, *, most: int = RUNS
) -> tuple[Latency, ...]:
    """Time what answers a batch of images, for each of `BATCHES`.

    Args:
        answer: takes images [N, C, H, W] like these, and returns when their logits are there.
        images: at least as many as the largest batch, on the device that answers.
        most: most runs of each batch that count.
    """
    with torch.inference_mode():
        return tuple(_latency(answer, images[:batch].clone(), most) for batch in BATCHES)


def network_latencies(
    method: Method, network: Network, *, input_shape: Shape, classes: int, device: torch.device
) -> tuple[Latency, ...]:
    """Time a network with random weights, on one thread where the device is a CPU.

    The images are on the device, and their logits are brought to the CPU.
    """
    with conditions(threads=THREADS):
        module = method.build(
            network,
            input_shape=input_shape,
            classes=classes,
            generator=torch.Generator().manual_seed(0),
        )
        module.eval().to(device)
        images = torch.zeros((max(BATCHES), *input_shape), device=device)
        return measured_latencies(lambda batch: module(batch).cpu(), images)


def _latency(answer: Callable[[Tensor], object], images: Tensor, most: int) -> Latency:
    for _ in range(WARM_UP):
        _seconds(answer, images)
    times = [_seconds(answer, images)]
    while len(times) < most and (sum(times) < ENOUGH or len(times) < FEWEST):
        times.append(_seconds(answer, images))
    return Latency(
        batch=len(images), runs=len(times), median=statistics.median(times), p95=_p95(times)
    )


def _seconds(answer: Callable[[Tensor], object], images: Tensor) -> float:
    started = time.perf_counter()
    answer(images)
    return time.perf_counter() - started


def _p95(times: Sequence[float]) -> float:
    if len(times) < 2:
        return times[0]
    return statistics.quantiles(times, n=20, method="inclusive")[-1]
