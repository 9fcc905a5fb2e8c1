"""The precision of trainings: fp32, or bfloat16 autocast where the device has it and it pays.

It is decided once, when a search is created, since networks trained in another precision are
other networks: each worker trains as the search says, or not at all.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from ..._core.method import method
from ..._core.network import Network
from ..._core.problem import Space
from ..._core.recipe import FP32, PRECISIONS, Precision, Recipe
from ...errors import SearchError
from .augmentation import channel_statistics, draw_epoch, memory_format
from .conditions import conditions, threads_for
from .step import TrainingStep

NARROWEST = 16
"""Below this width bfloat16 gains next to nothing (depth 10, 28 x 28: 1.1 times as fast at width
12, 1.3 at 16, 1.5 at 64, on a CPU with AVX-512 bf16): there is nothing to try."""
WORTH_IT = 1.15
"""The least speed-up for which bfloat16 is chosen."""
TRIES = 5
AUTO = "auto"


def check_precision(precision: str, device: torch.device) -> None:
    """Refuse a precision that this device would only imitate.

    Raises:
        SearchError: bf16 on a device without bfloat16 arithmetic.
    """
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
        capable: Callable[[], dict[str, object]] = getattr(torch.cpu, "get_capabilities", dict)
        capabilities = capable()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False


def faster_precision(
    space: Space,
    architecture: Network,
    *,
    recipe: Recipe,
    device: torch.device,
) -> Precision:
    """The precision in which this network, a search's first, trains faster here."""
    if space.channels(architecture) < NARROWEST or not has_bf16(device):
        return FP32
    generator = torch.Generator().manual_seed(0)
    input_shape, classes = space.input_shape, space.classes
    network = method(space.method).build(
        architecture, input_shape=input_shape, classes=classes, generator=generator
    )
    network.to(device).to(memory_format=memory_format(device)).train()
    images = torch.randint(0, 256, (recipe.batch_size, *input_shape), generator=generator)
    images = images.to(torch.uint8).to(device)
    labels = torch.zeros(recipe.batch_size, dtype=torch.int64, device=device)
    draws = draw_epoch(images.shape, recipe, generator).to(device)
    normalising, rate = channel_statistics(images), recipe.learning_rate
    fp32, bf16 = (
        TrainingStep(
            network=network,
            optimizer=torch.optim.SGD(network.parameters(), lr=rate),
            images=images,
            labels=labels,
            statistics=normalising,
            recipe=replace(recipe, precision=precision),
        )
        for precision in PRECISIONS
    )

    def seconds(step: TrainingStep) -> float:
        started = time.perf_counter()
        step.take(draws, 0, rate)
        step.loss_sum.item()  # waits for the device
        return time.perf_counter() - started

    with conditions(threads=threads_for(min(input_shape[1:]), deterministic=False)):
        # The first pass of each builds what later ones use again.
        pairs = [(seconds(fp32), seconds(bf16)) for _ in range(TRIES + 1)][1:]
    ratio = statistics.median(plain / brief for plain, brief in pairs)
    return "bf16" if ratio >= WORTH_IT else FP32
