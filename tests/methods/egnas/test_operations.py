"""Operations from outside: registered by a program, or announced by an installed package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from optuna_egnas import Architecture, Operation, register_operation
from optuna_egnas._methods.egnas.operations import OPERATIONS, operation
from optuna_egnas.errors import EgnasError


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optuna_egnas._methods.egnas.operations.OPERATIONS", dict(OPERATIONS))


def point(**changes: Any) -> Operation:
    values: dict[str, Any] = {"name": "point", "weights": lambda p, c, k: p * c, "module": "m:p"}
    return Operation(**{**values, **changes})


def test_a_registered_operation_can_stand_in_a_layer() -> None:
    with pytest.raises(EgnasError, match=r"must be one of conv, sep, but got 'point'\."):
        Architecture.chain(depth=2, width=4, op="point")

    register_operation(point())

    assert Architecture.chain(depth=2, width=4, op="point").ops == ("point", "point")


def test_the_same_may_be_registered_again_as_a_notebook_does() -> None:
    register_operation(point())
    register_operation(point())

    assert operation("point").module == "m:p"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "the name of ours": ({"name": "conv"}, "must be free, but 'conv' is that of optuna_egnas"),
    "another module": ({"module": "m:q"}, "must be free, but 'point' is that of m:p"),
    "another count": ({"weights": lambda p, c, k: p * c * k}, "must be free, but 'point' is"),
    "no name": ({"name": ""}, "must have a name and whole numbers of weights, but got ''"),
    "half a weight": ({"name": "half", "weights": lambda p, c, k: p / 2}, "'half' with [4.0, 2.0"),
    "below nought": ({"name": "less", "weights": lambda p, c, k: -p}, "'less' with [-8, -4, -3]"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_what_would_count_wrong_is_refused_and_changes_nothing(row: str) -> None:
    changes, said = REFUSED[row]
    register_operation(point())

    with pytest.raises(EgnasError) as refused:
        register_operation(point(**changes))

    assert said in str(refused.value)
    assert operation("point").module == "m:p"
    assert operation("conv").weights(2, 3, 3) == 54


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """What installing a package that announces `halves` leaves behind."""
    information = folder / "other-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    announced = "[optuna_egnas.operations]\nhalves = other_operations:HALVES\n"
    (information / "entry_points.txt").write_text(announced)
    (folder / "other_operations.py").write_text(module)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "other_operations", raising=False)


def test_an_installed_package_announces_its_operation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path,
        monkeypatch,
        "from optuna_egnas import Operation\n"
        "HALVES = Operation(name='halves', weights=lambda p, c, k: p * k, module='m:h')\n",
    )

    assert operation("halves").weights(2, 3, 5) == 10


def test_an_entry_point_that_is_no_operation_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "HALVES = 3\n")

    with pytest.raises(EgnasError, match=r"'halves' must be an Operation .*:HALVES is 3\."):
        operation("halves")
