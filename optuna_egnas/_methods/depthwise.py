"""A depthwise convolution whose gradients take fast paths on CPUs.

In the oneDNN of torch 2.14 some do not. In bfloat16 the input gradient with a stride takes 30 to
200 times as long as without; a weight gradient over 3 columns wide takes 5 to 60 times as long as
one 3 wide. Here both are put together from calls that are fast:

- An input gradient is the convolution, with the mirrored kernel, of the output's gradient, spread
  out with zeros between where there is a stride. Without a stride this is faster in fp32 too.
- A weight gradient is taken in windows of few enough columns and rows.

Gradients are those of torch up to the order of sums, and equal from run to run to the bit.
"""

from __future__ import annotations

import platform
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d, pad

COLUMNS = 3
"""Columns of the widest weights whose gradient takes a fast path."""
ROWS, ROWS_WITH_STRIDE = 7, 5
"""Rows of the highest weights whose gradient takes a fast path, without and with a stride."""
MACHINES = ("x86_64", "AMD64")
"""The machines on which this was measured; on others the gradients are torch's own."""


def input_gradient(gradient: Tensor, images: Tensor, weight: Tensor, stride: int) -> Tensor:
    """The gradient of a depthwise convolution by its images [N, C, H, W].

    The weights are [C, 1, K, K], the padding is K // 2, and `gradient` is that of the output. All
    tensors are of one type.
    """
    half = weight.shape[2] // 2
    if stride > 1 and images.dtype == torch.float32:
        return _torch_gradients(gradient, images, weight, stride, half, [True, False, False])[0]
    if stride > 1:
        spread = torch.zeros_like(images)
        spread[:, :, ::stride, ::stride] = gradient
        gradient = spread
    return conv2d(gradient, weight.flip(2, 3), padding=half, groups=len(weight))


def weight_gradient(gradient: Tensor, images: Tensor, weight: Tensor, stride: int) -> Tensor:
    """The gradient of a depthwise convolution by its weights, as `input_gradient` by its
    images."""
    kernel, asked = weight.shape[2], [False, True, False]
    half = kernel // 2
    height = min(kernel, ROWS if stride == 1 else ROWS_WITH_STRIDE)
    # In fp32 windows of rows and columns gain nothing; small images cost nothing either way.
    is_two_ways = height < kernel and images.dtype == torch.float32
    if kernel <= COLUMNS or is_two_ways or min(images.shape[2:]) <= half:
        return _torch_gradients(gradient, images, weight, stride, half, asked)[1]
    whole = torch.empty_like(weight)
    for row in _starts(kernel, height):
        above, below = half - row, row + height - 1 - half
        for column in _starts(kernel, COLUMNS):
            before, after = half - column, column + COLUMNS - 1 - half
            seen = pad(images, (before, after, above, below))
            window = whole[:, :, row : row + height, column : column + COLUMNS]
            window.copy_(_torch_gradients(gradient, seen, window, stride, 0, asked)[1])
    return whole


def _torch_gradients(
    gradient: Tensor, images: Tensor, weight: Tensor, stride: int, padding: int, asked: list[bool]
) -> tuple[Tensor, Tensor, Tensor]:
    """Torch's gradients by the images, the weights and the bias, as far as they are asked for."""
    # Those in torch.nn.grad hide the layout of the images, and take slow paths too.
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        *(gradient, images, weight, None),
        *([stride] * 2, [padding] * 2, [1, 1], False, [0, 0]),
        *(len(weight), asked),
    )
    return found


def _starts(length: int, window: int) -> list[int]:
    """Yield the starts of windows that cover all positions; the last window may overlap
    another."""
    return [min(start, length - window) for start in range(0, length, window)]


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride = stride
        return conv2d(
            images, weight, stride=stride, padding=weight.shape[2] // 2, groups=len(weight)
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        images, weight = ctx.saved_tensors
        for_images, for_weight, _ = ctx.needs_input_grad
        return (
            input_gradient(gradient, images, weight, ctx.stride) if for_images else None,
            weight_gradient(gradient, images, weight, ctx.stride) if for_weight else None,
            None,
        )


class DepthwiseConv2d(nn.Conv2d):
    """One kernel x kernel convolution a channel, padding kernel // 2, without bias.

    In evaluation mode, and so in every export, it is an `nn.Conv2d` and nothing more.
    """

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__(
            channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False
        )

    def forward(self, images: Tensor) -> Tensor:
        """[N, C, H, W] to [N, C, ceil(H / stride), ceil(W / stride)]."""
        device = images.device.type
        if not self.training or device != "cpu" or platform.machine() not in MACHINES:
            return super().forward(images)
        weight = self.weight
        if torch.is_autocast_enabled(device):
            kind = torch.get_autocast_dtype(device)
            images, weight = images.to(kind), weight.to(kind)
        found: Tensor = _Depthwise.apply(images, weight, self.stride[0])
        return found
