"""The final training of what a search has found: on all images, tested once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from finishing import copied, held_out, load_final, opened, same, trained, weights
from folders import in_memory
from searching import MACRO_OF_ONE, bars, searched
from walking import EGNAS

from optuna_egnas import train
from optuna_egnas._search.final.setup import FinalProgress, default_epochs
from optuna_egnas._search.final.train import final_seed
from optuna_egnas._search.identity import stored_recipe, stored_split
from optuna_egnas._storage.final_results import finals
from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation.data import held_out as _test_images
from optuna_egnas.evaluation.data.labelled import LabelledImages, load_training
from optuna_egnas.evaluation.engine.loop import train as loop
from optuna_egnas.evaluation.engine.seed import candidate_seed
from optuna_egnas.evaluation.trained.examination import examine
from optuna_egnas.options import Recipe


class TestResult:
    def test_it_is_the_architecture_found_on_all_training_images(self, ended: Path) -> None:
        result = trained(ended, epochs=12, data=bars(), test=bars())

        assert result.settings.architecture == opened(ended).result().architecture
        assert result.settings.n_train == 80, "those that the search has validated on too"
        assert result.params == opened(ended).result().params
        assert result.records[0].n_test == 80
        assert result.test_accuracy > 0.9, "since it is tested on what it has learnt"
        assert result.records[0].train_accuracy > 0.9

    def test_the_parts_add_up(self, ended: Path) -> None:
        result = trained(ended, seeds=3)

        assert [record.seed for record in result.records] == [0, 1, 2]
        for record, report in zip(result.records, result.reports, strict=True):
            assert sum(record.class_correct) == record.test_correct == report.correct
            assert sum(record.class_total) == record.n_test == report.total == 120
            assert record.class_total == (60, 60)
            assert sum(each.count for each in record.bins) == 120
            assert record.class_correct == report.class_correct
        assert result.report.total == 360
        assert result.report.correct == sum(record.test_correct for record in result.records)
        accuracies = [record.test_accuracy for record in result.records]
        mean = sum(accuracies) / 3
        assert result.test_accuracy == pytest.approx(mean)
        variance = sum((accuracy - mean) ** 2 for accuracy in accuracies) / 2
        assert result.spread == pytest.approx(variance**0.5)

    def test_one_seed_has_no_spread(self, ended: Path) -> None:
        assert trained(ended).spread is None

    def test_the_file_answers_as_it_was_reported(self, ended: Path) -> None:
        result = trained(ended, seeds=2)

        images, labels = held_out()
        test = LabelledImages(images=images.mul(255).round().to(torch.uint8), labels=labels)
        for record, report in zip(result.records, result.reports, strict=True):
            network = load_final(opened(ended), record.seed)
            assert examine(network, test) == report
            assert (network.test_correct, network.n_test) == (record.test_correct, 120)
            assert (network.epochs, network.seed) == (4, record.seed)

    def test_it_is_one_run_of_the_loop_with_a_seed_of_its_own(self, ended: Path) -> None:
        trained(ended, seeds=2)
        link, architecture = opened(ended).link, opened(ended).result().architecture
        assert architecture is not None
        parts = stored_split(link, load_training(bars()))
        joined = {
            field: torch.cat([getattr(part, field) for part in parts])
            for field in ("images", "labels")
        }
        assert final_seed(link.seed) != link.seed
        for number in (0, 1):
            seed = candidate_seed(final_seed(link.seed), architecture, 4, number)
            generator = torch.Generator().manual_seed(seed)
            network = EGNAS.build(
                architecture, input_shape=(1, 8, 8), classes=2, generator=generator
            )
            recipe, images = stored_recipe(link), LabelledImages(**joined)
            for _ in loop(network, images, None, epochs=4, recipe=recipe, seed=seed, device="cpu"):
                pass
            assert same(weights(ended, number), network.state_dict())

    def test_what_has_ended_is_not_repeated(self, ended: Path) -> None:
        first = trained(ended)
        events: list[FinalProgress] = []

        again = trained(ended, seeds=2, watch=events.append)

        assert again.records[0] == first.records[0]
        assert {event.seed for event in events} == {1}
        fewer = trained(ended, seeds=1)
        assert fewer.records == again.records, "all there are"

    def test_a_search_in_memory_hands_its_network_over_too(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from optuna_egnas import search
        from optuna_egnas.options import SearchOptions

        monkeypatch.chdir(folder)
        options = SearchOptions(macro=MACRO_OF_ONE, micro={"epochs": 1}, valid_fraction=0.5)
        studies = search(bars(), storage=None, name="here", options=options)

        result = train(studies, data=bars(), test=held_out(), epochs=2)

        assert result.artifacts == str(folder / "egnas-artifacts")
        assert load_final(studies).test_correct == result.records[0].test_correct


class TestOneTest:
    def test_it_is_read_once_for_a_seed_and_after_its_training(
        self, ended: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        story: list[str] = []
        prepare = _test_images.given_test

        def spied(*arguments: Any) -> LabelledImages:
            story.append("test")
            return prepare(*arguments)

        def told(event: FinalProgress) -> None:
            story.append("tested" if event.record else f"{event.seed}/{event.epoch}")

        monkeypatch.setattr("optuna_egnas._search.final.setup.given_test", spied)

        trained(ended, epochs=2, seeds=2, watch=told)

        assert story == [
            *["test", "0/0", "0/1", "0/2", "test", "tested"],  # the first: their form, at once
            *["1/0", "1/1", "1/2", "test", "tested"],
        ]

    def test_no_epoch_is_chosen_by_the_test(self, ended: Path, pattern: Path) -> None:
        """Other test images change nothing of the network."""
        images, labels = held_out()
        trained(ended)
        with in_memory() as another:
            other = copied(pattern, another)

            trained(other, test=(images, 1 - labels))

            assert same(weights(other), weights(ended))

    def test_other_settings_are_refused_once_it_was_read(self, ended: Path) -> None:
        trained(ended)

        with pytest.raises(SearchError, match=r"epochs was 4, but got 6\. --again trains anew"):
            trained(ended, epochs=6)
        with pytest.raises(SearchError, match=r"label_smoothing was None, but got 0\.1"):
            trained(ended, recipe={"label_smoothing": 0.1})
        result = trained(ended, epochs=6, again=True)

        assert (result.earlier, result.settings.epochs) == (1, 6)
        assert finals(opened(ended)) == result.records
        back = trained(ended, epochs=4)
        assert (back.records[0].epochs, back.earlier) == (4, 0), "what is there can be looked at"

    def test_what_was_begun_again_goes_on(self, ended: Path) -> None:
        """But not what was begun before others were tested."""

        def stop(event: FinalProgress) -> None:
            if event.epoch:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            trained(ended, epochs=5, watch=stop)
        trained(ended)
        with pytest.raises(SearchError, match=r"epochs was 4, but got 5\. --again"):
            trained(ended, epochs=5)
        with pytest.raises(KeyboardInterrupt):
            trained(ended, epochs=6, watch=stop, again=True)

        assert trained(ended, epochs=None).settings.epochs == 6


class TestSettings:
    def test_what_is_not_given_is_as_it_was_begun(self, ended: Path) -> None:
        recipe = {"label_smoothing": 0.1}
        first = trained(ended, epochs=3, recipe=recipe, ema=0.9)

        second = trained(ended, epochs=None, seeds=2)

        assert second.settings == first.settings
        assert (second.settings.epochs, second.settings.ema) == (3, 0.9)
        assert second.settings.recipe["label_smoothing"] == 0.1
        assert second.settings.recipe["batch_size"] == 16, "that of the search"

    @pytest.mark.parametrize(
        "changes", [{"ema": 0.9}, {"recipe": {"label_smoothing": 0.2}}, {"epochs": 5}]
    )
    def test_each_changes_the_network(self, changes: dict[str, Any], ended: Path) -> None:
        trained(ended)
        before = weights(ended)

        trained(ended, again=True, **changes)

        assert not same(weights(ended), before)

    @pytest.mark.parametrize(
        ("n_train", "longest", "epochs"),
        [
            (60_000, 10, 33),  # Fashion-MNIST
            (60_000, 48, 48),  # no less than a candidate had
            (1_438, 20, 100),  # digits
            (1_000_000, 5, 30),
        ],
    )
    def test_the_fewer_images_the_more_epochs(
        self, n_train: int, longest: int, epochs: int
    ) -> None:
        assert default_epochs(n_train, longest, Recipe()) == epochs

    def test_a_subset_is_trained_on_unless_all_are_asked_for(self, folder: Path) -> None:
        searched(folder, macro=MACRO_OF_ONE, micro={"epochs": 1}, subset=40)

        assert trained(folder, epochs=1).settings.n_train == 40
        everything = trained(folder, epochs=1, all_images=True, again=True)
        assert everything.settings.n_train == 80
        assert trained(folder, epochs=None, seeds=2).settings == everything.settings
        back = trained(folder, epochs=1, all_images=False)
        assert back.settings.n_train == 40

    def test_the_progress_and_what_is_left(self, ended: Path) -> None:
        events: list[FinalProgress] = []

        trained(ended, epochs=3, seeds=2, watch=events.append)

        first = [event for event in events if event.seed == 0]
        assert [event.epoch for event in first] == [0, 1, 2, 3, 3]
        assert first[0].seconds_left is None and first[0].train_accuracy is None
        left = [event.seconds_left for event in events if event.train_accuracy is not None]
        assert all(seconds is not None and seconds >= 0 for seconds in left)
        assert first[1].seconds_left > 0, "the seed that follows counts too"
        assert first[-2].seconds_left > 0
        assert events[-1].seconds_left == 0
        assert [event.record is not None for event in first] == [False] * 4 + [True]


def test_recipes_are_complete() -> None:
    """A setting that is forgotten would let two trainings share a checkpoint."""
    assert replace(Recipe(), label_smoothing=0.1).to_json() != Recipe().to_json()
