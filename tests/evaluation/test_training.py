"""The training loop: its schedule, its augmentation, its records, and what it leaves alone."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import pad
from torch.optim.optimizer import register_optimizer_step_pre_hook

from optuna_egnas._core.architecture import Architecture
from optuna_egnas.errors import DataError, EgnasError, InvalidSpace
from optuna_egnas.evaluation._augmentation import (
    ChannelStatistics,
    augmented,
    channel_statistics,
    draw_epoch,
    normalised,
)
from optuna_egnas.evaluation._data import LabelledImages
from optuna_egnas.evaluation._network import build
from optuna_egnas.evaluation._training import (
    VALIDATION_BATCH,
    EpochRecord,
    NonFiniteLoss,
    Recipe,
    candidate_seed,
    cosine_rate,
    count_correct,
    train,
)

RAW = ChannelStatistics(torch.zeros(1, 1, 1), torch.ones(1, 1, 1))
SMALL = Architecture.chain(depth=2, width=2)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Where other processes take the cores, two threads have been 100 times as slow as one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def samples(count, *, seed=0, shape=(1, 8, 8)):
    """Random images of ten classes."""
    generator = seeded(seed)
    return LabelledImages(
        images=torch.randint(256, (count, *shape), generator=generator, dtype=torch.uint8),
        labels=torch.randint(10, (count,), generator=generator),
    )


def network_of(architecture, *, seed=0, channels=1):
    return build(architecture, input_shape=(channels, 8, 8), classes=10, generator=seeded(seed))


def trained(network, training, validation, *, epochs=1, recipe=None, seed=0, device="cpu"):
    return train(
        network,
        training,
        validation,
        epochs=epochs,
        recipe=recipe or Recipe(),
        seed=seed,
        device=device,
    )


def copy_of(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(first, second):
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


@contextmanager
def watched_steps(look) -> Iterator[list]:
    """Collects what `look(optimizer)` returns just before each step."""
    seen = []
    handle = register_optimizer_step_pre_hook(lambda optim, *_: seen.append(look(optim)))
    try:
        yield seen
    finally:
        handle.remove()


@pytest.fixture(scope="module")
def digits():
    """1150 digits to train on and 287 to validate on."""
    content = load_digits()
    images = torch.from_numpy(content.images).mul(255 / 16).round().to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(content.target).long()
    order = torch.randperm(len(labels), generator=seeded(0))
    training, validation = order[:1150], order[1150:1437]
    return (
        LabelledImages(images=images[training], labels=labels[training]),
        LabelledImages(images=images[validation], labels=labels[validation]),
    )


class TestRecipe:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"learning_rate": 0.0}, "`learning_rate` must be above 0 and finite, but got .*=0.0"),
            ({"learning_rate": math.nan}, "`learning_rate` must be above 0"),
            ({"gradient_clip": math.inf}, "`gradient_clip` must be above 0 and finite"),
            ({"weight_decay": -1e-4}, "`weight_decay` must be at least 0"),
            ({"momentum": 1.0}, "`momentum` must be at least 0 and below 1, but got momentum=1.0"),
            ({"momentum": -0.1}, "`momentum` must be at least 0"),
            ({"batch_size": 1}, "`batch_size` must be at least 2, but got batch_size=1"),
            ({"crop_padding": -1}, "`crop_padding` must be at least 0"),
            ({"cutout": -1}, "`cutout` must be at least 0"),
        ],
    )
    def test_bounds(self, changes, words):
        with pytest.raises(InvalidSpace, match=words):
            Recipe(**changes)

    @pytest.mark.parametrize(
        ("input_shape", "crop_padding", "cutout"),
        [
            ((3, 32, 32), 4, 16),
            ((1, 28, 28), 4, 14),
            ((3, 64, 96), 8, 32),
            ((1, 16, 16), 2, 8),
            ((1, 8, 8), 0, 0),
        ],
    )
    def test_augmentation_grows_with_the_images(self, input_shape, crop_padding, cutout):
        recipe = Recipe.for_images(input_shape, flip=True)

        assert (recipe.crop_padding, recipe.cutout, recipe.flip) == (crop_padding, cutout, True)
        assert replace(recipe, crop_padding=0, cutout=0, flip=False) == Recipe()

    def test_json_holds_every_field(self):
        recipe = Recipe.for_images((3, 32, 32), flip=True)

        assert Recipe(**json.loads(json.dumps(recipe.to_json()))) == recipe


class TestSeed:
    @pytest.mark.parametrize(
        ("arguments", "seed"),
        [
            ((0, SMALL, 2, 0), 7124701156277711641),
            ((1, SMALL, 2, 0), 7797084943261741628),
            ((0, replace(SMALL, kernels=(3, 5)), 2, 0), 5407332645510850304),
            ((0, SMALL, 3, 0), 7430881650594800741),
            ((0, SMALL, 2, 1), 7878721207173708582),
        ],
    )
    def test_is_the_same_for_ever(self, arguments, seed):
        assert candidate_seed(*arguments) == seed

    def test_is_one_that_torch_takes(self):
        seeds = {candidate_seed(0, SMALL, 2, replicate) for replicate in range(200)}

        assert len(seeds) == 200
        assert min(seeds) >= 0 and max(seeds) < 2**63
        assert max(seeds) > 2**62, "all bits are used"


class TestSchedule:
    @pytest.mark.parametrize(
        ("step", "rate"), [(0, 0.4), (1, 0.2 + 0.1 * math.sqrt(2)), (2, 0.2), (4, 0.0)]
    )
    def test_half_a_cosine(self, step, rate):
        assert cosine_rate(0.4, step, 4) == pytest.approx(rate, abs=1e-15)

    def test_every_step_learns_and_the_end_is_zero(self):
        recipe = Recipe(batch_size=8)
        with watched_steps(lambda optimizer: optimizer.param_groups[0]["lr"]) as rates:
            records = [
                *trained(network_of(SMALL), samples(20), samples(4), epochs=4, recipe=recipe)
            ]

        assert rates == [cosine_rate(0.025, step, 12) for step in range(12)]
        assert rates == sorted(rates, reverse=True) and rates[-1] > 0
        assert [record.learning_rate for record in records] == [*rates[3::3], 0.0]

    def test_published_optimizer(self):
        with watched_steps(lambda optimizer: dict(optimizer.param_groups[0])) as groups:
            [*trained(network_of(SMALL), samples(20), samples(4))]

        assert (groups[0]["momentum"], groups[0]["weight_decay"]) == (0.9, 3e-4)
        assert len(groups[0]["params"]) == len([*network_of(SMALL).parameters()])

    @pytest.mark.parametrize(("clip", "clipped"), [(0.01, True), (1e6, False)])
    def test_gradients_are_clipped_together(self, clip, clipped):
        def norm(optimizer):
            gradients = [value.grad.norm() for value in optimizer.param_groups[0]["params"]]
            return torch.stack(gradients).norm().item()

        with watched_steps(norm) as norms:
            [
                *trained(
                    network_of(SMALL), samples(64), samples(4), recipe=Recipe(gradient_clip=clip)
                )
            ]

        assert (norms[0] == pytest.approx(0.01, rel=1e-3)) is clipped
        assert norms[0] > 0


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


class TestTrain:
    def test_learns_digits(self, digits):
        recipe = Recipe.for_images((1, 8, 8), flip=False)
        network = network_of(Architecture.chain(depth=4, width=8))

        records = [*trained(network, *digits, epochs=6, recipe=recipe)]

        assert records[-1].valid_accuracy > 0.85
        assert records[-1].train_loss < records[0].train_loss / 2

    def test_learns_augmented_digits(self, digits):
        recipe = Recipe(crop_padding=1, cutout=2)
        network = network_of(Architecture.chain(depth=4, width=8))

        records = [*trained(network, *digits, epochs=8, recipe=recipe)]

        assert records[-1].valid_accuracy > 0.6

    def test_a_short_training_is_validated_by_what_it_learnt(self, digits):
        """With torch's moving averages alone this network is validated at 10 %."""
        network = network_of(Architecture.chain(depth=12, width=16))

        *_, last = trained(network, *digits, epochs=2)

        assert last.train_accuracy > 0.6
        assert last.valid_accuracy > last.train_accuracy - 0.15

    def test_records(self):
        training, validation = samples(20), samples(30, seed=1)
        network = network_of(SMALL)

        records = [*trained(network, training, validation, epochs=3)]

        assert [record.epoch for record in records] == [1, 2, 3]
        assert {(record.n_train, record.n_valid) for record in records} == {(20, 30)}
        assert all(record.seconds > 0 and record.train_loss > 0 for record in records)
        assert records[0].train_loss == pytest.approx(math.log(10), rel=0.3)
        statistics = channel_statistics(training.images)
        found = count_correct(network, validation.images, validation.labels, statistics)
        assert records[-1].valid_correct == found, "the network holds the last weights"

    def test_accuracies_are_fractions(self):
        record = EpochRecord(
            epoch=1,
            train_loss=0.1,
            train_correct=3,
            n_train=4,
            valid_correct=1,
            n_valid=8,
            learning_rate=0.0,
            seconds=1.0,
        )

        assert (record.train_accuracy, record.valid_accuracy) == (0.75, 0.125)

    def test_every_image_is_learnt_once_an_epoch(self):
        """Images of one level each: the network sees which ones come."""
        training = samples(20)
        training.images[:] = torch.arange(20, dtype=torch.uint8)[:, None, None, None]
        network, seen = network_of(SMALL), []
        network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, 0, 0, 0]))

        [*trained(network, training, samples(3), recipe=Recipe(batch_size=8))]

        assert [len(batch) for batch in seen] == [8, 8, 4, 3]
        statistics = channel_statistics(training.images)
        expected = normalised(training.images, statistics)[:, 0, 0, 0]
        assert torch.equal(torch.cat(seen[:3]).sort().values, expected)

    def test_every_epoch_has_another_order(self):
        training, batches = samples(20), []
        network = network_of(SMALL)
        network.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0]))

        [*trained(network, training, samples(3), epochs=2)]

        first, _, second, _ = batches
        assert first.shape == second.shape == training.images.shape
        assert not torch.equal(first, second)

    def test_validation_is_normalised_like_the_training(self):
        training, validation = samples(20), samples(3, seed=1)
        validation.images[:] //= 4
        network, batches = network_of(SMALL), []
        network.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0]))

        [*trained(network, training, validation)]

        statistics = channel_statistics(training.images)
        assert torch.equal(batches[-1], normalised(validation.images, statistics))

    def test_every_epoch_trains_in_training_mode(self):
        network, modes = network_of(SMALL), []
        network.register_forward_pre_hook(lambda module, _: modes.append(module.training))

        [*trained(network, samples(20), samples(3), epochs=2)]

        assert modes == [True, False, True, False]

    @pytest.mark.parametrize(
        ("count", "batch_size", "n_train"),
        [(17, 8, 16), (16, 8, 16), (18, 8, 18), (5, 8, 5), (3, 2, 2), (2, 64, 2)],
    )
    def test_a_last_batch_of_one_image_is_left_out(self, count, batch_size, n_train):
        recipe = Recipe(batch_size=batch_size)

        (record,) = trained(network_of(SMALL), samples(count), samples(3), recipe=recipe)

        assert record.n_train == n_train
        assert record.learning_rate == 0

    @pytest.mark.parametrize("epoch", [1, 2])
    def test_a_loss_that_is_not_finite_ends_it(self, epoch):
        network = network_of(SMALL)
        records = trained(network, samples(20), samples(3), epochs=3)
        for _ in range(1, epoch):
            next(records)
        with torch.no_grad():
            network.head.bias.fill_(math.nan)

        with pytest.raises(
            NonFiniteLoss, match=rf"must stay finite, but got nan in epoch {epoch}\."
        ):
            next(records)

        assert issubclass(NonFiniteLoss, EgnasError)
        assert [*records] == []

    @pytest.mark.parametrize(
        ("epochs", "count", "error", "words"),
        [
            (0, 20, InvalidSpace, "`epochs` must be at least 1, but got epochs=0"),
            (1, 1, DataError, "at least 2 images, but got 1"),
        ],
    )
    def test_refusals_change_nothing(self, epochs, count, error, words):
        network = network_of(SMALL)
        before = copy_of(network)

        with pytest.raises(error, match=words):
            next(trained(network, samples(count), samples(3), epochs=epochs))

        assert same(copy_of(network), before)

    @pytest.mark.parametrize(
        "device",
        [
            "cpu",
            pytest.param(
                "cuda",
                marks=[
                    pytest.mark.gpu,
                    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"),
                ],
            ),
        ],
    )
    def test_device(self, device):
        network = network_of(SMALL)

        (record,) = trained(network, samples(20), samples(3), device=device)

        assert record.n_train == 20
        assert network.head.weight.device.type == device


