"""Augmentation and normalisation of images."""

import pytest
import torch
from small_trainings import samples, seeded
from torch import nn
from torch.nn.functional import pad

from optuna_egnas.evaluation.engine.augmentation import (
    STEPS,
    ChannelStatistics,
    augmented,
    channel_statistics,
    draw_epoch,
    normalised,
)
from optuna_egnas.options import Recipe

RAW = ChannelStatistics(torch.zeros(1, 1, 1), torch.ones(1, 1, 1))


def batch_of(images, recipe, *, statistics=RAW, seed=0):
    draws = draw_epoch(images.shape, recipe, seeded(seed))
    return draws, augmented(images, draws, recipe, statistics)


class TestAugmentation:
    def test_all_off_is_a_new_order_alone(self):
        images = samples(50, shape=(3, 6, 9)).images

        draws, found = batch_of(images, Recipe())

        assert not torch.equal(draws[:, 0], torch.arange(50))
        assert torch.equal(draws[:, 0].sort().values, torch.arange(50))
        assert torch.equal(found, images[draws[:, 0]].float())

    def test_normalised_alike_with_and_without(self):
        images = samples(50, shape=(3, 6, 9)).images
        statistics = channel_statistics(images)

        draws, found = batch_of(images, Recipe(), statistics=statistics)

        assert torch.equal(found, normalised(images[draws[:, 0]], statistics))

    @pytest.mark.parametrize("padding", [1, 2, 7])
    def test_crop_is_a_window_of_the_padded_image(self, padding):
        images = samples(400, shape=(3, 4, 5)).images
        padded = pad(images, (padding,) * 4).float()

        draws, found = batch_of(images, Recipe(crop_padding=padding))

        for (index, down, right, *_), image in zip(draws.tolist(), found, strict=True):
            top, left = padding + down, padding + right
            assert torch.equal(image, padded[index, :, top : top + 4, left : left + 5])
        offsets = [*range(-padding, padding + 1)]
        assert draws[:, 1].unique().tolist() == draws[:, 2].unique().tolist() == offsets

    def test_a_turn_by_a_right_angle_is_that_of_the_pixels(self):
        images = samples(20, shape=(2, 6, 6)).images
        recipe = Recipe(turn=90.0)
        draws = draw_epoch(images.shape, recipe, seeded(0))
        draws[:, 6] = STEPS

        found = augmented(images, draws, recipe, RAW)

        right = torch.rot90(images[draws[:, 0]].float(), 1, (2, 3))
        left = torch.rot90(images[draws[:, 0]].float(), -1, (2, 3))
        assert min(float((found - each).abs().max()) for each in (right, left)) < 0.01

    def test_turns_are_drawn_evenly_either_way_and_move_no_other_draw(self):
        images = samples(500, shape=(1, 8, 8)).images

        plain = draw_epoch(images.shape, Recipe(crop_padding=1), seeded(0))
        turned = draw_epoch(images.shape, Recipe(crop_padding=1, turn=10.0), seeded(0))

        assert torch.equal(turned[:, :6], plain)
        assert turned[:, 6].min() < -0.9 * STEPS and turned[:, 6].max() > 0.9 * STEPS

    def test_brightness_multiplies_whole_images(self):
        images = samples(50, shape=(1, 4, 4)).images // 4 + 20

        draws, found = batch_of(images, Recipe(brightness=0.5))

        factors = found / images[draws[:, 0]].float()
        assert torch.allclose(factors.amax((1, 2, 3)), factors.amin((1, 2, 3)), atol=1e-4)
        assert 0.5 <= factors.min() < 0.6 and 1.4 < factors.max() <= 1.5

    def test_flip_mirrors_half_of_the_crops(self):
        images = samples(2000, shape=(1, 4, 5)).images
        recipe = Recipe(crop_padding=1, flip=True)

        draws, found = batch_of(images, recipe)

        unflipped = draws.clone()
        unflipped[:, 3] = 0
        crops = augmented(images, unflipped, recipe, RAW)
        flipped = draws[:, 3] == 1
        assert 0.45 < flipped.float().mean() < 0.55
        assert torch.equal(found[flipped], crops[flipped].flip(3))
        assert torch.equal(found[~flipped], crops[~flipped])

    @pytest.mark.parametrize("side", [1, 2, 3, 6])
    def test_cutout_is_a_square_cut_by_the_border(self, side):
        images = torch.full((500, 2, 6, 9), 255, dtype=torch.uint8)

        _, found = batch_of(images, Recipe(cutout=side))

        cut = found == 0
        assert torch.equal(cut[:, 0], cut[:, 1]), "all channels alike"
        assert (found[~cut] == 255).all()
        rows, columns = cut[:, 0].any(2).sum(1), cut[:, 0].any(1).sum(1)
        assert torch.equal(cut[:, 0].sum((1, 2)), rows * columns), "a rectangle"
        assert rows.max() == columns.max() == side
        assert min(rows.min(), columns.min()) == (side + 1) // 2
        assert cut.any(0).all(), "it can be anywhere"

    def test_border_is_black_and_cutout_is_the_mean(self):
        images = torch.full((300, 1, 4, 4), 100, dtype=torch.uint8)
        statistics = ChannelStatistics(torch.full((1, 1, 1), 60.0), torch.full((1, 1, 1), 20.0))

        _, found = batch_of(images, Recipe(crop_padding=1, cutout=2), statistics=statistics)

        assert found.unique().tolist() == [-3.0, 0.0, 2.0]

    def test_same_order_whatever_the_augmentation(self):
        images = samples(50).images

        draws, _ = batch_of(images, Recipe())
        others, _ = batch_of(images, Recipe.for_images((1, 32, 32), flip=True))

        assert torch.equal(draws[:, 0], others[:, 0])
        assert not torch.equal(draws, others)


@pytest.mark.parametrize("channels", [1, 3])
def test_batches_lie_in_memory_as_convolutions_take_them(channels):
    """Images of one channel count as contiguous in any layout: their strides say which."""
    images = samples(6, shape=(channels, 4, 5)).images
    expected = (20 * channels, 1, 5 * channels, channels)

    _, found = batch_of(images, Recipe(crop_padding=1, cutout=2))
    convolved = nn.Conv2d(channels, 7, 3)(found)

    assert found.stride() == normalised(images, RAW).stride() == expected
    assert convolved.is_contiguous(memory_format=torch.channels_last)


class TestStatistics:
    def test_equal_those_of_floats(self):
        images = samples(40, shape=(3, 5, 6)).images

        mean, std = channel_statistics(images)

        floats = images.double().transpose(0, 1).reshape(3, -1)
        assert torch.allclose(mean.double().flatten(), floats.mean(1), rtol=1e-6)
        assert torch.allclose(std.double().flatten(), floats.std(1, unbiased=False), rtol=1e-6)
        values = normalised(images, ChannelStatistics(mean, std))
        assert values.mean((0, 2, 3)).abs().max() < 1e-6

    def test_a_constant_channel_becomes_zero(self):
        images = samples(10, shape=(2, 4, 4)).images
        images[:, 1] = 77

        values = normalised(images, channel_statistics(images))

        assert (values[:, 1] == 0).all() and values.isfinite().all()
