"""Imports go down only: every file is held against the table, and no files import in a circle."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from io import StringIO
from pathlib import Path
from tokenize import COMMENT, generate_tokens
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
    "evaluation/rivals": Layer(
        PURE | {"evaluation/data", "evaluation/rivals"},
        {"torch", "torchvision", "numpy", "sklearn"},
    ),
    "evaluation": Layer(EVALUATED, {"torch", "optuna"}),
    "visualization": Layer(STORED | {"visualization"}, {"plotly", "kaleido", "optuna"}),
    "visualization/_dashboard": Layer(STORED | {"visualization"}, {"optuna", "optuna_dashboard"}),
    "options": Layer(EVALUATED, set()),
    "_search": Layer(
        WORKING | {"_search", "_core/numpy", "visualization/_dashboard", "evaluation/rivals"},
        {"optuna", "torch", "ray", "psutil", "tomli", "sqlalchemy", "PIL"},
    ),
    "_cli": Layer(
        WORKING | {"_search", "_cli", "visualization/_dashboard", "replay"},
        {"optuna", "typer", "click", "rich", "torch", "optuna_dashboard"},
    ),
}
FACES: dict[str, Layer] = {
    "__init__": Layer(
        {"errors", "_core", "_methods/egnas", "_search", "pruners", "samplers"}, set()
    ),
    "__main__": Layer({"_cli", "_storage"}, set()),
    "methods": Layer({"_core"}, set()),
    "networks": Layer({"_methods/egnas", "_methods/egnas/torch"}, set()),
    "replay": Layer({"_methods/egnas/replay"}, set()),
    "visualization/__init__": Layer({"_methods/egnas/plots", "visualization"}, set()),
}
"""Public faces: each names what lies behind it, and loads that when it is used."""
LAYERS |= FACES
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


ARROWS_BY_NAME: dict[str, set[str]] = {
    # The public faces load what their tables name; FACES holds them against the layers.
    "__init__": {"_DOORS[name]", "f'.{name}'"},
    "networks": {"_DOORS[name]", "optuna_egnas._methods.egnas"},
    "replay": {"_DOORS[name]", "optuna_egnas._methods.egnas.replay"},
    "visualization/__init__": {
        "_DOORS[name]",
        "optuna_egnas._methods.egnas.plots",
        "optuna_egnas.visualization._budgets",
        "optuna_egnas.visualization._learning_curves",
        "optuna_egnas.visualization._pareto",
        "optuna_egnas.visualization._walk",
    },
    # A method is a line of a table, an entry point, or named by a user.
    "_core/method": {
        "METHODS[name]",
        "entry.load()",
        "name",
        "optuna_egnas._methods.egnas.method:EGNAS",
        "optuna_egnas.methods",
        "torch:Generator",
    },
    # What a space does not count in closed form is counted on a module of torch.
    "_core/problem": {
        "f'{COUNTS}:macs'",
        "f'{COUNTS}:params'",
        "optuna_egnas._methods.counting",
    },
    # The rules of a method load its torch files and its plots when they are asked for.
    "_methods/egnas/method": {
        "f'{FOLDER}.network:build'",
        "f'{FOLDER}.network:expected_weights'",
        "f'{FOLDER}.source:python_source'",
        "f'{FOLDER}.weights:inherit'",
        "optuna_egnas._methods.egnas",
    },
    # An operation names the function that builds its module.
    "_methods/egnas/operations": {
        "entry.load()",
        "optuna_egnas._methods.egnas.network:convolution",
        "optuna_egnas._methods.egnas.network:separable",
        "optuna_egnas.operations",
    },
    "_methods/egnas/network": {"operation(layer.op).module"},
    # A method brings plots of its own.
    "visualization/_files": {"at"},
    # torchvision says by an error whether it fits torch.
    "_search/doctor": {"torchvision.ops"},
}
"""All that is imported by name: what each loading call is given, and names of our modules."""
LOADING = ("resolve_name", "import_module", "__import__")


def named_imports(file: Path) -> Iterator[str]:
    """What the file loads by name: arguments of loading calls, and modules of this package."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.fullmatch(r"optuna_egnas(\.\w+)+(:\w+)?", node.value):
                yield node.value
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.split(".")[-1] in LOADING:
                first = node.args[0]
                constant = first.value if isinstance(first, ast.Constant) else None
                yield constant if isinstance(constant, str) else ast.unparse(first)
            elif called == "entry.load":
                yield ast.unparse(node)


def test_what_is_imported_by_name_is_listed() -> None:
    found = {name_of(file): set(named_imports(file)) for file in modules()}

    assert {name: arrows for name, arrows in found.items() if arrows} == ARROWS_BY_NAME


WORDS = re.compile(
    r"\b(?:macro|micro|Macro\w*|Micro\w*|depths?|widths?|kernels?|operations?|sound|paper)\b"
    r"|\b(?:[Bb]oth|[Tt]wo) (?:linked )?(?:spaces|studies|walks)\b"
)
"""What EGNAS alone has: its roles, its phases, its policies, and that its studies are two."""


class Exempt(NamedTuple):
    """Words that a file, or all files below a folder, may use, and why."""

    place: str
    words: str
    reason: str


