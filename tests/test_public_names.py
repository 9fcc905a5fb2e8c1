"""What is public: each public module names exactly what it holds for its users."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import optuna_egnas
from optuna_egnas import errors

NAMES = {
    "optuna_egnas": """
        Architecture Budget BudgetPruner EgnasError FinalResult LinkedStudies MacroSampler
        MacroSpace MicroSampler MicroSpace Operation create_linked_studies export
        load_linked_studies register_operation search train training_budget
    """,
    "optuna_egnas.methods": """
        AutomatonSpace Bar CONFIRM Candidate Continuation Done EpochRecord Failed Found History
        Incumbent Measurement Method Network Position Prior Proposal Prospect Range Role Running
        Shape Space Step Stopped Survey Trained Verdict Walk check_integer check_number check_task
        inheriting known_methods method option
    """,
    "optuna_egnas.networks": "Cost build cost from_params suggest",
    "optuna_egnas.options": "DataOptions Recipe SearchOptions TrainOptions",
    "optuna_egnas.errors": """
        DataError EgnasError EgnasWarning InvalidSpace NothingToTrain SearchDone SearchError
        TraceError
    """,
    "optuna_egnas.replay": """
        PrunedReplay Replay Simulation Trace compare open_replay pruned_replay read_trace replay
        simulate write_trace
    """,
    "optuna_egnas.samplers": "MacroSampler MicroSampler",
    "optuna_egnas.pruners": "BudgetPruner training_budget",
    "optuna_egnas.visualization": """
        network_svg plot_budgets plot_depth_width plot_learning_curves plot_macro_micro
        plot_network plot_pareto plot_walk
    """,
}
"""The documented names of each public module."""
WITHOUT_DOCSTRING = {"CONFIRM", "Range", "Shape"}
"""Values and types that have no docstring of their own."""


def names_there(module: ModuleType) -> set[str]:
    """What a module holds for its users: what a face imports, what any other module defines."""
    here = module.__name__.rpartition(".")[2]
    imported = set(_imported(module))
    # Options and errors define what they offer, and import other things for their own use.
    if here not in ("options", "errors"):
        return imported
    return {
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__.endswith((f".{here}", ".recipe"))
    }


def _imported(module: ModuleType) -> Iterator[str]:
    """All names that a module imports of this package, also those that it loads on first use."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield from (alias.asname or alias.name for alias in node.names)


@pytest.mark.parametrize("name", NAMES)
def test_the_documented_names_are_those_that_are_there(name: str) -> None:
    module = importlib.import_module(name)

    assert sorted(NAMES[name].split()) == sorted(module.__all__) == sorted(names_there(module))


@pytest.mark.parametrize("name", NAMES)
def test_each_public_name_is_there_and_documented(name: str) -> None:
    module = importlib.import_module(name)
    if "__dir__" in vars(module):
        assert dir(module) == module.__all__
    for each in {*module.__all__} - WITHOUT_DOCSTRING:
        assert getattr(module, each).__doc__, each


def test_every_public_file_of_the_package_is_held_here() -> None:
    root = Path(optuna_egnas.__file__).parent
    files = {file.stem for file in root.glob("*.py")} - {"__init__", "__main__"}
    folders = {file.parent.name for file in root.glob("[a-z]*/__init__.py")} - {"evaluation"}

    assert {f"optuna_egnas.{each}" for each in files | folders} == {*NAMES} - {"optuna_egnas"}


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    for name in NAMES:
        with pytest.raises(AttributeError, match="no_such_name"):
            _ = importlib.import_module(name).no_such_name


def test_every_error_is_one_of_ours() -> None:
    leaves = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    ours = (optuna_egnas.EgnasError, errors.EgnasWarning)
    assert all(issubclass(kind, ours) for kind in leaves)
    for kind in leaves:
        assert kind.__name__ in str(errors.__doc__), "the tree in the docstring names each"


def test_examples_use_public_names_only() -> None:
    folder = Path(__file__).parents[1] / "examples"
    files = [*folder.glob("*.py"), *folder.glob("*.ipynb")]

    assert len(files) > 5
    private = re.compile(r"optuna_egnas\.(?:\w+\.)*_")
    assert [file.name for file in files if private.search(file.read_text("utf-8"))] == []
