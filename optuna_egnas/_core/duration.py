"""Durations as they are typed."""

from __future__ import annotations

import re

from ..errors import SearchError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def read_duration(text: str) -> float:
    """Seconds of "90", "90s", "30m", "2h", "1h30m" or "1.5d".

    Raises:
        SearchError: it is none of these.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * UNITS[unit] for number, unit in parts)
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    raise SearchError(
        "A duration must be like 90s, 30m, 2h or 1h30m (a bare number: seconds), "
        f"but got {text!r}."
    )
