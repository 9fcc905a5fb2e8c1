"""Imports go down only: the source is held against the table of the package's floors."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import optuna_egnas

ROOT = Path(optuna_egnas.__file__).parent
# Who may import what of this package, and of others. A room is a module or a folder.
FLOORS: dict[str, tuple[set[str], set[str]]] = {
    # Its one line: how a message is shown.
    "errors": ({"_core"}, set()),
    "_core/text": (set(), set()),
    "_core": ({"_core", "errors"}, set()),
    "_core/outliers": ({"_core", "errors"}, {"numpy"}),
    "_core/verdict": ({"_core", "errors"}, {"numpy"}),
    "_core/pace": ({"_core", "errors"}, {"numpy"}),
    "_alive": (set(), {"psutil"}),
    "_stop": (set(), set()),
    "_claims": ({"_core", "_alive"}, {"optuna"}),
    "_rules": ({"_core"}, set()),
    "_attributes": ({"_core", "_rules", "errors"}, {"optuna"}),
    "_artifacts": ({"_trouble", "errors"}, {"optuna"}),
    "_files": (set(), set()),
    "_record": ({"_core"}, set()),
    "_report": (set(), set()),
    "_translate": ({"_attributes", "_core", "_claims"}, {"optuna"}),
    "_backends": ({"errors"}, {"optuna", "sqlalchemy"}),
    "_storage": ({"_backends", "_outage", "_trouble", "errors"}, {"optuna", "sqlalchemy"}),
    "_link": ({"_attributes", "_rules", "_core", "_claims", "_translate", "errors"}, {"optuna"}),
    "_limits": ({"_attributes", "_claims", "_link", "_translate"}, {"optuna"}),
    "samplers": ({"samplers", "_core", "_claims", "_translate", "_link", "errors"}, {"optuna"}),
    "pruners": (
        {
            "pruners",
            "samplers",
            "_attributes",
            "_core",
            "_claims",
            "_translate",
            "_link",
            "errors",
        },
        {"optuna"},
    ),
    "evaluation": (
        {"evaluation", "_core", "_files", "_record", "errors"},
        {"torch", "torchvision", "numpy", "sklearn", "PIL"},
    ),
    "evaluation/_checkpoint": ({"evaluation", "_core", "_artifacts", "errors"}, {"torch"}),
    "evaluation/_export": ({"evaluation", "_core", "errors"}, {"torch", "psutil"}),
    "evaluation/_examination": ({"evaluation", "_report"}, {"torch"}),
    "evaluation/_onnx": (
        {"evaluation", "_core", "errors"},
        {"torch", "onnx", "onnxruntime"},
    ),
    "evaluation/_onnx_graph": ({"_core", "errors"}, {"numpy", "onnx"}),
    "evaluation/_account": (
        {"evaluation", "_core", "_claims", "_translate", "_link", "errors"},
        {"optuna"},
    ),
    "evaluation/_failures": (
        {"evaluation", "_core", "_claims", "_translate", "errors"},
        {"torch", "optuna"},
    ),
    "evaluation/_objective": (
        {"evaluation", "_core", "_claims", "_translate", "_link", "_limits", "_stop", "errors"},
        {"torch", "optuna"},
    ),
    "_owners": ({"_artifacts", "_core", "_rules", "_storage"}, {"optuna", "sqlalchemy"}),
    "_trouble": ({"errors"}, {"sqlalchemy"}),
    "_outage": ({"_stop", "_trouble"}, {"optuna", "sqlalchemy"}),
    "_result": ({"_core"}, set()),
    "_linked": (
        # A notebook asks the studies themselves for HTML: the one door upwards, when it is used.
        {"samplers", "pruners", "_core", "_claims", "_translate", "_link", "_result", "_storage"}
        | {"_attributes", "_rules", "errors", "_html"},
        {"optuna"},
    ),
    "_upload": ({"_artifacts", "_outage", "_trouble", "errors"}, {"optuna"}),
    "_finals": (
        {"_artifacts", "_attributes", "_claims", "_core", "_final_records", "_link", "_linked"}
        | {"_owners", "_report", "_rules", "_upload", "evaluation", "errors"},
        {"optuna"},
    ),
    "_final_records": ({"_rules", "_core", "_report", "errors"}, set()),
    "_final_claim": (
        {"_alive", "_rules", "_attributes", "_claims", "_final_records", "_linked", "errors"},
        {"optuna"},
    ),
    "_final_result": ({"_finals", "_report"}, set()),
    "_entries": (
        {"_attributes", "_core", "_claims", "_translate", "_link", "_linked"},
        {"optuna"},
    ),
    "_forecast": ({"_attributes", "_core", "_claims", "_link", "_linked"}, {"optuna"}),
    "_estimate": (
        {"_core", "_claims", "_forecast", "_translate", "_link", "_limits", "_linked"},
        {"optuna"},
    ),
    "_notes": (
        {"_core", "_entries", "_estimate", "_finals", "_link", "_linked", "_result"},
        set(),
    ),
    "_dashboard": (
        {"_claims", "_entries", "_finals", "_link", "_linked", "_notes", "visualization"},
        {"optuna", "optuna_dashboard"},
    ),
    "_html": ({"_core", "_entries", "_linked", "_result", "visualization"}, set()),
    "visualization": (
        {"visualization", "_core", "_link", "_linked", "_entries", "errors"},
        {"plotly", "kaleido"},
    ),
}
TOP = {
    "options",
    "_export",
    "_search",
    "_final",
    "_final_setup",
    "_searches",
    "_study_file",
    "_trace",
    "replay",
    "_show",
    "_show_final",
    "_rerun",
    "_simulate",
    "_pruned_replay",
    "_workers",
    "_ray",
    "_arguments",
    "_foretell",
    "_doctor",
    "_plan",
    "_stored",
    "_cli",
    "_console",
} | {"__init__", "__main__"}
PRIVATE = ("optuna._", "._storage", "._study_id", "._trial_id", "._thread_local")


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def room(file: Path) -> str:
    """The room of a module, for the table."""
    name = file.relative_to(ROOT).with_suffix("").as_posix()
    return name if name in FLOORS else name.split("/")[0]


def imports(file: Path) -> Iterator[tuple[bool, str]]:
    """(is it of this package, its first name) of all imports, also those inside functions."""
    parts = file.relative_to(ROOT).parts
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((False, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield False, str(node.module).split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            above = parts[: len(parts) - node.level]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            for name in names:
                yield True, (*above, *str(name).split("."))[0]


@pytest.mark.parametrize("file", modules(), ids=lambda file: file.relative_to(ROOT).as_posix())
def test_imports_go_down_only(file: Path) -> None:
    here = room(file)
    if here in TOP:
        return
    ours, others = FLOORS[here]
    for of_this_package, name in imports(file):
        if of_this_package:
            assert name in ours, f"{here} must not import {name}"
        else:
            known = others | set(sys.stdlib_module_names)
            assert name in known, f"{here} must not import {name}"


@pytest.mark.parametrize("file", modules(), ids=lambda file: file.relative_to(ROOT).as_posix())
def test_optunas_private_names_stay_in_one_place(file: Path) -> None:
    if room(file) == "_claims":
        return
    text = file.read_text(encoding="utf-8")
    # Modules of our own may have such names.
    text = re.sub(r"^\s*from \.\S* import", "", text, flags=re.MULTILINE)
    assert not [name for name in PRIVATE if name in text]


def test_nothing_that_a_search_loads_reads_test_images() -> None:
    reads = re.compile(r"import .*_test_images|_test_images import (.+)")
    readers = {
        file.name: [found[1] for found in reads.finditer(file.read_text("utf-8"))]
        for file in modules()
    }

    assert {name: taken for name, taken in readers.items() if taken} == {
        "_final_setup.py": ["check_test, given_test"],
        "_stored.py": ["load_test"],
        # It decodes images that are given as a test, and gives no pixels.
        "_folders.py": ["look_through"],
    }


@pytest.mark.parametrize("file", modules(), ids=lambda file: file.relative_to(ROOT).as_posix())
def test_files_stay_short_enough_to_read(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 350


def test_importing_the_package_is_free() -> None:
    heavy = ("torch", "torchvision", "plotly", "sqlalchemy", "sklearn", "optuna")
    code = f"import sys, optuna_egnas; print([name for name in {heavy} if name in sys.modules])"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"


def test_plots_are_behind_a_door() -> None:
    code = "import optuna_egnas; print(optuna_egnas.visualization.plot_walk.__name__)"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "plot_walk"
