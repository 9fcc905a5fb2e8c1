"""Where torch calculates."""

from __future__ import annotations

import torch

from ..._core.text import short
from ...errors import SearchError


def choose_device(device: str) -> torch.device:
    """The device of this name; `auto` takes CUDA, else Apple's MPS, else the CPU.

    Raises:
        SearchError: torch cannot use it here.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen).cpu()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise SearchError(
            "`device` must be auto or one that torch can use here, "
            f"but got {short(device)}: {reason}"
        ) from None
    return chosen
