"""The examples in the docstrings of public names: each public name has one, and each runs."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from folders import in_memory

import optuna_egnas
from optuna_egnas import (
    errors,
    methods,
    networks,
    options,
    pruners,
    replay,
    samplers,
    visualization,
)
from optuna_egnas._methods.egnas import operations
from optuna_egnas.replay import read_trace

WALK = Path(__file__).parents[1] / "studies/digits/walk.json"
MODULES = (
    optuna_egnas,
    errors,
    methods,
    networks,
    options,
    pruners,
    replay,
    samplers,
    visualization,
)
VALUES = {"CONFIRM", "Range", "Shape"}
"""Public names that hold a plain value or a type; they have no docstring of their own."""
STORY = ("search", "train", "FinalResult", "export")
"""These go on from each other."""


def public(module: ModuleType) -> list[str]:
    names = getattr(module, "__all__", None) or [
        name for name, found in vars(module).items() if hasattr(found, "__module__")
    ]
    return [name for name in names if not name.startswith("_") and name not in VALUES]


NAMES = {name: module for module in reversed(MODULES) for name in public(module)}


def example_of(name: str) -> str:
    return inspect.getdoc(getattr(NAMES[name], name)) or ""


def run(name: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run the example of a name; what it leaves behind is for the next one."""
    test = doctest.DocTestParser().get_doctest(example_of(name), names, name, None, 0)
    assert test.examples, f"{name} has no example"
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=said.append, clear_globs=False)
    assert not said, "".join(said)
    return test.globs


@pytest.fixture(scope="module")
def searched() -> Iterator[Path]:
    """A folder with a recorded search, and with that search in `egnas.db`."""
    with in_memory() as folder:
        (folder / "walk.json").write_bytes(WALK.read_bytes())
        replay.replay(read_trace(WALK), storage=f"sqlite:///{folder}/egnas.db", name="digits")
        yield folder


@pytest.mark.parametrize("name", sorted(NAMES.keys() - set(STORY)))
def test_an_example_runs(searched: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(searched)
    # What an example registers is gone after it.
    monkeypatch.setattr(operations, "OPERATIONS", dict(operations.OPERATIONS))
    run(name, {})


def test_the_examples_of_a_search_go_on_from_each_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    for name in STORY:
        names = run(name, names)


FRAGMENT = re.compile(r"The same\b|They\b|Those of\b|Of |So many |As `|\.\.\.|In which |By what ")
"""How a text begins that needs the one before it, or is no sentence."""


def texts() -> Iterator[tuple[str, str]]:
    """All docstrings of the package, also those of constants, with their places."""
    root = Path(optuna_egnas.__file__).parent
    for file in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            body = getattr(node, "body", None)
            for each in body if isinstance(body, list) else []:
                value = each.value if isinstance(each, ast.Expr) else None
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield f"{file.relative_to(root)}:{each.lineno}", value.value


def test_each_docstring_stands_alone() -> None:
    assert {place: text for place, text in texts() if FRAGMENT.match(text)} == {}
