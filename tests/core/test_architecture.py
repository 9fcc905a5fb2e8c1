from __future__ import annotations

import re

import pytest

from optuna_egnas import Architecture
from optuna_egnas.errors import InvalidSpace


def test_layers_double_their_width_and_halve_the_image_at_a_third_and_two_thirds() -> None:
    layers = Architecture.chain(depth=7, width=8).layers()

    assert [layer.stride for layer in layers] == [1, 1, 2, 1, 2, 1, 1]
    assert [layer.outputs for layer in layers] == [8, 8, 16, 16, 32, 32, 32]
    assert [layer.inputs for layer in layers] == [16, 8, 8, 16, 16, 32, 32]


@pytest.mark.parametrize("depth", [1, 2])
def test_shallow_chains_reduce_where_their_thirds_are(depth: int) -> None:
    layers = Architecture.chain(depth=depth, width=4).layers()

    assert [layer.stride for layer in layers] == [2] * depth


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 0}, "`width` must be at least 1, but got width=0."),
        ({"ops": (), "kernels": ()}, "must have at least one layer, but got depth=0."),
        ({"kernels": (3,)}, "one entry per operation (2), but got 1."),
        ({"ops": ("sep", "pool")}, "must be one of conv, sep, but got 'pool'."),
        ({"kernels": (3, 4)}, "must be odd, 1 to 255, but got 4."),
    ],
)
def test_impossible_networks_are_refused(values: dict[str, object], message: str) -> None:
    fields: dict[str, object] = {"width": 4, "ops": ("sep", "sep"), "kernels": (3, 3), **values}

    with pytest.raises(InvalidSpace, match=re.escape(message)):
        Architecture(**fields)  # type: ignore[arg-type]


def test_json_reads_back_as_the_same_network() -> None:
    architecture = Architecture(width=5, ops=("sep", "conv"), kernels=(5, 3))

    assert Architecture.from_json(architecture.to_json()) == architecture
