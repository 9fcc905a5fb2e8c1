"""Study files: a search as a TOML file, `egnas search studies/digits/study.toml`.

dataset = "fashion-mnist"     # as on the command line
name = "fashion-subset"       # default: the data set's
seed = 0
profile = "quick"
valid_fraction = 0.2
subset = 10000
[data]                        # fields of DataOptions
[macro]                       # fields of MacroSpace
[micro]                       # fields of MicroSpace
[recipe]                      # fields of Recipe
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .errors import InvalidSpace, SearchError
from .options import DataOptions, SearchOptions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLES = ("macro", "micro", "recipe")
VALUES = ("profile", "seed", "valid_fraction", "subset")


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
    known = {"dataset", "name", "data", *TABLES, *VALUES}
    _check_keys(record, known, str(path))
    if "dataset" not in record:
        raise SearchError(f"A study file must name its `dataset`, but {path} does not.")
    return StudyFile(
        dataset=str(record["dataset"]), name=record.get("name"), options=_options(record, path)
    )


def _options(record: Mapping[str, Any], path: Path) -> SearchOptions:
    data = record.get("data", {})
    _check_keys(data, {field.name for field in fields(DataOptions)}, f"[data] of {path}")
    chosen = {key: record[key] for key in (*TABLES, *VALUES) if key in record}
    try:
        return SearchOptions(data=DataOptions(**data), **chosen)
    except TypeError as error:
        raise InvalidSpace(f"The study file {path} holds a wrong value: {error}.") from None


def _check_keys(record: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(record) - known)
    if unknown:
        raise SearchError(
            f"{where} must hold only {', '.join(sorted(known))}, but has {unknown[0]!r}."
        )
