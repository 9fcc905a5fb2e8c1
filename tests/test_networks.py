"""The networks of EGNAS for other samplers: from a trial to a torch module and back."""

from __future__ import annotations

import subprocess
import sys

import optuna
import pytest
import torch
from optuna.trial import FixedTrial

from optuna_egnas import Architecture, MacroSpace, MicroSpace
from optuna_egnas.errors import InvalidSpace
from optuna_egnas.networks import build, cost, from_params, suggest

TASK = {"input_shape": (1, 8, 8), "classes": 10}
MACRO = MacroSpace(min_depth=1, max_depth=4, min_width=4, max_width=8)
MICRO = MicroSpace(depth=1, width=8)


@pytest.mark.parametrize("micro", [None, MICRO])
def test_any_sampler_draws_networks_that_their_parameters_give_back(
    micro: MicroSpace | None,
) -> None:
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(sampler=sampler)
    found = []

    def objective(trial: optuna.Trial) -> float:
        found.append(suggest(trial, MACRO, micro))
        return float(cost(found[-1], input_shape=(1, 8, 8), classes=10).params)

    study.optimize(objective, n_trials=30)

    assert [from_params(trial.params) for trial in study.trials] == found
    assert {network.depth for network in found} == {1, 2, 3, 4}
    assert {op for network in found for op in network.ops} == (
        {"sep", "conv"} if micro else {"sep"}
    )


def test_names_are_those_of_a_search() -> None:
    network = Architecture(width=5, ops=("conv", "sep"), kernels=(3, 5))
    params = MicroSpace(depth=2, width=8).encode(network)

    assert suggest(FixedTrial(params), MACRO, MICRO) == from_params(params) == network


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "must hold 'depth'"),
        ({"depth": 2}, "must hold 'width'"),
        ({"depth": 2, "width": 4, "op_00": "sep", "kernel_00": 3}, "must hold 'op_01'"),
        ({"depth": "deep", "width": 4}, "must describe a network"),
        ({"depth": 1, "width": 4, "op_00": "pool", "kernel_00": 3}, "must be one of conv, sep"),
        ({"depth": 0, "width": 4}, "at least one layer"),
    ],
)
def test_parameters_without_a_network_are_refused(params: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidSpace, match=words):
        from_params(params)


def test_a_module_has_the_counted_parameters_and_its_generator_alone_draws_them() -> None:
    network = Architecture(width=5, ops=("conv", "sep"), kernels=(3, 5))
    before = torch.get_rng_state()

    first, same, other = (
        build(network, input_shape=(1, 8, 8), classes=10, generator=generator)
        for generator in (None, torch.Generator().manual_seed(0), torch.Generator().manual_seed(1))
    )

    assert torch.equal(torch.get_rng_state(), before)
    counted = sum(values.numel() for values in first.parameters())
    assert counted == cost(network, input_shape=(1, 8, 8), classes=10).params
    assert torch.equal(first.head.weight, same.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_importing_it_loads_no_torch() -> None:
    code = "import sys, optuna_egnas.networks; print('torch' in sys.modules)"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "False"
