"""Batches from a uint8 tensor of images, augmented and normalised on their own device.

All random numbers of an epoch are drawn at once, on the CPU, so that every device sees the same
images in the same order.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample

if TYPE_CHECKING:
    from ..._core.recipe import Recipe


STEPS = 1000
"""So finely are angles and changes of brightness drawn."""


class ChannelStatistics(NamedTuple):
    """Mean and standard deviation of each channel, float [C, 1, 1] in units of uint8 pixels."""

    mean: Tensor
    std: Tensor


def channel_statistics(images: Tensor) -> ChannelStatistics:
    """Mean and deviation of uint8 images [N, C, H, W], the deviation 1 if constant."""
    # Counts of the 256 levels are exact, equal on all devices, and need no float copy.
    counts = [torch.bincount(channel.flatten(), minlength=256) for channel in images.unbind(1)]
    weights = torch.stack(counts).cpu().double() / images[:, 0].numel()
    levels = torch.arange(256, dtype=torch.float64)
    mean = (weights * levels).sum(1, keepdim=True)
    std = (weights * (levels - mean).square()).sum(1, keepdim=True).sqrt()
    std = torch.where(weights.amax(1, keepdim=True) == 1, 1.0, std)
    return ChannelStatistics(
        *(values.float().unsqueeze(2).to(images.device) for values in (mean, std))
    )


def normalised(images: Tensor, statistics: ChannelStatistics) -> Tensor:
    """Uint8 images [N, C, H, W] as floats of mean 0 and deviation 1, ready for a network."""
    values = (images.float() - statistics.mean) / statistics.std
    # A copy always, since images of one channel count as contiguous in any layout, while
    # convolutions take their strides for the layout in which all that follows is calculated.
    return values.clone(memory_format=memory_format(images.device))


def drawn_for(recipe: Recipe) -> int:
    """The random numbers that are drawn for each image of an epoch, see `draw_epoch`."""
    return 8 if recipe.turn or recipe.brightness else 6


def draw_epoch(shape: torch.Size, recipe: Recipe, generator: Generator) -> Tensor:
    """All random numbers of an epoch over images of shape [N, C, H, W], in one int64 [N, 6 or 8].

    A row: the image's index; rows and columns by which its crop lies below and to the right of
    it (negative: above, left); 1 if it is flipped; row and column of the centre of its cutout.
    Where the recipe turns images or changes their brightness, two numbers more from -`STEPS` to
    `STEPS`, which stand for the whole angle and the whole change, either way.
    """
    count, _, height, width = shape
    padding = recipe.crop_padding

    def integers(low: int, high: int) -> Tensor:
        return torch.randint(low, high + 1, (count,), generator=generator)

    columns = [
        torch.randperm(count, generator=generator),
        integers(-padding, padding),
        integers(-padding, padding),
        integers(0, int(recipe.flip)),
        integers(0, height - 1),
        integers(0, width - 1),
    ]
    if drawn_for(recipe) > len(columns):
        columns += [integers(-STEPS, STEPS), integers(-STEPS, STEPS)]
    return torch.stack(columns, dim=1)


def augmented(
    images: Tensor, draws: Tensor, recipe: Recipe, statistics: ChannelStatistics
) -> Tensor:
    """The drawn ones of uint8 images [N, C, H, W]: cropped, flipped, turned, normalised, cut out.

    `draws` are rows of `draw_epoch`, on the images' device; returns floats [B, C, H, W].
    What lies outside of an image has pixels 0 before normalisation; the cutout has 0 after it,
    which is the mean of the training images.
    """
    height, width = images.shape[2:]
    index, down, right, flip, centre_row, centre_column = draws[:, :6].unsqueeze(2).unbind(1)
    y = torch.arange(height, device=images.device)
    x = torch.arange(width, device=images.device)
    rows = down + y
    columns = right + torch.where(flip == 1, x.flip(0), x)
    # Channels last: then a pixel is found once, not once per channel.
    pixels = images.permute(0, 2, 3, 1)[
        index.unsqueeze(2),
        rows.clamp(0, height - 1).unsqueeze(2),
        columns.clamp(0, width - 1).unsqueeze(1),
    ].permute(0, 3, 1, 2)
    inside = _rectangle((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
    cut = _rectangle(
        _in_cutout(y, centre_row, recipe.cutout), _in_cutout(x, centre_column, recipe.cutout)
    )
    pixels = pixels * inside
    if recipe.turn:
        pixels = _turned(pixels, draws[:, 6] * (math.radians(recipe.turn) / STEPS))
    if recipe.brightness:
        pixels = pixels * (1 + draws[:, 7] * (recipe.brightness / STEPS))[:, None, None, None]
        pixels = pixels.clamp(0, 255)
    return normalised(pixels, statistics).masked_fill_(cut, 0)


def _turned(pixels: Tensor, angles: Tensor) -> Tensor:
    """Images [B, C, H, W] turned about their centres by angles [B] in radians, bilinearly."""
    height, width = pixels.shape[2:]
    cosine, sine, nought = angles.cos(), angles.sin(), torch.zeros_like(angles)
    rows = (cosine, -sine * height / width, nought), (sine * width / height, cosine, nought)
    matrices = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
    grid = affine_grid(matrices, [*pixels.shape], align_corners=False)
    return grid_sample(pixels.float(), grid, align_corners=False)


def _rectangle(rows: Tensor, columns: Tensor) -> Tensor:
    """Combine rows bool [B, H] and columns [B, W] to a mask [B, 1, H, W]."""
    return rows[:, None, :, None] & columns[:, None, None, :]


def _in_cutout(positions: Tensor, centres: Tensor, side: int) -> Tensor:
    offsets = positions - centres + side // 2
    return (offsets >= 0) & (offsets < side)


def memory_format(device: torch.device) -> torch.memory_format:
    """The layout of images and weights in which convolutions are fastest."""
    # Measured on CPUs only: 1.2 to 2 times as fast there, at 8 x 8 and at 28 x 28 pixels.
    return torch.channels_last if device.type == "cpu" else torch.contiguous_format