class TestDeterminism:
    def run(self, *, seed=3, global_seed=0, validation=None):
        torch.manual_seed(global_seed)
        state = torch.get_rng_state()
        network = network_of(Architecture(width=4, ops=("sep", "conv", "sep"), kernels=(3, 3, 5)))
        recipe = Recipe(crop_padding=1, cutout=2, flip=True, batch_size=16)
        records = [
            asdict(replace(record, seconds=0.0))
            for record in trained(
                network,
                samples(100),
                validation or samples(30, seed=1),
                epochs=2,
                recipe=recipe,
                seed=seed,
            )
        ]
        assert torch.equal(torch.get_rng_state(), state), "the global generator stays put"
        return records, copy_of(network)

    def test_equal_to_the_bit_whatever_the_global_seed(self):
        records, weights = self.run()

        again, weights_again = self.run(global_seed=1)

        assert again == records
        assert same(weights_again, weights)

    def test_another_seed_is_another_training(self):
        records, _ = self.run()

        others, _ = self.run(seed=4)

        assert [record["train_loss"] for record in others] != [
            record["train_loss"] for record in records
        ]

    def test_validation_images_do_not_matter_to_the_weights(self):
        _, weights = self.run()

        _, others = self.run(validation=samples(300, seed=9))

        assert same(weights, others)


