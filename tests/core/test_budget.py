"""Budgets: by the attempt counter, by the network alone, or the same for all."""

from __future__ import annotations

from typing import Any

import pytest

from optuna_egnas import Architecture, Budget
from optuna_egnas._core.budget import (
    REFERENCE,
    Policy,
    Size,
    budget_for,
    cost_epochs,
)
from optuna_egnas._methods.egnas.cost import count_macs, count_params
from optuna_egnas.errors import InvalidSpace

BASE = Budget(epochs=10, learning_rate=0.1, batch_size=32)


def size_of(depth: int, width: int) -> Size:
    network, shape = Architecture.chain(depth=depth, width=width), (3, 32, 32)
    return Size(
        depth=depth, params=count_params(network, shape, 10), macs=count_macs(network, shape, 10)
    )


def epochs_of(size: Size, base: int = 10) -> int:
    return cost_epochs(depth=size.depth, params=size.params, macs=size.macs, base=base)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "`epochs` must be a whole number of at least 1, but got epochs=0"),
        ({"epochs": 2.5}, "`epochs` must be a whole number"),
        ({"epochs": True}, "`epochs` must be a whole number"),
        ({"epochs": 1, "batch_size": 0}, "`batch_size` must be a whole number of at least 1"),
        ({"epochs": 1, "learning_rate": 0.0}, "`learning_rate` must be above 0"),
        ({"epochs": 1, "learning_rate": float("nan")}, "`learning_rate` must be above 0"),
    ],
)
def test_a_budget_out_of_its_bounds_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSpace, match=message):
        Budget(**wrong)


def test_the_reference_is_the_first_published_network() -> None:
    assert size_of(10, 64) == REFERENCE
    assert epochs_of(REFERENCE, base=7) == 7


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        (size_of(10, 64), size_of(20, 64)),  # deeper ones learn slower
        (size_of(20, 64), size_of(20, 40)),  # and narrower ones too
    ],
)
def test_who_needs_longer_gets_longer(smaller: Size, larger: Size) -> None:
    assert epochs_of(smaller) < epochs_of(larger)


def test_the_base_scales_all_and_never_to_nothing() -> None:
    assert epochs_of(size_of(20, 64), base=100) == pytest.approx(
        10 * epochs_of(size_of(20, 64)), abs=5
    )
    assert epochs_of(Size(depth=1, params=10**9, macs=10**12), base=1) == 1


def test_a_space_may_have_its_own_reference() -> None:
    own = size_of(3, 8)
    epochs = cost_epochs(depth=own.depth, params=own.params, macs=own.macs, base=4, reference=own)
    assert epochs == 4


@pytest.mark.parametrize("wrong", ["depth", "params", "macs", "base"])
def test_a_cost_below_one_is_refused(wrong: str) -> None:
    given = {"depth": 3, "params": 100, "macs": 100, "base": 2, wrong: 0}
    with pytest.raises(InvalidSpace, match=f"`{wrong}` must be at least 1, but got {wrong}=0"):
        cost_epochs(**given)


@pytest.mark.parametrize(
    ("policy", "attempt", "size", "epochs"),
    [
        ("constant", 5, None, 10),
        ("paper", 0, None, 10),
        ("paper", 5, None, 15),
        ("cost", 0, REFERENCE, 10),
        ("cost", 5, REFERENCE, 10),  # equal networks, equal budgets
    ],
)
def test_a_policy_changes_the_epochs_alone(
    policy: Policy, attempt: int, size: Size | None, epochs: int
) -> None:
    budget = budget_for(policy, BASE, size=size, attempt=attempt)
    assert budget == Budget(epochs=epochs, learning_rate=0.1, batch_size=32)


def test_cost_without_a_size_is_refused() -> None:
    with pytest.raises(InvalidSpace, match="must know each candidate's size"):
        budget_for("cost", BASE, size=None, attempt=0)
