"""The options of a search: the size of its space, its data, its training; never its rules.

`SearchOptions` and `DataOptions` hold plain values; a study file holds the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_type_hints

from ._core.bounds import LARGEST_INTEGER, LARGEST_NUMBER
from ._core.commands import (
    ARTIFACTS,
    AS_STORED,
    CHECKPOINT_EVERY,
    CHECKPOINT_SECONDS,
    DATA_FOLDER,
    NETWORK,
    PRECISION,
    SKIP_BROKEN,
)
from ._core.declared import check_options, documented, option, shared
from ._core.duration import read_duration
from ._core.method import DEFAULT, Method
from ._core.method import method as find_method
from ._core.problem import Space
from ._core.recipe import Recipe
from ._core.records import wrong_kind
from ._core.text import short
from .errors import InvalidSpace
from .evaluation.data.options import DataOptions

__all__ = ["DataOptions", "Recipe", "SearchOptions", "TrainOptions"]

LARGEST_SEED = 2**63 - 1
SearchPrecision = Literal["auto", "fp32", "bf16"]

TABLES: Mapping[str, type] = {
    "data": DataOptions,
    "spaces": Mapping,
    "macro": Mapping,
    "micro": Mapping,
    "recipe": Mapping,
}


@documented
@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What can be chosen of a search, as plain values; a study file holds the same.

    `data` says how the data set is read. `spaces` holds fields of the method's spaces that
    replace the profile's, by role; a search that is there keeps its policy where none is named.
    `macro` and `micro` are the same of EGNAS: fields of `MacroSpace` and `MicroSpace`. `recipe`
    holds fields of `Recipe` that replace the published ones.

    Raises:
        InvalidSpace: an unknown profile or field, or a value that is out of its bounds.

    Examples:
        >>> from optuna_egnas.options import SearchOptions
        >>> options = SearchOptions(profile="quick", macro={"min_depth": 4})
        >>> options.given()
        {'macro': {'min_depth': 4}}
    """

    method: str | None = option(
        None,
        flag="--method",
        help="the search method: one that is installed, or your own as package.module:NAME",
        default="as before, at first egnas",
    )
    profile: str | None = option(
        None,
        flag="--profile",
        help="size of the space: quick or full",
        default="quick for digits and for folders of fewer than 5,000 training images, else full",
    )
    seed: int = option(
        0,
        flag="--seed",
        help="seed of the split and of every training",
        at_least=0,
        at_most=LARGEST_SEED,
    )
    valid_fraction: float = option(
        0.2,
        flag="--valid-fraction",
        help="share of the training images that is kept for validation",
        above=0,
        below=1,
    )
    subset: int | None = option(
        None,
        flag="--subset",
        help="number of training images to use, drawn class by class",
        default="all",
        at_least=0,
        at_most=LARGEST_INTEGER,
    )
    data: DataOptions = field(default_factory=DataOptions)
    spaces: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    macro: Mapping[str, Any] = field(default_factory=dict)
    micro: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    precision: SearchPrecision = shared("auto", PRECISION)
    inherit: bool | None = option(
        None,
        flag="--inherit/--no-inherit",
        help="candidates begin with the weights of the best network so far and are trained for a "
        "quarter of their epochs; the walk is then no longer the published one",
    )
    deterministic: bool = option(
        False,
        flag="--deterministic",
        help="one thread and deterministic algorithms for every training, so that any number of "
        "workers on one machine gets the same values to the bit",
    )
    artifacts: str | None = shared(None, ARTIFACTS, default="as before, at first egnas-artifacts")
    checkpoint_seconds: float = shared(CHECKPOINT_SECONDS, CHECKPOINT_EVERY)
    stale_after: float = option(
        900.0,
        flag="--stale-after",
        help="seconds without a sign of life after which a worker counts as dead, where neither "
        "its process nor its heartbeat can be seen from here; longer than an epoch",
        at_least=1,
        at_most=LARGEST_NUMBER,
    )
    time_limit: float | None = option(
        None,
        flag="--time-limit",
        help="end this run, with all its workers, after 90s, 30m, 2h (in a study file: seconds); "
        "the best so far is shown, and the same command goes on",
        at_least=0,
        at_most=LARGEST_NUMBER,
        read=read_duration,
    )
    max_total_epochs: int | None = option(
        None,
        flag="--max-total-epochs",
        help="end this run after this number of epochs of all runs and workers together",
        at_least=1,
        at_most=LARGEST_INTEGER,
    )

    def __post_init__(self) -> None:
        _check_tables(self)
        check_options(self)
        method = find_method(self.method or DEFAULT)
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
            for role, names in find_method(self.method or DEFAULT).ignored(policy).items()
            for name in names
            if name in given.get(role, {})
        ]

    def with_fields(self, **fields: Any) -> SearchOptions:
        """Return options with these fields; those that every space has, as limits, are for all.

        Any other field is for the first space that has it.

        Raises:
            InvalidSpace: no space of the method has a field of this name.
        """
        method, spaces = find_method(self.method or DEFAULT), {**self.spaces}
        for name, value in fields.items():
            for role in _roles_with(method, name):
                spaces[role] = {**spaces.get(role, {}), name: value}
        return replace(self, spaces=spaces)


