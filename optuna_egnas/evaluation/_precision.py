"""The precision of trainings: fp32, or bfloat16 autocast where the device has it and it pays.

It is decided once, when a search is created, since networks trained in another precision are
other networks: each worker trains as the search says, or not at all.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy

from .._core.architecture import Architecture
from .._core.cost import Shape
from .._core.text import short
from ..errors import InvalidSpace, SearchError
from ._augmentation import memory_format
from ._conditions import conditions, threads_for
from ._network import build
from ._training import FP32, PRECISIONS, Precision

NARROWEST = 16
"""Below this width bfloat16 gains next to nothing (depth 10, 28 x 28: 1.1 times as fast at width
12, 1.3 at 16, 1.5 at 64, on a CPU with AVX-512 bf16): there is nothing to try."""
WORTH_IT = 1.15
"""So many times as fast must bfloat16 be."""
TRIES = 5
AUTO = "auto"


def check_precision(precision: str, device: torch.device) -> None:
    """Refuse what is no precision, or what this device would only imitate.

    Raises:
        InvalidSpace: an unknown precision.
        SearchError: bf16 on a device without bfloat16 arithmetic.
    """
    if precision not in (AUTO, *PRECISIONS):
        known = ", ".join((AUTO, *PRECISIONS))
        raise InvalidSpace(f"`precision` must be one of {known}, but got {short(precision)}.")
    if precision == "bf16" and not has_bf16(device):
        raise SearchError(
            f"This search trains in bf16, for which the device must have bfloat16 arithmetic, "
            f"but got {device}, which has none."
        )


def has_bf16(device: torch.device) -> bool:
    """Whether a device calculates in bfloat16 itself."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        # Older releases of torch cannot tell: fp32 then.
        told: Callable[[], dict[str, object]] = getattr(torch.cpu, "get_capabilities", dict)
        capabilities = told()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False


def faster_precision(
    architecture: Architecture,
    *,
    input_shape: Shape,
    classes: int,
    batch_size: int,
    device: torch.device,
) -> Precision:
    """The precision in which this network, a search's first, trains faster here."""
    if architecture.width < NARROWEST or not has_bf16(device):
        return FP32
    generator = torch.Generator().manual_seed(0)
    network = build(architecture, input_shape=input_shape, classes=classes, generator=generator)
    network.to(device).to(memory_format=memory_format(device))
    images = torch.rand(batch_size, *input_shape, generator=generator).to(device)
    images = images.clone(memory_format=memory_format(device))
    labels = torch.zeros(batch_size, dtype=torch.int64, device=device)

    def seconds(*, bf16: bool) -> float:
        started = time.perf_counter()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            logits = network(images)
        loss = cross_entropy(logits.float(), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        loss.item()  # waits for the device
        return time.perf_counter() - started

    with conditions(threads=threads_for(min(input_shape[1:]), deterministic=False)):
        # The first pass of each builds what later ones use again.
        pairs = [(seconds(bf16=False), seconds(bf16=True)) for _ in range(TRIES + 1)][1:]
    ratio = statistics.median(plain / brief for plain, brief in pairs)
    return "bf16" if ratio >= WORTH_IT else FP32