class TestLeftAlone:
    def test_validation_changes_no_weight_and_no_statistic(self):
        network = network_of(SMALL).train()
        before, data = copy_of(network), samples(20)

        count_correct(network, data.images, data.labels, channel_statistics(data.images))

        assert same(copy_of(network), before)

    def test_training_changes_no_image_and_no_label(self):
        training, validation = samples(40), samples(20, seed=1)
        recipe = Recipe(crop_padding=1, cutout=3, flip=True)

        [*trained(network_of(SMALL), training, validation, recipe=recipe)]

        for found, expected in ((training, samples(40)), (validation, samples(20, seed=1))):
            assert torch.equal(found.images, expected.images)
            assert torch.equal(found.labels, expected.labels)

    def test_validation_counts_over_all_its_batches(self):
        class Brightness(nn.Module):
            """Class 1 for an image above the mean, else class 0."""

            def forward(self, images):
                level = images.mean((1, 2, 3))
                return torch.stack((-level, level), dim=1)

        count = 2 * VALIDATION_BATCH + 7
        images = torch.zeros(count, 1, 2, 2, dtype=torch.uint8)
        images[::3] = 255
        bright = images[:, 0, 0, 0] == 255
        labels = bright.long()
        labels[-5:] = 1 - labels[-5:]

        found = count_correct(Brightness(), images, labels, channel_statistics(images))

        assert found == count - 5
