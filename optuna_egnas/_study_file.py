"""Study files: a search as a TOML file, `egnas search studies/digits/study.toml`.

dataset = "fashion-mnist"     # as on the command line
name = "fashion-subset"       # default: the data set's
seed = 0
profile = "quick"
precision = "auto"            # or in [recipe]: fp32 or bf16
valid_fraction = 0.2
subset = 10000
inherit = false
deterministic = false
artifacts = "egnas-artifacts" # for checkpoints: a directory, s3://bucket/prefix or gs://...
checkpoint_seconds = 10
stale_after = 900
time_limit = 7200             # seconds of each run
max_total_epochs = 500
[data]                        # fields of DataOptions
[macro]                       # fields of MacroSpace
[micro]                       # fields of MicroSpace
[recipe]                      # fields of Recipe
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

from ._core.macro import MacroSpace
from ._core.micro import MicroSpace
from ._core.text import short
from ._files import read_whole
from ._record import wrong_kind
from .errors import InvalidSpace, SearchError
from .evaluation._training import Recipe
from .options import DataOptions, SearchOptions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLES: dict[str, type] = {
    "data": DataOptions,
    "macro": MacroSpace,
    "micro": MicroSpace,
    "recipe": Recipe,
}
KINDS: dict[str, Any] = {
    "dataset": str,
    "name": str,
    **{key: kind for key, kind in get_type_hints(SearchOptions).items() if key not in TABLES},
}
LARGEST_FILE = 2**16
LONGEST_LINE = 4096
"""Names of thousands of parts, `a.b.c`, would take the library minutes to read."""
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
        SearchError: the file is missing or no TOML, holds a key that is not known, or says two
            things of one.
        InvalidSpace: a value is out of its bounds.
        DataError: the same, of [data].
    """
    record = _read(path)
    known = {*KINDS, *TABLES}
    _check_keys(record, known, str(path), ", ".join(sorted(known)))
    if "dataset" not in record:
        raise SearchError(f"A study file must name its `dataset`, but {path} does not.")
    for name in TABLES:
        _check_table(record.get(name, {}), name, path)
    _check_kinds({key: record[key] for key in KINDS if key in record}, KINDS, str(path))
    if not record.get("name", "default").strip():
        raise SearchError(f"`name` in {path} must have a character, but got {record['name']!r}.")
    _check_precision(record, path)
    options = {key: value for key, value in record.items() if key not in ("dataset", "name")}
    options["data"] = DataOptions(**record.get("data", {}))
    return StudyFile(
        dataset=record["dataset"], name=record.get("name"), options=SearchOptions(**options)
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        # Editors of Windows begin a file with a byte-order mark.
        content = read_whole(path, at_most=LARGEST_FILE).decode("utf-8-sig")
        longest = max(map(len, content.split("\n")))
        if longest > LONGEST_LINE:
            raise ValueError(f"a line has {longest:,} characters, at most {LONGEST_LINE:,} may be")
        record: dict[str, Any] = tomllib.loads(content)
        return record
    except OSError as error:
        reason = error.strerror or error
        raise SearchError(f"Cannot read the study file {path}: {reason}.") from None
    except ValueError as error:
        raise SearchError(f"A study file must be TOML, but {path} is not: {error}.") from None
    except RecursionError:
        raise SearchError(f"A study file must be TOML, but {path} is nested too deeply.") from None


def _check_precision(record: Mapping[str, Any], path: Path) -> None:
    """Refuse two precisions of one search."""
    above, within = record.get("precision"), record.get("recipe", {}).get("precision")
    if above is not None and within is not None and above != within:
        raise SearchError(
            f"`precision` in {path} and in its [recipe] must be the same, but are {above} and "
            f"{within}."
        )


def _check_table(table: Any, name: str, path: Path) -> None:
    where = f"[{name}] of {path}"
    if not isinstance(table, dict):
        raise SearchError(f"{where} must be a table, but got {short(table)}.")
    kinds = get_type_hints(TABLES[name])
    found = FOUND.get(name, set())
    what = f"fields of {TABLES[name].__name__}" + (" that a search does not find" if found else "")
    _check_keys(table, {*kinds} - found, where, what)
    _check_kinds(table, kinds, where)


def _check_keys(record: Mapping[str, Any], known: set[str], where: str, what: str) -> None:
    for key in sorted({*record} - known):
        near = get_close_matches(key, known, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise SearchError(f"{where} must hold only {what}, but has {short(key)}{hint}.")


def _check_kinds(record: Mapping[str, Any], kinds: Mapping[str, Any], where: str) -> None:
    for key, value in record.items():
        words = wrong_kind(value, kinds[key])
        if words:
            raise InvalidSpace(f"`{key}` in {where} must be {words}, but got {short(value)}.")
