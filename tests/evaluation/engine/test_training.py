"""The training loop: what it learns, its records, and what it leaves alone."""

import math
from dataclasses import asdict, replace

import pytest
import torch
from sklearn.datasets import load_digits
from small_trainings import SMALL, copy_of, network_of, same, samples, seeded, trained
from torch import nn

from optuna_egnas import Architecture
from optuna_egnas.errors import DataError, EgnasError, InvalidSpace
from optuna_egnas.evaluation.data.labelled import LabelledImages
from optuna_egnas.evaluation.engine import step as _step
from optuna_egnas.evaluation.engine.augmentation import augmented, channel_statistics, normalised
from optuna_egnas.evaluation.engine.loop import VALIDATION_BATCH, NonFiniteLoss, count_correct
from optuna_egnas.methods import EpochRecord
from optuna_egnas.options import Recipe


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

    def test_all_batches_lie_in_the_same_place(self, monkeypatch):
        """So that a device can record the step of a whole batch once, and repeat it."""
        seen, rows = [], []

        def watched(images, draws, *others):
            seen.append((images.data_ptr(), draws.data_ptr(), len(draws), draws.stride()))
            rows.append(draws[:, 0].clone())
            return augmented(images, draws, *others)

        monkeypatch.setattr(_step, "augmented", watched)
        recipe = Recipe(batch_size=16)

        assert [*trained(network_of(SMALL), samples(40), None, epochs=3, recipe=recipe)]

        assert [length for *_, length, _ in seen] == 3 * [16, 16, 8]
        assert len({(images, draws) for images, draws, *_ in seen}) == 1
        assert len({stride for *_, stride in seen}) == 1
        for epoch in range(3):
            drawn = torch.cat(rows[3 * epoch : 3 * epoch + 3])
            assert sorted(drawn.tolist()) == list(range(40)), "each image once an epoch"

    def test_without_validation_images_it_trains_alike(self):
        training, validation = samples(20), samples(30, seed=1)
        with_them, without = network_of(SMALL), network_of(SMALL)

        said = [*trained(with_them, training, validation, epochs=2)]
        records = [*trained(without, training, None, epochs=2)]

        assert same(with_them.state_dict(), without.state_dict())
        assert [each.train_loss for each in records] == [each.train_loss for each in said]
        assert {(each.valid_correct, each.n_valid) for each in records} == {(0, 0)}
        assert not without.training, "as at every record"

    def test_smoothed_labels_make_it_less_sure(self, digits):
        """Not less right: digits are learnt as before."""
        training, validation = digits
        accuracies, confidences = [], []
        for share in (0.0, 0.3):
            network = network_of(Architecture.chain(depth=4, width=8))
            recipe = Recipe(label_smoothing=share)
            *_, last = trained(network, training, validation, epochs=6, recipe=recipe)
            inputs = normalised(validation.images, channel_statistics(training.images))
            with torch.inference_mode():
                confidences.append(network(inputs).softmax(1).amax(1).mean().item())
            accuracies.append(last.valid_accuracy)

        assert confidences[1] < 0.85 < confidences[0]
        assert min(accuracies) > 0.85

    def test_the_loss_of_smoothed_labels(self):
        """That of the labels, and of all classes alike, in their shares."""
        training = samples(20)
        losses = {
            share: next(trained(network_of(SMALL), training, None, recipe=recipe)).train_loss
            for share in (0.0, 0.25, 0.5)
            for recipe in [Recipe(label_smoothing=share, batch_size=20)]
        }

        assert losses[0.25] == pytest.approx((losses[0.0] + losses[0.5]) / 2, abs=1e-6)
        assert losses[0.5] != pytest.approx(losses[0.0], abs=1e-4)

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
