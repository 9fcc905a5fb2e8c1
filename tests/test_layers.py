"""Imports go down only: every file is held against the table, and no files import in a circle."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import optuna_egnas

ROOT = Path(optuna_egnas.__file__).parent
PURE = {"errors", "_core", "_core/text"}
STORED = PURE | {"_storage"}
EVALUATED = STORED | {"evaluation/data", "evaluation/engine", "evaluation/trained", "evaluation"}
WORKING = EVALUATED | {"samplers", "pruners", "visualization", "options"}


class Layer(NamedTuple):
    """What the files of a layer may import: layers of this package, and other packages."""

    ours: set[str]
    others: set[str]


def layers_of_method(name: str) -> dict[str, Layer]:
    """The layers of one method's folder: its rules, its torch files, its plots, its replays."""
    own, torch = f"_methods/{name}", f"_methods/{name}/torch"
    return {
        own: Layer(PURE | {own}, set()),
        torch: Layer(
            PURE
            | {own, torch, "_methods", "evaluation/data", "evaluation/engine"}
            | {"evaluation/trained"},
            {"torch"},
        ),
        f"{own}/plots": Layer(STORED | {own, f"{own}/plots", "visualization"}, {"plotly"}),
        f"{own}/replay": Layer(WORKING | {own, f"{own}/replay", "_search"}, {"optuna"}),
    }


LAYERS: dict[str, Layer] = {
    "_core/text": Layer(set(), set()),
    "errors": Layer({"_core/text"}, set()),
    "_core": Layer(PURE, set()),
    "_core/numpy": Layer(PURE | {"_core/numpy"}, {"numpy"}),
    "_methods": Layer(PURE, {"torch"}),
    **layers_of_method("egnas"),
    "_storage": Layer(STORED, {"optuna", "sqlalchemy", "psutil"}),
    "samplers": Layer(STORED | {"samplers", "_methods/egnas"}, {"optuna"}),
    "pruners": Layer(STORED | {"samplers", "pruners", "_core/numpy"}, {"optuna"}),
    "evaluation/data": Layer(
        STORED | {"evaluation/data"}, {"torch", "torchvision", "numpy", "sklearn", "PIL"}
    ),
    "evaluation/engine": Layer(
        STORED | {"evaluation/data", "evaluation/engine", "_core/numpy"},
        {"torch", "numpy", "psutil"},
    ),
    "evaluation/trained": Layer(
        STORED | {"evaluation/data", "evaluation/engine", "evaluation/trained"},
        {"torch", "numpy", "onnx", "onnxruntime", "PIL", "psutil"},
    ),
    "evaluation": Layer(EVALUATED, {"torch", "optuna"}),
    "visualization": Layer(STORED | {"visualization"}, {"plotly", "kaleido", "optuna"}),
    "visualization/_dashboard": Layer(STORED | {"visualization"}, {"optuna", "optuna_dashboard"}),
    "options": Layer(EVALUATED, set()),
    "_search": Layer(
        WORKING | {"_search", "_core/numpy", "visualization/_dashboard"},
        {"optuna", "torch", "ray", "psutil", "tomli", "sqlalchemy", "PIL"},
    ),
    "_cli": Layer(
        WORKING | {"_search", "_cli", "visualization/_dashboard", "replay"},
        {"optuna", "typer", "click", "rich", "torch", "optuna_dashboard"},
    ),
}
FACES = {"__init__", "__main__", "methods", "networks", "replay", "visualization/__init__"}
"""Public faces: they name what lies behind them, and load it when it is used."""
NUMPY = {"_core/pace", "_core/stopping", "_core/outliers"}
TORCH = ("network", "weights", "source")
"""The files of a method that need torch."""
PRIVATE = ("optuna._", "._storage", "._study_id", "._trial_id", "._thread_local")


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).with_suffix("").as_posix()