@documented
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """What can be chosen of a final training. What is None is as when it was begun before.

    `recipe` holds fields of `Recipe` that replace those of the search, `label_smoothing` say.

    Raises:
        InvalidSpace: an unknown field, or a value that is out of its bounds.

    Examples:
        >>> from optuna_egnas.options import TrainOptions
        >>> TrainOptions(recipe={"label_smoothing": 0.1}, ema=0.99).ema
        0.99
    """

    recipe: Mapping[str, Any] = field(default_factory=dict)
    network: str | None = shared(None, NETWORK)
    ema: float | None = option(
        None,
        flag="--ema",
        help="train an average of the weights that keeps this share of itself in each step, such "
        "as 0.99; the average is then the network",
        default="0, none",
        at_least=0,
        below=1,
    )
    all_images: bool | None = option(
        None,
        flag="--all-images/--subset-only",
        help="train on all training images where the search took a subset of them",
        default="on the subset",
    )
    unfinished: bool = option(
        False,
        flag="--unfinished",
        help="train the best network so far of a search that has not ended",
    )
    again: bool = option(
        False,
        flag="--again",
        help="train with other settings although there are results; the test images are then "
        "read another time, and whoever chooses between the results has selected by them",
    )
    rivals: bool = option(
        False,
        flag="--rivals",
        help="train rivals of the network found, as long and by the same recipe: the largest that "
        "fits, random ones and a plain CNN of equal parameters, and others; the table is a "
        "report, and whoever chooses by it has selected by the test images",
    )
    data_root: str | None = shared(None, DATA_FOLDER, default=AS_STORED)
    skip_broken: bool = shared(False, SKIP_BROKEN, default=AS_STORED)
    checkpoint_seconds: float = shared(CHECKPOINT_SECONDS, CHECKPOINT_EVERY)

    def __post_init__(self) -> None:
        _check_tables(self)
        check_options(self)
        _check_fields("recipe", self.recipe, Recipe)
        Recipe(**self.recipe)


def _check_tables(options: object) -> None:
    """Refuse what is no table; what is in the tables is looked at later."""
    for name, kind in TABLES.items():
        found = getattr(options, name, None)
        if found is not None and not isinstance(found, kind):
            raise InvalidSpace(
                f"`{name}` must be a {kind.__name__}, but got {name}={short(found)}."
            )


def _roles_with(method: Method, field: str) -> list[str]:
    """The roles whose spaces get a field: all for a field of any `Space`, else the first."""
    roles = [each.name for each in method.roles if field in _field_names(each.space)]
    if not roles:
        raise InvalidSpace(
            f"The method {method.name} must know `{field}`, but no space of it does."
        )
    return roles if field in _field_names(Space) else roles[:1]


def _field_names(kind: type) -> set[str]:
    return {item.name for item in fields(kind)}


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
