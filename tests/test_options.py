"""Options from Python are checked as those of the command line are."""

from __future__ import annotations

from typing import Any

import pytest

from optuna_egnas import EgnasError
from optuna_egnas.options import SearchOptions

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "seed too large": ({"seed": 2**70}, "`seed` must be 0 to 9223372036854775807, but got seed=1"),
    "seed below 0": ({"seed": -1}, "`seed` must be at least 0, but got seed=-1"),
    "seed as text": ({"seed": "7"}, "`seed` must be a whole number, but got seed='7'"),
    "subset as text": ({"subset": "x"}, "`subset` must be a whole number, but got subset='x'"),
    "fraction": ({"valid_fraction": None}, "`valid_fraction` must be a number, but got"),
    "macro": ({"macro": 5}, "`macro` must be a Mapping, but got macro=5"),
    "recipe": ({"recipe": ["a"]}, "`recipe` must be a Mapping, but got"),
    "data": ({"data": {"root": "x"}}, "`data` must be a DataOptions, but got"),
    "profile": ({"profile": "fast"}, "`profile` must be one of full, quick, but got 'fast'"),
    "field": ({"micro": {"depht": 3}}, "fields of MicroSpace only, but got 'depht'"),
}


@pytest.mark.parametrize("row", BAD)
def test_a_value_of_the_wrong_kind_is_refused_at_birth(row: str) -> None:
    values, said = BAD[row]

    with pytest.raises(EgnasError, match=said.replace("[", r"\[")):
        SearchOptions(**values)


def test_the_largest_seed_is_taken() -> None:
    assert SearchOptions(seed=2**63 - 1).seed == 2**63 - 1
