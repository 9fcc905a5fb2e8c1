"""The options of a search: the size of its space, its data, its training; never its rules.

`SearchOptions` and `DataOptions` hold plain values; a study file holds the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..._core.inheriting import SHARE
from ..._search.studies import SHARED
from ...evaluation.data.labelled import TrainingData
from .space import MacroSpace, MicroSpace

if TYPE_CHECKING:
    from ...options import SearchOptions


PROFILES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "full": ({}, {}),
    "quick": (
        {
            "min_depth": 3,
            "max_depth": 16,
            "min_width": 6,
            "max_width": 16,
            "base_epochs": 3,
            "epochs_per_width_step": 1,
        },
        {"epochs": 4},
    ),
}
"""Sizes of the space and epochs; never rules. `full` is the published size."""

IDLE: dict[str, dict[str, tuple[str, ...]]] = {
    "paper": {"macro": ("level",), "micro": ("level",)},
    "sound": {
        "macro": (
            "epochs_per_layer",
            "epochs_per_width_step",
            "depth_gain",
            "depth_slack",
            "width_patience",
        ),
        "micro": ("epochs",),
    },
}
"""Fields of the spaces for which the rules of a policy have no use."""


def idle_options(options: SearchOptions, policy: str) -> list[str]:
    """The given fields of the spaces that change nothing under this policy, as `macro level`."""
    return [
        f"{part} {name}"
        for part, names in IDLE[policy].items()
        for name in names
        if name in getattr(options, part)
    ]


def spaces(
    content: TrainingData, n_valid: int, options: SearchOptions
) -> tuple[MacroSpace, MicroSpace]:
    """The spaces of a search: the profile's, with what the options replace."""
    profile = options.profile or ("quick" if content.name == "digits" else "full")
    macro_values, micro_values = PROFILES[profile]
    task = {"input_shape": content.input_shape, "classes": content.classes, "n_valid": n_valid}
    if options.inherit:
        macro_values = {**macro_values, "inherit": SHARE}
    macro = MacroSpace(**{**macro_values, **task, **_tuples(options.macro)})
    shared = {name: getattr(macro, name) for name in SHARED}
    start = {"depth": macro.min_depth, "width": macro.min_width, "confirm_epochs": None}
    micro = MicroSpace(**{**start, **micro_values, **shared, **_tuples(options.micro)})
    return macro, micro


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
