from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from walking import macro, micro

from optuna_egnas import Architecture
from optuna_egnas._core.parameters import decode, encode, ranges
from optuna_egnas._methods.egnas.encoding import Names
from optuna_egnas.errors import InvalidSpace
from optuna_egnas.methods import Candidate

LAYERS = st.lists(
    st.tuples(st.sampled_from(("sep", "conv")), st.sampled_from((3, 5))), min_size=3, max_size=3
)


@given(width=st.integers(1, 8), layers=LAYERS, epochs=st.integers(1, 9))
def test_a_micro_candidate_reads_back_from_its_parameters(
    width: int, layers: list[tuple[str, int]], epochs: int
) -> None:
    space = micro(confirm_epochs=9)
    ops, kernels = zip(*layers, strict=True)
    architecture = Architecture(width=width, ops=ops, kernels=kernels)
    candidate = Candidate(architecture=architecture, epochs=epochs)

    params = encode(candidate, space, Names(), linked=True)

    assert decode(params, space) == candidate
    allowed = ranges(space, Names(), linked=True)
    assert params.keys() == allowed.keys()
    assert all(params[name] in allowed[name] for name in params)


def test_parameters_are_flat_and_named_as_the_dashboard_shows_them() -> None:
    candidate = Candidate(architecture=Architecture.chain(depth=3, width=8), epochs=2)

    assert encode(candidate, micro(), Names(), linked=True) == {
        "depth": 3,
        "width": 8,
        "op_00": "sep",
        "kernel_00": 3,
        "op_01": "sep",
        "kernel_01": 3,
        "op_02": "sep",
        "kernel_02": 3,
        "epochs": 2,
    }
    names = Names(depth="n_layers", width="units")
    assert encode(candidate, macro(), names, linked=False) == {"n_layers": 3, "units": 8}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"depth": 3},
        {"depth": 3, "width": 0},
        {"depth": 3, "width": "wide"},
        {"x": 1.0},
    ],
)
def test_parameters_that_spell_no_network_say_nothing(params: dict[str, object]) -> None:
    assert decode(params, macro()) is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"op": "op"}, "`op` must hold a place for the layer's index"),
        ({"depth": "width"}, "Parameter names must differ"),
        ({"width": "epochs"}, "Parameter names must differ"),
    ],
)
def test_names_that_cannot_work_are_refused(names: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSpace, match=message):
        Names(**names)
