"""The recipe of a training: its bounds, its seeds, its learning rate and its optimizer."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from small_trainings import SMALL, network_of, samples, trained
from torch.optim.optimizer import register_optimizer_step_pre_hook

from optuna_egnas._core.schedule import rate_of
from optuna_egnas.errors import InvalidSpace
from optuna_egnas.evaluation.engine.optimizer import optimizer_of
from optuna_egnas.evaluation.engine.seed import candidate_seed
from optuna_egnas.options import Recipe


@contextmanager
def watched_steps(look) -> Iterator[list]:
    """Collects what `look(optimizer)` returns just before each step."""
    seen = []
    handle = register_optimizer_step_pre_hook(lambda optim, *_: seen.append(look(optim)))
    try:
        yield seen
    finally:
        handle.remove()


class TestRecipe:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            (
                {"learning_rate": 0.0},
                "`learning_rate` must be above 0 and at most 1e.30, but got .*=0.0",
            ),
            ({"learning_rate": math.nan}, "`learning_rate` must be above 0"),
            ({"gradient_clip": math.inf}, "`gradient_clip` must be above 0 and at most 1e"),
            ({"weight_decay": -1e-4}, "`weight_decay` must be at least 0"),
            ({"momentum": 1.0}, "`momentum` must be at least 0 and below 1, but got momentum=1.0"),
            ({"momentum": -0.1}, "`momentum` must be at least 0"),
            ({"warmup": 1.0}, "`warmup` must be at least 0 and below 1, but got warmup=1.0"),
            ({"label_smoothing": 1.0}, "`label_smoothing` must be at least 0 and below 1"),
            ({"label_smoothing": -0.1}, "`label_smoothing` must be at least 0"),
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

    @pytest.mark.parametrize("changes", [{}, {"label_smoothing": 0.1}, {"warmup": 0.3}])
    def test_json_holds_every_field(self, changes):
        recipe = replace(Recipe.for_images((3, 32, 32), flip=True), **changes)

        assert Recipe(**json.loads(json.dumps(recipe.to_json()))) == recipe

    def test_a_recipe_without_smoothing_reads_as_those_of_before(self):
        assert not {"label_smoothing", "warmup"} & set(Recipe().to_json())

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"optimizer": "adam"}, "`optimizer` must be one of"),
            ({"decay": "some"}, "`decay` must be one of"),
            ({"turn": 181.0}, "`turn` must be at most 180"),
            ({"brightness": 2.0}, "`brightness` must be at most 1"),
            ({"nesterov": True, "optimizer": "adamw"}, "nesterov=True, optimizer=adamw"),
            ({"nesterov": True, "momentum": 0.0}, "nesterov=True, optimizer=sgd, momentum=0"),
        ],
    )
    def test_later_fields_have_bounds_too(self, changes, words):
        with pytest.raises(InvalidSpace, match=words):
            Recipe(**changes)

    @pytest.mark.parametrize(
        "changes",
        [
            {"optimizer": "adamw"},
            {"nesterov": True},
            {"decay": "weights"},
            {"turn": 5.0, "brightness": 0.1},
        ],
    )
    def test_later_fields_are_stored_where_they_are_set_only(self, changes):
        assert not set(changes) & set(Recipe().to_json())
        record = json.loads(json.dumps(Recipe(**changes).to_json()))
        assert set(changes) <= set(record)
        assert Recipe(**record) == Recipe(**changes)

    @pytest.mark.parametrize(
        ("n_train", "batch_size"), [(100, 16), (3_999, 16), (4_000, 32), (20_000, 64)]
    )
    def test_few_images_get_small_batches(self, n_train, batch_size):
        assert Recipe.suited((1, 28, 28), n_train=n_train, flip=True).batch_size == batch_size

    @pytest.mark.parametrize(("side", "padding"), [(8, 0), (15, 0), (28, 2), (64, 5)])
    def test_what_suits_crops_by_the_side(self, side, padding):
        recipe = Recipe.suited((3, side, side), n_train=500, flip=False)

        assert (recipe.crop_padding, recipe.cutout) == (padding, 0)
        assert recipe.for_short_training() == replace(recipe, crop_padding=0)


class TestOptimizer:
    @pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
    def test_biases_and_norms_do_not_decay_where_weights_do_alone(self, optimizer):
        network = network_of(SMALL)
        recipe = Recipe(optimizer=optimizer, decay="weights", weight_decay=0.1)

        weights, others = optimizer_of(network, recipe).param_groups

        assert all(each.ndim > 1 for each in weights["params"])
        assert all(each.ndim == 1 for each in others["params"])
        assert (weights["weight_decay"], others["weight_decay"]) == (0.1, 0)
        together = [*weights["params"], *others["params"]]
        assert {id(each) for each in together} == {id(each) for each in network.parameters()}

    @pytest.mark.parametrize(
        "recipe",
        [
            Recipe(optimizer="adamw", learning_rate=0.01, warmup=0.3, decay="weights"),
            Recipe(nesterov=True, warmup=0.3, decay="weights", label_smoothing=0.1),
            Recipe(turn=10.0, brightness=0.2),
        ],
    )
    def test_all_groups_follow_the_schedule_and_the_loss_falls(self, recipe):
        def rates(optimizer):
            return {group["lr"] for group in optimizer.param_groups}

        with watched_steps(rates) as seen:
            network, images = network_of(SMALL), samples(200)
            records = [*trained(network, images, samples(4), epochs=4, recipe=recipe)]

        assert all(len(each) == 1 for each in seen)
        assert max(seen[-1]) < recipe.learning_rate / 4
        assert records[-1].train_loss < records[0].train_loss


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
        assert rate_of(Recipe(learning_rate=0.4), step, 4) == pytest.approx(rate, abs=1e-15)

    @pytest.mark.parametrize(
        ("warmup", "steps", "rates"),
        [
            (0.5, 4, [0.1, 0.2, 0.3, 0.15, 0.0]),
            (0.5, 6, [0.075, 0.15, 0.225, 0.3, 0.225, 0.075, 0.0]),
            (0.9, 1, [0.3, 0.0]),  # a single step cannot rise
        ],
    )
    def test_the_rate_rises_first_where_there_is_a_warmup(self, warmup, steps, rates):
        recipe = Recipe(learning_rate=0.3, warmup=warmup)

        found = [rate_of(recipe, step, steps) for step in range(len(rates))]

        assert found == pytest.approx(rates, abs=1e-15)

    def test_every_step_learns_and_the_end_is_zero(self):
        recipe = Recipe(batch_size=8)
        with watched_steps(lambda optimizer: optimizer.param_groups[0]["lr"]) as rates:
            records = [
                *trained(network_of(SMALL), samples(20), samples(4), epochs=4, recipe=recipe)
            ]

        assert rates == [rate_of(recipe, step, 12) for step in range(12)]
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
