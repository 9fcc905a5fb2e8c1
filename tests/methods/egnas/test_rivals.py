"""The chains that EGNAS names as rivals of what it has found."""

from __future__ import annotations

from typing import Any

import pytest
from walking import EGNAS

from optuna_egnas import Architecture
from optuna_egnas.methods import Space

TASK = {"input_shape": (1, 28, 28), "classes": 10, "n_valid": 1000}


def spaces(profile: str = "quick", **macro: Any) -> dict[str, Space]:
    return EGNAS.spaces(TASK, profile=profile, given={"macro": macro})


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_random_chains_have_equal_parameters(profile: str) -> None:
    found, within = Architecture.chain(depth=12, width=14), spaces(profile)
    params = within["macro"].params(found)

    (first, largest), *drawn = EGNAS.rivals(within, found, 0)

    assert first == "largest network that fits"
    assert within["macro"].params(largest) >= params
    assert [name for name, _ in drawn] == [f"random network {n}" for n in range(1, 6)]
    chains = [network for _, network in drawn]
    assert len({*chains, found}) == 6, "none is there twice"
    for chain in chains:
        assert abs(within["macro"].params(chain) - params) <= 0.03 * params
    assert {op for chain in chains for op in chain.ops} == {"sep", "conv"}
    assert {kernel for chain in chains for kernel in chain.kernels} == {3, 5}
    assert len({chain.depth for chain in chains}) > 1


def test_they_follow_from_the_seed() -> None:
    found, within = Architecture.chain(depth=12, width=14), spaces()

    assert EGNAS.rivals(within, found, 7) == EGNAS.rivals(within, found, 7)
    assert EGNAS.rivals(within, found, 7) != EGNAS.rivals(within, found, 8)


def test_limits_hold_for_all() -> None:
    within = spaces(max_params=20_000, max_macs=1_500_000)
    found = Architecture.chain(depth=9, width=8)
    assert within["macro"].fits(found)

    for _, network in EGNAS.rivals(within, found, 0):
        assert within["macro"].fits(network)


def test_a_space_of_one_network_has_no_equals() -> None:
    task = {"input_shape": (1, 8, 8), "classes": 2, "n_valid": 40}
    one = {"min_depth": 2, "max_depth": 2, "min_width": 6, "max_width": 6}
    within = EGNAS.spaces(task, profile="quick", given={"macro": one})
    found = Architecture.chain(depth=2, width=6)

    assert EGNAS.rivals(within, found, 0) == [("largest network that fits", found)]