EXEMPT = (
    Exempt("__init__", "macro micro Macro* Micro* operations", "public names of EGNAS"),
    Exempt("samplers/__init__", "Macro* Micro*", "public samplers of EGNAS"),
    Exempt("samplers/_macro", "*", "the public sampler of a study of EGNAS"),
    Exempt("samplers/_micro", "*", "the public sampler of a study of EGNAS"),
    Exempt("options", "macro micro Macro* Micro*", "two public fields are the spaces of EGNAS"),
    Exempt("pruners", "Macro* Micro*", "its docstrings say how it works under public samplers"),
    Exempt("pruners", "depth width", "the public parameter `size` calls a network's layers so"),
    Exempt("pruners", "paper", "a value of its public parameter `policy`"),
    Exempt("_core/budget", "depth depths width paper", "the pruner's public `size` and `policy`"),
    Exempt("_core/stopping", "depth width", "on which candidates its constants were measured"),
    Exempt("_core/frontier", "depth", "that of a tree"),
    Exempt("_core/problem", "paper", "the name of the published rules of any method"),
    Exempt("_core/problem", "width", "that of an image"),
    Exempt("_core/network", "width", "that of an image"),
    Exempt("_core/recipe", "depth", "on which networks its values were measured"),
    Exempt("_methods/depthwise", "kernel", "that of a convolution"),
    Exempt("_methods/counting", "operations", "how torch counts arithmetic"),
    Exempt("_storage/liveness", "kernel", "that of the operating system"),
    Exempt("evaluation/data", "width", "that of an image"),
    Exempt("evaluation/data/values", "depth", "the bits of a pixel"),
    Exempt("evaluation/engine/augmentation", "width", "that of an image"),
    Exempt("evaluation/engine/archive", "depth", "how deep lists lie in each other"),
    Exempt("evaluation/engine/conditions", "width", "on which networks it was measured"),
    Exempt("evaluation/engine/conditions", "kernel", "that of the operating system"),
    Exempt("evaluation/engine/precision", "depth width", "on which networks it was measured"),
    Exempt("evaluation/rivals/plain", "width", "that of an image"),
    Exempt("evaluation/trained", "width", "that of an image"),
    Exempt("evaluation/trained", "operation operations", "those of a graph of ONNX or torch"),
    Exempt("visualization", "width", "that of a line, a picture, an image"),
    Exempt("visualization/_style", "paper", "what plotly calls the whole figure"),
    Exempt("visualization/_walk", "paper", "what plotly calls the whole figure"),
    Exempt("_search/final/setup", "depth width", "on which networks its bounds were measured"),
    Exempt("_cli", "width", "that of a terminal, an image"),
)
EXAMPLES = re.compile(r"\n\s*Examples:\n.*", re.DOTALL)


def text_of(file: Path) -> Iterator[str]:
    """Names, texts, docstrings and comments of a file; not the examples, which need a method."""
    source = file.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        for field in ("id", "attr", "arg", "name", "value"):
            found = getattr(node, field, None)
            if isinstance(found, str):
                yield EXAMPLES.sub("", found)
    for token in generate_tokens(StringIO(source).readline):
        if token.type == COMMENT:
            yield token.string


def foreign_words(file: Path) -> set[str]:
    """The words of EGNAS in a file of another subject."""
    return {" ".join(word.split()) for text in text_of(file) for word in WORDS.findall(text)}


def exemptions(name: str) -> Iterator[tuple[Exempt, str]]:
    """The exemptions of a file, a pattern each."""
    for each in EXEMPT:
        if name == each.place or name.startswith(f"{each.place}/"):
            yield from ((each, pattern) for pattern in each.words.split())


OTHERS = [file for file in modules() if not name_of(file).startswith("_methods/egnas/")]


@pytest.mark.parametrize("file", OTHERS, ids=name_of)
def test_only_egnas_knows_what_only_egnas_has(file: Path) -> None:
    here = name_of(file)
    allowed = [pattern for _, pattern in exemptions(here)]
    found = {
        word
        for word in foreign_words(file)
        if not any(fnmatchcase(word, pattern) for pattern in allowed)
    }

    assert not found, f"{here} names {sorted(found)}, which only EGNAS has"


def test_each_exemption_is_needed() -> None:
    used = {
        (each, pattern)
        for file in OTHERS
        for each, pattern in exemptions(name_of(file))
        if any(fnmatchcase(word, pattern) for word in foreign_words(file))
    }

    assert [it for it in EXEMPT for word in it.words.split() if (it, word) not in used] == []


ALIKE = {
    ("method", "methods"): "`methods` is the public face, and a folder for each method",
    ("network", "networks"): "`networks` is the public face",
    ("budget", "budgets"): "a plot is called after what it shows",
    ("plot", "plots"): "a command is called as it is typed",
}
"""Names of files that differ by an s, in different folders, and why they stay."""


def test_no_names_differ_by_an_s() -> None:
    entries = [path for path in ROOT.rglob("*") if path.suffix == ".py" or path.is_dir()]
    names = {path.stem.lstrip("_") for path in entries}

    assert {(name, f"{name}s") for name in names if f"{name}s" in names} == ALIKE.keys()
    siblings = {(path.parent, path.stem.lstrip("_")) for path in entries}
    twins = [at for at in siblings if (at[0], f"{at[1]}s") in siblings]
    assert twins == []


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
