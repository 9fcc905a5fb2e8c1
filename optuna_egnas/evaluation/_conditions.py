"""The conditions of a training that change its bits: threads and algorithms."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

SMALL_SIDE = 16
"""Images below this side train on one thread: a second one gains nothing there (8 x 8, width 8 to
24: the same time within the noise), and waits long where it has to share its core."""
CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def conditions(*, threads: int, deterministic: bool) -> Iterator[None]:
    """Train on so many threads, and by deterministic algorithms only; then all is as before."""
    before = torch.get_num_threads()
    strict = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.set_num_threads(threads)
    if deterministic:
        # cuBLAS reads it once, when the device is first used; torch refuses to go on without.
        os.environ.setdefault(CUBLAS, ":4096:8")
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)


def threads_for(side: int, *, deterministic: bool) -> int:
    """Threads for images of this smaller side, here and now."""
    return 1 if deterministic or side < SMALL_SIDE else torch.get_num_threads()
