"""The chain network: its geometry, its closed-form cost, and where its weights come from."""

import random

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from optuna_egnas import Architecture, Operation
from optuna_egnas._methods.egnas.cost import count_macs, count_params
from optuna_egnas._methods.egnas.network import ChainNetwork, convolution, separable
from optuna_egnas._methods.egnas.operations import OPERATIONS
from optuna_egnas.errors import InvalidSpace
from optuna_egnas.networks import build


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Where other processes take the cores, two threads have been 100 times as slow as one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def built(architecture, *, input_shape=(1, 8, 8), classes=10, seed=0):
    return build(architecture, input_shape=input_shape, classes=classes, generator=seeded(seed))


def counted(network, input_shape):
    """Parameters, and torch's own count of multiply-accumulates for one image."""
    with FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, *input_shape))
    params = sum(parameter.numel() for parameter in network.parameters())
    return params, counter.get_total_flops() / 2


def drawn_task(seed):
    draw = random.Random(seed)
    depth = draw.randint(1, 20)
    architecture = Architecture(
        width=draw.randint(1, 24),
        ops=tuple(draw.choice(("sep", "conv")) for _ in range(depth)),
        kernels=tuple(draw.choice((3, 5, 7)) for _ in range(depth)),
    )
    input_shape = (draw.choice((1, 3)), draw.randint(5, 33), draw.randint(5, 33))
    return architecture, input_shape, draw.randint(2, 100)


@pytest.mark.parametrize("seed", range(80))
def test_closed_form_cost_equals_torch(seed):
    architecture, input_shape, classes = drawn_task(seed)
    network = built(architecture, input_shape=input_shape, classes=classes)

    params, macs = counted(network, input_shape)

    assert params == count_params(architecture, input_shape, classes)
    assert macs == count_macs(architecture, input_shape, classes)


def test_modules_are_those_of_the_rules_in_their_order():
    architecture = Architecture(width=4, ops=("sep", "conv", "sep"), kernels=(3, 5, 7))

    network = built(architecture, input_shape=(3, 9, 9))

    found = [module for module in network.modules() if not [*module.children()]]
    convolutions = [module for module in found if isinstance(module, nn.Conv2d)]
    assert [type(module).__name__ for module in found] == [
        *("Conv2d", "BatchNorm2d"),
        *("ReLU", "DepthwiseConv2d", "Conv2d", "BatchNorm2d"),
        *("ReLU", "Conv2d", "BatchNorm2d"),
        *("ReLU", "DepthwiseConv2d", "Conv2d", "BatchNorm2d"),
        "Linear",
    ]
    assert [
        (conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0], conv.groups)
        for conv in convolutions
    ] == [
        (3, 8, 3, 1, 1),
        (8, 8, 3, 1, 8),
        (8, 4, 1, 1, 1),
        (4, 8, 5, 2, 1),
        (8, 8, 7, 2, 8),
        (8, 16, 1, 1, 1),
    ]
    assert all(conv.bias is None for conv in convolutions)
    assert network.head.bias is not None


def test_head_sees_the_mean_of_normalised_features():
    network = built(Architecture.chain(depth=3, width=4)).eval()
    images = torch.randn(16, 1, 8, 8, generator=seeded(1))
    features = network.layers(network.stem(images))

    logits = network(images)

    assert (features < 0).any(), "no ReLU after the last norm"
    assert torch.allclose(logits, network.head(features.mean((2, 3))))


@pytest.mark.parametrize("depth", [1, 2, 3, 20])
@pytest.mark.parametrize("input_shape", [(1, 1, 1), (1, 8, 8), (3, 7, 12)])
def test_logits_have_one_column_per_class(depth, input_shape):
    architecture = Architecture.chain(depth=depth, width=2)

    network = built(architecture, input_shape=input_shape, classes=7)

    assert network(torch.zeros(3, *input_shape)).shape == (3, 7)


@pytest.mark.parametrize("factory", [separable, convolution])
@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [1, 7, 8])
def test_operations_shrink_by_their_stride_alone(factory, kernel, stride, side):
    found = factory(6, 5, kernel, stride)(torch.zeros(2, 6, side, side))

    shrunk = (side - 1) // stride + 1
    assert found.shape == (2, 5, shrunk, shrunk)


def doubled(inputs, outputs, kernel, stride):
    """An operation of somebody else: a depthwise, then a full convolution."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, kernel, stride, kernel // 2, groups=inputs, bias=False),
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, bias=False),
    )


def parametric(inputs, outputs, kernel, stride):
    return nn.Sequential(convolution(inputs, outputs, kernel, stride), nn.PReLU())


def test_an_operation_of_somebody_else_is_one_entry(monkeypatch):
    entry = Operation(
        name="doubled",
        weights=lambda p, c, k: p * k * k + p * c * k * k,
        module=f"{__name__}:doubled",
    )
    monkeypatch.setitem(OPERATIONS, "doubled", entry)
    architecture = Architecture(width=3, ops=("sep", "doubled", "doubled"), kernels=(3, 5, 3))

    network = built(architecture, input_shape=(3, 11, 8))

    assert counted(network, (3, 11, 8)) == (
        count_params(architecture, (3, 11, 8), 10),
        count_macs(architecture, (3, 11, 8), 10),
    )


def test_parameters_of_an_unknown_kind_are_refused(monkeypatch):
    entry = Operation(
        name="parametric", weights=lambda p, c, k: 0, module=f"{__name__}:parametric"
    )
    monkeypatch.setitem(OPERATIONS, "parametric", entry)

    with pytest.raises(InvalidSpace, match=r"must be in Conv2d, .*, but got some in PReLU\."):
        built(Architecture.chain(depth=2, width=2, op="parametric"))


def same(first, second):
    return all(
        torch.equal(left, right)
        for left, right in zip(
            first.state_dict().values(), second.state_dict().values(), strict=True
        )
    )


def test_weights_come_from_the_generator_alone():
    architecture = Architecture(width=4, ops=("sep", "conv"), kernels=(3, 5))
    torch.manual_seed(1)
    first = built(architecture, seed=7)
    torch.manual_seed(2)
    state = torch.get_rng_state()

    second, other = built(architecture, seed=7), built(architecture, seed=8)

    assert same(first, second)
    assert not same(first, other)
    assert torch.equal(torch.get_rng_state(), state), "the global generator stays where it was"


def test_weights_are_those_that_torch_itself_would_draw():
    architecture = Architecture(width=4, ops=("sep", "conv", "sep"), kernels=(3, 5, 7))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        expected = ChainNetwork(architecture, input_shape=(3, 8, 8), classes=5)

    found = built(architecture, input_shape=(3, 8, 8), classes=5, seed=7)

    assert same(found, expected)
    assert all(parameter.requires_grad for parameter in found.parameters())
