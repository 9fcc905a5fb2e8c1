"""The options of a search: the size of its space, its data, its training; never its rules.

`SearchOptions` and `DataOptions` hold plain values; a study file holds the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, get_type_hints

from ._core.method import DEFAULT, Method
from ._core.method import method as find_method
from ._core.problem import check_integer, check_number
from ._core.recipe import Recipe
from ._core.records import wrong_kind
from .errors import InvalidSpace, short
from .evaluation.data.options import DataOptions
from .evaluation.engine.checkpoint import CHECKPOINT_SECONDS

__all__ = ["DataOptions", "SearchOptions", "TrainOptions"]

STALE_AFTER = 900.0
LARGEST_SEED = 2**63 - 1

KINDS = {
    "data": DataOptions,
    "spaces": Mapping,
    "macro": Mapping,
    "micro": Mapping,
    "recipe": Mapping,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What can be chosen of a search, as plain values; a study file holds the same.

    Args:
        method: the search method: the name of one that is installed, or package.module:NAME.
        profile: `quick` or `full`; default: quick for digits, else full.
        seed: of the split, and of every training.
        valid_fraction: share of the training images that is kept for validation.
        subset: so many training images are used, drawn class by class; default: all.
        data: how the data set is read.
        spaces: fields of the method's spaces that replace the profile's, by role. A search that
            is there keeps its policy where none is named.
        macro, micro: the same of EGNAS: fields of `MacroSpace` and `MicroSpace`.
        recipe: fields of `Recipe` that replace the published ones.
        precision: of every training: fp32, bf16 (bfloat16 autocast) or auto, which times the
            search's first network when the search is created and takes bf16 where that is
            clearly faster; fp32 where `deterministic` is set. Part of what a search is.
        inherit: each candidate begins with the weights of the best network so far, deepened,
            narrowed or with the layer changed, and is trained for a quarter of its epochs; see
            `_core/inheriting.py`. Part of what a search is: its walk is no longer the published
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

    Examples:
        >>> from optuna_egnas.options import DataOptions, SearchOptions
        >>> options = SearchOptions(
        ...     data=DataOptions(image_size=16), macro={"max_params": 20_000}, time_limit=3600
        ... )
        >>> options.given()
        {'macro': {'max_params': 20000}}
    """

    method: str = DEFAULT
    profile: str | None = None
    seed: int = 0
    valid_fraction: float = 0.2
    subset: int | None = None
    data: DataOptions = field(default_factory=DataOptions)
    spaces: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
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
        method = find_method(self.method)
        if self.profile is not None and self.profile not in method.profiles:
            known = ", ".join(sorted(method.profiles))
            raise InvalidSpace(f"`profile` must be one of {known}, but got {short(self.profile)}.")
        for role, values in self.given().items():
            _check_fields(role, values, method.role(role).space)
        _check_fields("recipe", self.recipe, Recipe)
        Recipe(**self.recipe)

    def given(self) -> dict[str, Mapping[str, Any]]:
        """The fields of the spaces that were given, by role."""
        own = {"macro": self.macro, "micro": self.micro}
        named = {role: values for role, values in own.items() if values}
        roles = {**self.spaces, **named}
        return {role: {**self.spaces.get(role, {}), **values} for role, values in roles.items()}

    def ignored(self, policy: str) -> list[str]:
        """The given fields of spaces that change nothing under a policy, as `macro level`."""
        given = self.given()
        return [
            f"{role} {name}"
            for role, names in find_method(self.method).ignored(policy).items()
            for name in names
            if name in given.get(role, {})
        ]

    def with_fields(self, **fields: Any) -> SearchOptions:
        """The same with these fields of spaces, each for the first space that has it.

        Raises:
            InvalidSpace: no space of the method has a field of this name.
        """
        method, spaces = find_method(self.method), {**self.spaces}
        for name, value in fields.items():
            role = _role_with(method, name)
            spaces[role] = {**spaces.get(role, {}), name: value}
        return replace(self, spaces=spaces)


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

    Examples:
        >>> from optuna_egnas.options import TrainOptions
        >>> TrainOptions(recipe={"label_smoothing": 0.1}, ema=0.99).ema
        0.99
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


def _role_with(method: Method, field: str) -> str:
    """The role of the first space with a field of this name."""
    for role in method.roles:
        if field in {item.name for item in fields(role.space)}:
            return role.name
    raise InvalidSpace(f"The method {method.name} must know `{field}`, but no space of it does.")


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
