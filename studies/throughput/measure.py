"""What is timed: processes that stay, each with its own threads, told one job after another."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from plain import PlainNetwork, PlainTraining
from torch.utils._python_dispatch import TorchDispatchMode

from optuna_egnas import Architecture, MacroSpace
from optuna_egnas._methods.depthwise import input_gradient, weight_gradient
from optuna_egnas.evaluation.data.labelled import LabelledImages
from optuna_egnas.evaluation.engine.augmentation import channel_statistics
from optuna_egnas.evaluation.engine.conditions import conditions
from optuna_egnas.evaluation.engine.loop import train
from optuna_egnas.evaluation.engine.precision import faster_precision
from optuna_egnas.networks import build
from optuna_egnas.options import Recipe

CLASSES = 10
VALID_SHARE = 5
"""One validation image for so many training images."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """A network and its images; all convolutions separable with 3 x 3 kernels."""

    channels: int
    side: int
    depth: int
    width: int

    @property
    def architecture(self) -> Architecture:
        return Architecture.chain(depth=self.depth, width=self.width)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.side, self.side

    @property
    def images(self) -> int:
        """Images of one timed epoch: a few seconds of work."""
        return max(128, 1280 * 16 * 10 // (self.width * self.depth) // 64 * 64)


def drawn(count: int, size: Size) -> LabelledImages:
    generator = torch.Generator().manual_seed(count)
    return LabelledImages(
        images=torch.randint(256, (count, *size.shape), generator=generator, dtype=torch.uint8),
        labels=torch.arange(count) % CLASSES,
    )


def data_of(size: Size) -> tuple[LabelledImages, LabelledImages]:
    return drawn(size.images, size), drawn(size.images // VALID_SHARE, size)


def network_of(size: Size) -> torch.nn.Module:
    return build(
        size.architecture,
        input_shape=size.shape,
        classes=CLASSES,
        generator=torch.Generator().manual_seed(0),
    )


def epochs_of(size: Size, precision: str) -> Iterator[object]:
    """Our loop, an epoch at a time."""
    recipe = replace(Recipe.for_images(size.shape, flip=False), precision=precision)
    network = network_of(size)
    return train(network, *data_of(size), epochs=3, recipe=recipe, seed=0, device="cpu")


def plain_epochs(size: Size) -> Iterator[object]:
    training, validation = data_of(size)
    loop = PlainTraining(
        network=PlainNetwork(size.architecture, size.channels, CLASSES),
        training=training,
        validation=validation,
        statistics=channel_statistics(training.images),
        epochs=3,
    )
    while True:
        yield loop.epoch()


def product(kind: torch.dtype) -> tuple[float, Callable[[], object]]:
    """Operations of a large matrix product, and the product."""
    one = torch.randn(2048, 2048).to(kind)
    return 2.0 * 2048**3, lambda: one @ one


def convolution(kind: torch.dtype) -> tuple[float, Callable[[], object]]:
    """Operations of a large convolution, and the convolution."""
    images = torch.randn(64, 128, 28, 28).to(kind).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(128, 128, 3, 3).to(kind).contiguous(memory_format=torch.channels_last)
    work = 2.0 * 64 * 28 * 28 * 128 * 128 * 9
    return work, lambda: torch.nn.functional.conv2d(images, weight, padding=1)


def peak(make: Callable[[torch.dtype], Any], precision: str) -> float:
    """The most operations a second in five tries."""
    work, call = make({"fp32": torch.float32, "bf16": torch.bfloat16}[precision])
    call()
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return work / min(seconds)


class Clock(TorchDispatchMode):
    """Processor time of this thread in each of torch's operations."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = defaultdict(float)

    def __torch_dispatch__(
        self, call: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        started = time.thread_time()
        result = call(*args, **(kwargs or {}))
        self.seconds[group_of(str(call), args)] += time.thread_time() - started
        return result


def group_of(name: str, args: Any) -> str:
    if "convolution" in name:
        images, weight = args[1:3] if "backward" in name else args[:2]
        kind = "dense" if weight.shape[1] == images.shape[1] else "depthwise"
        return f"{kind} convolutions"
    groups = {"batch_norm": "batch norms", "relu": "ReLU", "threshold": "ReLU"}
    return next((group for part, group in groups.items() if part in name), "all other operations")


def profile(size: Size, precision: str) -> dict[str, float]:
    """Processor seconds of an epoch on one thread, by groups of operations."""
    epochs = epochs_of(size, precision)
    next(epochs)
    with Clock() as clock:
        next(epochs)
    return dict(clock.seconds)


def gradients(kernel: int, stride: int, precision: str) -> list[tuple[str, str, str]]:
    """Milliseconds of a depthwise convolution's gradients, torch's and ours, on 64 channels."""
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    images = torch.randn(64, 64, 28, 28).to(kind).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(64, 1, kernel, kernel).to(kind)
    given = [stride] * 2, [kernel // 2] * 2, [1, 1], False, [0, 0], 64
    output = torch.nn.functional.conv2d(images, weight, None, *given[:2], groups=64)
    gradient = torch.randn_like(output)
    found = []
    for index, ours in enumerate((input_gradient, weight_gradient)):
        asked = [place == index for place in range(3)]
        backward = torch.ops.aten.convolution_backward
        theirs = partial(backward, gradient, images, weight, None, *given, asked)
        calls = theirs, partial(ours, gradient, images, weight, stride)
        found.append((("images", "weights")[index], *map(milliseconds, calls)))
    return found


def milliseconds(call: Callable[[], object]) -> str:
    """Processor time; the median of seven."""
    call()
    times = []
    for _ in range(7):
        started = time.thread_time()
        call()
        times.append(time.thread_time() - started)
    return f"{1000 * statistics.median(times):.2f}"


def decided(size: Size) -> str:
    """What `--precision auto` decides for a search whose first network is this one."""
    return faster_precision(
        MacroSpace(input_shape=size.shape, classes=CLASSES),
        size.architecture,
        recipe=Recipe(batch_size=64),
        device=torch.device("cpu"),
    )


def serve(pipe: Any, threads: int, ours: bool) -> None:
    """The process: does what it is told until it is told None."""
    torch.set_num_threads(threads)
    if not ours:
        # A plain process: nothing of the package's conditions.
        return _serve(pipe)
    with conditions(threads=threads):
        _serve(pipe)


def _serve(pipe: Any) -> None:
    epochs: Iterator[object] = iter(())
    while (told := pipe.recv()) is not None:
        match told:
            case ("prepare", size, None):
                epochs = plain_epochs(size)
                next(epochs)
                pipe.send(None)
            case ("prepare", size, precision):
                epochs = epochs_of(size, precision)
                next(epochs)
                pipe.send(None)
            case ("epoch",):
                started = time.perf_counter()
                next(epochs)
                pipe.send(time.perf_counter() - started)
            case (call, *given):
                pipe.send(call(*given))


class Process:
    """One such process, seen from the study."""

    def __init__(self, *, threads: int, ours: bool = True) -> None:
        self.pipe, theirs = multiprocessing.get_context("spawn").Pipe()
        self.process = multiprocessing.get_context("spawn").Process(
            target=serve, args=(theirs, threads, ours)
        )
        os.environ["OMP_NUM_THREADS"] = str(threads)
        self.process.start()

    def ask(self, *told: object) -> Any:
        self.tell(*told)
        return self.pipe.recv()

    def tell(self, *told: object) -> None:
        self.pipe.send(told)


@contextmanager
def processes() -> Iterator[dict[str, list[Process]]]:
    """Of each arm: the plain loop, ours on all threads, and ours as one process a core."""
    cores = os.cpu_count() or 1
    made = {
        "plain": [Process(threads=cores, ours=False)],
        "one process": [Process(threads=cores)],
        "one a core": [Process(threads=1) for _ in range(cores)],
    }
    try:
        yield made
    finally:
        for process in (process for arm in made.values() for process in arm):
            process.pipe.send(None)
            process.process.join()


def throughput(arm: list[Process], size: Size, precision: str | None) -> float:
    """Training images a second of all of the arm's processes together."""
    for process in arm:
        process.tell("prepare", size, precision)
    for process in arm:
        process.pipe.recv()
    for process in arm:
        process.tell("epoch")
    return len(arm) * size.images / max(process.pipe.recv() for process in arm)
