"""The options of a search: the size of its space, its data, its training; never its rules.

`SearchOptions` and `DataOptions` hold plain values; a study file holds the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from ._core.inheritance import SHARE
from ._core.macro import MacroSpace
from ._core.micro import MicroSpace
from ._core.space import check_integer, check_number
from ._core.text import short
from ._linked import SHARED
from ._record import wrong_kind
from .errors import InvalidSpace
from .evaluation._checkpoint import CHECKPOINT_SECONDS
from .evaluation._data import DataOptions, TrainingData
from .evaluation._training import Recipe

__all__ = ["DataOptions", "SearchOptions", "TrainOptions"]

STALE_AFTER = 900.0
LARGEST_SEED = 2**63 - 1

KINDS = {"data": DataOptions, "macro": Mapping, "micro": Mapping, "recipe": Mapping}

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What can be chosen of a search, as plain values; a study file holds the same.

    Args:
        profile: `quick` or `full`; default: quick for digits, else full.
        seed: of the split, and of every training.
        valid_fraction: share of the training images that is kept for validation.
        subset: so many training images are used, drawn class by class; default: all.
        data: how the data set is read.
        macro, micro: fields of `MacroSpace` and `MicroSpace` that replace the profile's. A
            search that is there keeps its policy where `macro` names none.
        recipe: fields of `Recipe` that replace the published ones.
        precision: of every training: fp32, bf16 (bfloat16 autocast) or auto, which times the
            search's first network when the search is created and takes bf16 where that is
            clearly faster; fp32 where `deterministic` is set. Part of what a search is.
        inherit: each candidate begins with the weights of the best network so far, deepened,
            narrowed or with the layer changed, and is trained for a quarter of its epochs; see
            `_core/inheritance.py`. Part of what a search is: its walk is no longer the published
            one, and its scores are not those of trainings from scratch, only the last one is.
            Another share is chosen by `macro={"inherit": 0.5}`.
        deterministic: every candidate is trained on one thread by deterministic algorithms, so
            that any number of workers on one machine gets the same values to the bit. Part of
            what a search is: the number of threads changes weights.
        artifacts: where checkpoints are kept: a directory, s3://bucket/prefix or
            gs://bucket/prefix; default: where this search has kept them, at first
            `egnas-artifacts` in the working directory. Another place is used from then on.
        checkpoint_seconds: a checkpoint is written after each epoch, but not more often.
        stale_after: seconds without a sign of life after which a worker counts as dead, where
            neither its process nor its heartbeat can be seen from here. Longer than an epoch.
        time_limit: seconds after which this run ends, with all its workers, at the end of the
            epoch in training; the best found so far is the result, and a later run goes on.
        max_total_epochs: the same after so many epochs of all runs and workers together.

    Raises:
        InvalidSpace: an unknown profile or field, or a time that is out of its bounds.
    """

    profile: str | None = None
    seed: int = 0
    valid_fraction: float = 0.2
    subset: int | None = None
    data: DataOptions = field(default_factory=DataOptions)
    macro: Mapping[str, Any] = field(default_factory=dict)
    micro: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "auto"
    inherit: bool = False
    deterministic: bool = False
    artifacts: str | None = None
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    stale_after: float = STALE_AFTER
    time_limit: float | None = None
    max_total_epochs: int | None = None

    def __post_init__(self) -> None:
        _check_kinds(self)
        _check_plain(self)
        if self.profile is not None and self.profile not in PROFILES:
            known = ", ".join(sorted(PROFILES))
            raise InvalidSpace(f"`profile` must be one of {known}, but got {short(self.profile)}.")
        for name, kind in (("macro", MacroSpace), ("micro", MicroSpace), ("recipe", Recipe)):
            _check_fields(name, getattr(self, name), kind)
        Recipe(**self.recipe)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """What can be chosen of a final training. What is None is as when it was begun before.

    Args:
        recipe: fields of `Recipe` that replace those of the search, `label_smoothing` say.
        ema: train an average of the weights beside them, which keeps so much of itself at each
            step, 0.99 say, and which is then the network; 0: none, the default.
        all_images: train on all training images where the search took a `subset` of them;
            default: on those that the search has trained and validated on.
        unfinished: train the best network so far of a search that has not ended.
        again: train with other settings although there are results. The test images are then
            read another time, and whoever chooses between the results has selected by them.
        data_root: folder of the data sets' files here; default: as the search has stored it.
        skip_broken: leave out images of a folder that cannot be read; default: as the search did.
        checkpoint_seconds: a checkpoint is written after each epoch, but not more often.

    Raises:
        InvalidSpace: an unknown field, or a value that is out of its bounds.
    """

    recipe: Mapping[str, Any] = field(default_factory=dict)
    ema: float | None = None
    all_images: bool | None = None
    unfinished: bool = False
    again: bool = False
    data_root: str | None = None
    skip_broken: bool = False
    checkpoint_seconds: float = CHECKPOINT_SECONDS

    def __post_init__(self) -> None:
        _check_kinds(self)
        _check_fields("recipe", self.recipe, Recipe)
        Recipe(**self.recipe)
        check_number("checkpoint_seconds", self.checkpoint_seconds)
        if self.ema is not None:
            check_number("ema", self.ema)
            if self.ema >= 1:
                raise InvalidSpace(f"`ema` must be below 1, but got ema={self.ema}.")


def _check_kinds(options: object) -> None:
    """Refuse values of wrong types; what is in the tables is looked at later."""
    for name, kind in get_type_hints(type(options)).items():
        found = getattr(options, name)
        table = KINDS.get(name)
        if table is not None:
            words = None if isinstance(found, table) else f"a {table.__name__}"
        else:
            words = wrong_kind(found, kind)
        if words is not None:
            raise InvalidSpace(f"`{name}` must be {words}, but got {name}={short(found)}.")


def _check_fields(name: str, values: Mapping[str, Any], kind: type) -> None:
    kinds = get_type_hints(kind)
    for key, found in values.items():
        if key not in kinds:
            raise InvalidSpace(
                f"`{name}` must hold fields of {kind.__name__} only, but got {short(key)}."
            )
        words = wrong_kind(found, kinds[key])
        if words is not None:
            raise InvalidSpace(
                f"`{key}` of `{name}` must be {words}, but got {key}={short(found)}."
            )


def _check_plain(options: SearchOptions) -> None:
    check_integer("seed", options.seed, at_least=0, at_most=LARGEST_SEED)
    check_number("valid_fraction", options.valid_fraction)
    if options.subset is not None:
        check_integer("subset", options.subset, at_least=0)
    if options.time_limit is not None:
        check_number("time_limit", options.time_limit)
    if options.max_total_epochs is not None:
        check_integer("max_total_epochs", options.max_total_epochs, at_least=1)
    check_number("checkpoint_seconds", options.checkpoint_seconds)
    check_number("stale_after", options.stale_after, at_least=1.0)


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
