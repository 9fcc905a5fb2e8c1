"""The conditions of a training: modes, threads and algorithms, which change its bits, and memory.

A program may have set modes of torch for its own work: another default dtype or device, no
gradients, inference mode, autocast, reduced precision. Here nothing of that counts.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np
import torch

SMALL_SIDE = 16
"""Images below this side train on one thread: a second one gains nothing there (8 x 8, width 8 to
24: the same time within the noise), and waits long where it has to share its core."""
CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of glibc's mallopt; see its man page for what they mean."""
MMAP_MAX, TRIM_THRESHOLD = 65536, 64 * 2**20
"""What they are set to afterwards: glibc's own values, the second at its upper end."""

AUTOCAST = ("cpu", "cuda", "mps", "xpu")
FLAGS: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
    ("", "fp32_precision", ("none", "ieee")),
    ("cuda.matmul", "fp32_precision", ("none", "ieee")),
    ("cuda.matmul", "allow_tf32", (False,)),
    ("cuda.matmul", "allow_bf16_reduced_precision_reduction", (True,)),
    ("cudnn", "enabled", (True,)),
    ("cudnn", "benchmark", (False,)),
    ("cudnn", "deterministic", (False,)),
    ("cudnn.conv", "fp32_precision", ("tf32", "none")),
    ("cudnn", "allow_tf32", (True,)),
    ("mkldnn", "enabled", (True,)),
    ("mkldnn", "deterministic", (False,)),
    ("mkldnn.conv", "fp32_precision", ("none", "ieee")),
    ("mkldnn.matmul", "fp32_precision", ("none", "ieee")),
)
"""Modules of `torch.backends` with an attribute and the values that it has in a new program."""


@contextmanager
def plain_modes() -> Iterator[None]:
    """Calculate as a new program does, whatever modes this one has set; then all is as before.

    Also a decorator. Within it, default dtype and device are float32 and the CPU, gradients are
    recorded, autocast, anomaly detection and deterministic algorithms are off, and the flags of
    `torch.backends` have their first values. The number of threads stays.
    """
    dtype = torch.get_default_dtype()
    strict = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(mode=False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(torch.autograd.set_detect_anomaly(False))
        stack.enter_context(np.errstate(all="warn", under="ignore"))
        for kind in AUTOCAST:
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.empty(0).device.type != "cpu":
            # Only then: it makes every call of torch a little slower.
            stack.enter_context(torch.device("cpu"))
        stack.callback(torch.set_default_dtype, dtype)
        torch.set_default_dtype(torch.float32)
        stack.callback(torch.use_deterministic_algorithms, strict, warn_only=warn_only)
        torch.use_deterministic_algorithms(False)
        stack.enter_context(_first_flags())
        yield


@contextmanager
def _first_flags() -> Iterator[None]:
    """Give the flags of `torch.backends` the values that they have in a new program."""
    with ExitStack() as stack:
        precision = _read(torch.get_float32_matmul_precision)
        if precision not in (None, "highest"):
            stack.callback(torch.set_float32_matmul_precision, precision)
            torch.set_float32_matmul_precision("highest")
        for path, name, first in FLAGS:
            module = _backend(path)
            before = _read(partial(getattr, module, name))
            if before is not None and before not in first:
                stack.callback(setattr, module, name, before)
                setattr(module, name, first[0])
        yield


def _read(flag: Callable[[], Any]) -> Any:
    """A flag's value; None where this release of torch has none, or mixes it with a newer one."""
    try:
        return flag()
    except (AttributeError, RuntimeError):
        return None


def _backend(path: str) -> Any:
    try:
        return attrgetter(path)(torch.backends) if path else torch.backends
    except AttributeError:
        return None


@contextmanager
def conditions(*, threads: int, deterministic: bool = False) -> Iterator[None]:
    """Train in plain modes on so many threads; then all is as before.

    `deterministic`: by deterministic algorithms only. Memory that a step frees stays with the
    process for the next one, and is given back at the end.
    """
    with ExitStack() as stack:
        stack.enter_context(plain_modes())
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(threads)
        if deterministic:
            # cuBLAS reads it once, when the device is first used; torch refuses to go on without.
            os.environ.setdefault(CUBLAS, ":4096:8")
            torch.use_deterministic_algorithms(True)
        glibc = platform.libc_ver()[0] == "glibc"
        stack.enter_context(keeping_memory() if glibc else nullcontext())
        yield


def threads_for(side: int, *, deterministic: bool) -> int:
    """Threads for images of this smaller side, here and now."""
    return 1 if deterministic or side < SMALL_SIDE else torch.get_num_threads()


@contextmanager
def keeping_memory() -> Iterator[None]:
    """Let glibc's malloc keep what is freed; at the end it gives back what it can.

    By itself it returns large blocks to the kernel at once, and each step of a training then
    waits for thousands of fresh pages: a fifth of its time in fp32 at width 64 and 32 x 32.
    Where all tensors are below 32 MiB it makes no difference.
    """
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        libc.mallopt(M_MMAP_MAX, MMAP_MAX)
        libc.mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD)
        libc.malloc_trim(0)