def layer_of(name: str) -> str:
    """The layer of a module, for the table."""
    if name in LAYERS:
        return name
    if name in NUMPY:
        return "_core/numpy"
    parts = name.split("/")
    if parts[0] == "_methods" and len(parts) > 2:
        if parts[2] in ("plots", "replay"):
            return "/".join(parts[:3])
        return "/".join(parts[:2]) + ("/torch" if parts[2] in TORCH else "")
    if parts[0] == "evaluation" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def imports(file: Path) -> Iterator[tuple[bool, str]]:
    """(is it of this package, its name) of all imports, also inside functions or for types."""
    above = file.relative_to(ROOT).parts
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((False, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield False, str(node.module).split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            place = [*above[: len(above) - node.level], *(node.module or "").split(".")]
            base = "/".join(part for part in place if part)
            yield from ((True, _module(base, alias.name)) for alias in node.names)


def _module(base: str, name: str) -> str:
    """The module that "from base import name" loads."""
    for found in (f"{base}/{name}" if base else name, base, f"{base}/__init__".lstrip("/")):
        if (ROOT / f"{found}.py").is_file():
            return found
    return base


@pytest.mark.parametrize("file", modules(), ids=name_of)
def test_imports_go_down_only(file: Path) -> None:
    here = name_of(file)
    if here in FACES:
        return
    ours, others = LAYERS[layer_of(here)]
    for of_this_package, name in imports(file):
        if of_this_package:
            assert layer_of(name) in ours, f"{here} must not import {name}"
        else:
            known = others | set(sys.stdlib_module_names)
            assert name in known, f"{here} must not import {name}"


def test_no_files_import_in_a_circle() -> None:
    graph = {
        name_of(file): {name for ours, name in imports(file) if ours} - {name_of(file)}
        for file in modules()
    }
    left = {name: set(needed) & graph.keys() for name, needed in graph.items()}
    while free := {name for name, needed in left.items() if not needed}:
        left = {name: needed - free for name, needed in left.items() if name not in free}

    assert not left, f"these import each other, or what does: {sorted(left)}"


def test_the_root_of_the_package_stays_small() -> None:
    entries = [entry.name for entry in ROOT.iterdir() if entry.name != "__pycache__"]

    assert len(entries) <= 18, sorted(entries)


WORDS = re.compile(r"\b(macro|micro|Macro\w*|Micro\w*|depths?|widths?)\b")


def code_of(file: Path) -> str:
    """The code of a file: no comments, no docstrings, no other text than that of identifiers."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names: list[str] = []
    for node in ast.walk(tree):
        names += [
            str(value)
            for field in ("id", "attr", "arg", "name")
            if isinstance(value := getattr(node, field, None), str)
        ]
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and " " not in node.value
        ):
            names.append(node.value)
    return "\n".join(names)


IMAGES = {"evaluation/data", "evaluation/engine", "evaluation/trained"}
"""Where a width is that of an image."""
OF_EGNAS = {"samplers/__init__", "samplers/_macro", "samplers/_micro", "options", "_cli/_replay"}


@pytest.mark.parametrize("file", modules(), ids=name_of)
def test_only_egnas_knows_what_only_egnas_has(file: Path) -> None:
    here = name_of(file)
    layer = layer_of(here)
    if here in FACES | OF_EGNAS or layer.startswith(("_methods/egnas", *IMAGES)):
        return
    allowed = {"width", "widths"} if layer in ("visualization", "_cli") else set()
    # The pruner's own public parameter `size` calls the layers of a network its depth.
    allowed |= {"depth", "depths"} if layer in ("pruners", "_core") else set()
    found = set(WORDS.findall(code_of(file))) - allowed

    assert not found, f"{here} names {sorted(found)}, which only EGNAS has"


@pytest.mark.parametrize("file", modules(), ids=name_of)
def test_optunas_private_names_stay_in_one_place(file: Path) -> None:
    if name_of(file) == "_storage/private":
        return
    text = file.read_text(encoding="utf-8")
    # Modules of our own may have such names.
    text = re.sub(r"^\s*from \.\S* import", "", text, flags=re.MULTILINE)
    assert not [name for name in PRIVATE if name in text]


def test_importing_the_package_is_free() -> None:
    heavy = ("torch", "torchvision", "plotly", "sqlalchemy", "sklearn", "optuna")
    code = (
        "import sys, optuna_egnas, optuna_egnas.methods, optuna_egnas.replay, optuna_egnas._cli;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"


def test_plots_are_behind_a_door() -> None:
    code = "import optuna_egnas; print(optuna_egnas.visualization.plot_walk.__name__)"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "plot_walk"


def test_nothing_that_a_search_loads_reads_test_images() -> None:
    reads = re.compile(r"import .*\bheld_out\b|\bheld_out import (.+)")
    readers = {
        name_of(file): [found[1] for found in reads.finditer(file.read_text("utf-8"))]
        for file in modules()
    }

    assert {name: taken for name, taken in readers.items() if taken} == {
        "_search/final/setup": ["check_test, given_test"],
        "_search/identity": ["load_test"],
    }


@pytest.mark.parametrize("file", modules(), ids=name_of)
def test_files_stay_short_enough_to_read(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    # Examples in docstrings are short to read.
    lines = [line for line in text.splitlines() if not line.lstrip().startswith((">>>", "..."))]

    assert len(lines) <= 350
