"""The conditions of a training: threads and algorithms, which change its bits, and memory."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

SMALL_SIDE = 16
"""Images below this side train on one thread: a second one gains nothing there (8 x 8, width 8 to
24: the same time within the noise), and waits long where it has to share its core."""
CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of glibc's mallopt; see its man page for what they mean."""
MMAP_MAX, TRIM_THRESHOLD = 65536, 64 * 2**20
"""What they are set to afterwards: glibc's own values, the second at its upper end."""


@contextmanager
def conditions(*, threads: int, deterministic: bool = False) -> Iterator[None]:
    """Train on so many threads, and by deterministic algorithms only; then all is as before.

    Memory that a step frees stays with the process for the next one, and is given back at the end.
    """
    before = torch.get_num_threads()
    strict = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.set_num_threads(threads)
    if deterministic:
        # cuBLAS reads it once, when the device is first used; torch refuses to go on without.
        os.environ.setdefault(CUBLAS, ":4096:8")
        torch.use_deterministic_algorithms(True)
    try:
        with keeping_memory() if platform.libc_ver()[0] == "glibc" else nullcontext():
            yield
    finally:
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)


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
