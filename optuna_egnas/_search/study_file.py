"""Study files: a search as a TOML file, `egnas search studies/digits/study.toml`.

dataset = "fashion-mnist"     # as on the command line
name = "fashion-subset"       # default: the data set's
seed = 0
profile = "quick"
valid_fraction = 0.2
subset = 10000
inherit = false
deterministic = false
artifacts = "egnas-artifacts" # for checkpoints: a directory, s3://bucket/prefix or gs://...
checkpoint_seconds = 10
stale_after = 900
[data]                        # fields of DataOptions
[macro]                       # fields of MacroSpace
[micro]                       # fields of MicroSpace
[recipe]                      # fields of Recipe
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from .._core.recipe import Recipe
from .._core.records import short, wrong_kind
from .._methods.egnas.space import MacroSpace, MicroSpace
from ..errors import InvalidSpace, SearchError
from ..evaluation.data.labelled import DataOptions
from ..options import SearchOptions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KINDS: dict[str, type] = {
    "dataset": str,
    "name": str,
    "profile": str,
    "seed": int,
    "valid_fraction": float,
    "subset": int,
    "inherit": bool,
    "deterministic": bool,
    "artifacts": str,
    "checkpoint_seconds": float,
    "stale_after": float,
}
TABLES: dict[str, type] = {
    "data": DataOptions,
    "macro": MacroSpace,
    "micro": MicroSpace,
    "recipe": Recipe,
}
FOUND = {
    "macro": {"input_shape", "classes", "n_valid"},
    "micro": {"input_shape", "classes", "n_valid", "depth", "width"},
}
"""Fields that a search finds by itself: those of the data, and where the micro search starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFile:
    """What a study file says."""

    dataset: str
    name: str | None
    options: SearchOptions


def read_study_file(path: Path) -> StudyFile:
    """Read a study file.

    Raises:
        SearchError: the file is missing or no TOML, or holds a key that is not known.
        InvalidSpace: a value is out of its bounds.
    """
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or error
        raise SearchError(f"Cannot read the study file {path}: {reason}.") from None
    except ValueError as error:
        raise SearchError(f"A study file must be TOML, but {path} is not: {error}.") from None
    known = {*KINDS, *TABLES}
    _check_keys(record, known, str(path))
    if "dataset" not in record:
        raise SearchError(f"A study file must name its `dataset`, but {path} does not.")
    for name in TABLES:
        _check_table(record.get(name, {}), name, path)
    _check_kinds({key: record[key] for key in KINDS if key in record}, KINDS, str(path))
    if not record.get("name", "default").strip():
        raise SearchError(f"`name` in {path} must have a character, but got {record['name']!r}.")
    options = {key: value for key, value in record.items() if key not in ("dataset", "name")}
    options["data"] = DataOptions(**record.get("data", {}))
    return StudyFile(
        dataset=record["dataset"], name=record.get("name"), options=SearchOptions(**options)
    )


def _check_table(table: Any, name: str, path: Path) -> None:
    where = f"[{name}] of {path}"
    if not isinstance(table, dict):
        raise SearchError(f"{where} must be a table, but got {short(table)}.")
    kinds = get_type_hints(TABLES[name])
    _check_keys(table, {*kinds} - FOUND.get(name, set()), where)
    _check_kinds(table, kinds, where)


def _check_keys(record: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(record) - known)
    if unknown:
        raise SearchError(
            f"{where} must hold only {', '.join(sorted(known))}, but has {unknown[0]!r}."
        )


def _check_kinds(record: Mapping[str, Any], kinds: Mapping[str, Any], where: str) -> None:
    for key, value in record.items():
        words = wrong_kind(value, kinds[key])
        if words:
            raise InvalidSpace(f"`{key}` in {where} must be {words}, but got {short(value)}.")
