"""The depthwise convolution: torch's values and gradients, by other calls."""

import platform

import pytest
import torch
from small_trainings import seeded
from torch import nn
from walking import EGNAS

from optuna_egnas import Architecture
from optuna_egnas._methods import depthwise as _depthwise
from optuna_egnas._methods.depthwise import DepthwiseConv2d, input_gradient, weight_gradient

OURS = pytest.mark.skipif(
    platform.machine() not in _depthwise.MACHINES, reason="torch's own gradients here"
)
SHAPES = [(3, 8, 12, 12), (2, 5, 9, 14), (3, 1, 8, 7), (2, 16, 7, 7), (2, 3, 3, 2), (2, 4, 1, 1)]


def convolution_of(channels, kernel, stride, *, kind=torch.float64):
    """Ours, and torch's own with the same weights."""
    ours = DepthwiseConv2d(channels, kernel, stride)
    plain = nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)
    with torch.no_grad():
        ours.weight.copy_(torch.randn(ours.weight.shape, generator=seeded(0)))
    plain.load_state_dict(ours.state_dict())
    return ours.to(kind), plain.to(kind)


def passed(network, shape, *, kind=torch.float64, autocast=False):
    """Values, and the gradients of the images and of the weights."""
    images = torch.randn(shape, generator=seeded(1), dtype=torch.float64).to(kind)
    images = images.clone(memory_format=torch.channels_last).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        values = network(images)
    values.backward(torch.randn(values.shape, generator=seeded(2)).to(values.dtype))
    return values.detach(), images.grad, network.weight.grad


@pytest.fixture(params=[(kernel, stride) for kernel in (1, 3, 5, 7, 9) for stride in (1, 2)])
def convolutions(request):
    return request.param


@OURS
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_torch(shape, convolutions):
    kernel, stride = convolutions
    ours, plain = convolution_of(shape[1], kernel, stride)

    for found, expected in zip(passed(ours, shape), passed(plain, shape), strict=True):
        assert found.dtype == expected.dtype
        assert torch.allclose(found, expected, rtol=1e-10, atol=1e-10)


@OURS
@pytest.mark.parametrize("shape", SHAPES)
def test_so_they_are_in_fp32(shape, convolutions):
    kernel, stride = convolutions
    ours, plain = convolution_of(shape[1], kernel, stride, kind=torch.float32)

    results = (passed(network, shape, kind=torch.float32) for network in (ours, plain))
    for found, expected in zip(*results, strict=True):
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)


# In torch 2.14 the weight gradient of a single pixel with a stride is whatever lay in memory.
@OURS
@pytest.mark.parametrize("shape", SHAPES[:-1])
def test_bfloat16_is_as_near_to_the_truth_as_that_of_torch(shape, convolutions):
    kernel, stride = convolutions
    ours, plain = convolution_of(shape[1], kernel, stride, kind=torch.float32)
    exact = passed(convolution_of(shape[1], kernel, stride)[1], shape)

    brief = passed(ours, shape, kind=torch.float32, autocast=True)
    theirs = passed(plain, shape, kind=torch.float32, autocast=True)

    for found, expected, true in zip(brief, theirs, exact, strict=True):
        assert found.dtype == expected.dtype
        error, allowed = ((one.double() - true).norm() / true.norm() for one in (found, expected))
        assert error < 1.2 * allowed + 1e-3
        assert error < 0.03


@OURS
def test_gradients_are_equal_to_the_bit_from_run_to_run(convolutions):
    kernel, stride = convolutions
    ours, _ = convolution_of(16, kernel, stride, kind=torch.float32)
    shape = (8, 16, 12, 12)

    first = [value.clone() for value in passed(ours, shape, kind=torch.float32, autocast=True)]
    ours.weight.grad = None
    second = passed(ours, shape, kind=torch.float32, autocast=True)

    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize(("length", "window"), [(3, 3), (5, 3), (7, 5), (9, 3), (1, 1), (11, 5)])
def test_windows_cover_the_whole_kernel(length, window):
    starts = _depthwise._starts(length, window)

    covered = {start + offset for start in starts for offset in range(window)}
    assert covered == {*range(length)}
    assert len(starts) == -(-length // window)


class Unlike(RuntimeError):
    """Raised where a gradient of ours is asked for."""


@pytest.fixture
def refusing(monkeypatch):
    def refuse(*_):
        raise Unlike

    monkeypatch.setattr(_depthwise, "input_gradient", refuse)
    monkeypatch.setattr(_depthwise, "weight_gradient", refuse)


@OURS
def test_in_training_it_takes_its_own_gradients(refusing):
    with pytest.raises(Unlike):
        passed(convolution_of(4, 3, 1)[0], (2, 4, 6, 6))


def test_in_evaluation_and_on_other_machines_it_is_torch_alone(refusing, monkeypatch):
    passed(convolution_of(4, 3, 1)[0].eval(), (2, 4, 6, 6))
    monkeypatch.setattr(_depthwise, "MACHINES", ())

    passed(convolution_of(4, 3, 1)[0], (2, 4, 6, 6))


@OURS
def test_only_the_gradients_that_are_needed_are_calculated(monkeypatch):
    asked = []
    for gradient in (input_gradient, weight_gradient):
        monkeypatch.setattr(
            _depthwise,
            gradient.__name__,
            lambda *given, gradient=gradient: asked.append(gradient) or gradient(*given),
        )
    ours, _ = convolution_of(4, 3, 1)

    ours(torch.zeros(2, 4, 6, 6, dtype=torch.float64)).sum().backward()

    assert asked == [weight_gradient]


def test_an_exported_network_holds_plain_convolutions():
    network = EGNAS.build(
        Architecture(width=4, ops=("sep", "sep", "conv"), kernels=(3, 5, 3)),
        input_shape=(1, 8, 8),
        classes=3,
        generator=seeded(0),
    ).eval()
    images = torch.rand(2, 1, 8, 8, generator=seeded(1))

    exported = torch.export.export(network, (images,))

    called = [str(node.target) for node in exported.graph.nodes if node.op == "call_function"]
    assert sum("conv2d" in name for name in called) == 6
    assert torch.equal(exported.module()(images), network(images))
