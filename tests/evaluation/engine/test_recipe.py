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

from optuna_egnas._core.recipe import Recipe
from optuna_egnas._core.schedule import rate_of
from optuna_egnas.errors import InvalidSpace
from optuna_egnas.evaluation.engine.seed import candidate_seed


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
        ("n_train", "batch_size", "batches_of"),
        [(6399, 64, 32), (6400, 64, 64), (100, 16, 16), (48_000, 256, 256)],
    )
    def test_few_epochs_want_a_high_rate_and_many_steps(self, n_train, batch_size, batches_of):
        recipe = replace(Recipe.for_images((1, 28, 28), flip=True), batch_size=batch_size)

        short = recipe.for_few_epochs(n_train)

        changed = {"learning_rate": 0.1, "warmup": 0.3, "crop_padding": 0, "cutout": 0}
        assert short == replace(recipe, batch_size=batches_of, **changed)


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
