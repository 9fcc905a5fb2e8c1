"""Study files: a search as a TOML file, `egnas search studies/digits/study.toml`.

It names the `dataset`, and a `name` if it should not be that of the data set. Its other keys are
the fields of `SearchOptions`; [data], [recipe] and a table for each study of the method hold the
fields of `DataOptions`, of `Recipe` and of the spaces.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from .._core.commands import DATASET, GIVEN_NAME
from .._core.method import DEFAULT, method
from .._core.recipe import Recipe
from .._core.records import wrong_kind
from .._core.role import Role
from .._core.text import short
from .._storage.files import read_whole
from ..errors import InvalidSpace, SearchError
from ..evaluation.data.options import DataOptions
from ..options import SearchOptions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLES: dict[str, type] = {"data": DataOptions, "recipe": Recipe}
"""Tables of any method."""
KINDS: dict[str, Any] = {
    DATASET.name: DATASET.kind,
    GIVEN_NAME.name: GIVEN_NAME.kind,
    **{
        key: kind
        for key, kind in get_type_hints(SearchOptions).items()
        if key not in TABLES and get_origin(kind) is not Mapping
    },
}
LARGEST_FILE = 2**16
LONGEST_LINE = 4096
"""Names of thousands of parts, `a.b.c`, would take the library minutes to read."""


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
    roles = _roles(record, path)
    known = {*KINDS, *TABLES, *roles}
    _check_keys(record, known, str(path), ", ".join(sorted(known)))
    if "dataset" not in record:
        raise SearchError(f"A study file must name its `dataset`, but {path} does not.")
    for name, kind in TABLES.items():
        _check_table(record.get(name, {}), name, kind, path)
    for name, role in roles.items():
        _check_table(record.get(name, {}), name, role.space, path, found=role.found)
    _check_kinds({key: record[key] for key in KINDS if key in record}, KINDS, str(path))
    if not record.get("name", "default").strip():
        raise SearchError(f"`name` in {path} must have a character, but got {record['name']!r}.")
    _check_precision(record, path)
    apart = ("dataset", "name", *roles)
    options = {key: value for key, value in record.items() if key not in apart}
    options["spaces"] = {name: record[name] for name in roles if name in record}
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


def _roles(record: Mapping[str, Any], path: Path) -> dict[str, Role]:
    """The studies of the file's method by their names, which its tables have."""
    name = record.get("method", DEFAULT)
    if not isinstance(name, str):
        raise InvalidSpace(f"`method` in {path} must be text, but got {short(name)}.")
    return {role.name: role for role in method(name).roles}


def _check_precision(record: Mapping[str, Any], path: Path) -> None:
    """Refuse two precisions of one search."""
    above, within = record.get("precision"), record.get("recipe", {}).get("precision")
    if above is not None and within is not None and above != within:
        raise SearchError(
            f"`precision` in {path} and in its [recipe] must be the same, but are {above} and "
            f"{within}."
        )


def _check_table(
    table: Any, name: str, kind: type, path: Path, *, found: Sequence[str] = ()
) -> None:
    """Refuse what is no table of such fields; those that are `found` are not to be given."""
    where = f"[{name}] of {path}"
    if not isinstance(table, dict):
        raise SearchError(f"{where} must be a table, but got {short(table)}.")
    hints = get_type_hints(kind)
    kinds = {item.name: hints[item.name] for item in fields(kind)}
    what = f"fields of {kind.__name__}" + (" that a search does not find" if found else "")
    _check_keys(table, {*kinds} - {*found}, where, what)
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
