"""Options from Python are checked as those of the command line are."""

from __future__ import annotations

from typing import Any

import pytest

from optuna_egnas import EgnasError
from optuna_egnas.options import SearchOptions

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "seed too large": (
        {"seed": 2**70},
        "`seed` must be at most 9,223,372,036,854,775,807, but got seed=1",
    ),
    "seed below 0": ({"seed": -1}, "`seed` must be at least 0, but got seed=-1"),
    "seed as text": ({"seed": "7"}, "`seed` must be a whole number, but got seed='7'"),
    "subset as text": ({"subset": "x"}, "`subset` must be a whole number, but got subset='x'"),
    "fraction": ({"valid_fraction": None}, "`valid_fraction` must be a number, but got"),
    "macro": ({"macro": 5}, "`macro` must be a Mapping, but got macro=5"),
    "recipe": ({"recipe": ["a"]}, "`recipe` must be a Mapping, but got"),
    "data": ({"data": {"root": "x"}}, "`data` must be a DataOptions, but got"),
    "profile": ({"profile": "fast"}, "`profile` must be one of full, quick, but got 'fast'"),
    "seed of thousands of digits": ({"seed": 16**5000}, "but got seed=<int too large to show>"),
    "seed below 0, the same": ({"seed": -(16**5000)}, "but got seed=<int too large to show>"),
    "a list": ({"profile": ["quick"]}, "`profile` must be text, but got"),
    "for ever": ({"time_limit": 1e300}, "`time_limit` must be at most 1,000,000,000, but got"),
    "true": ({"seed": True}, "`seed` must be a whole number, but got seed=True"),
    "rate": ({"recipe": {"learning_rate": "x"}}, "`learning_rate` of `recipe` must be a number"),
    "padding": (
        {"recipe": {"crop_padding": 10**9}},
        "`crop_padding` must be at least 0, at most 65536",
    ),
    "depth": ({"macro": {"min_depth": 2.5}}, "`min_depth` of `macro` must be a whole number"),
    "precision": ({"precision": 16}, "`precision` must be text, but got precision=16"),
    "field": ({"micro": {"depht": 3}}, "fields of MicroSpace only, but got 'depht'"),
}


@pytest.mark.parametrize("row", BAD)
def test_a_value_of_the_wrong_kind_is_refused_at_birth(row: str) -> None:
    values, said = BAD[row]

    with pytest.raises(EgnasError, match=said.replace("[", r"\[")):
        SearchOptions(**values)


def test_the_largest_seed_is_taken() -> None:
    assert SearchOptions(seed=2**63 - 1).seed == 2**63 - 1
