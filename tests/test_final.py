"""The final training of what a search has found: on all images, tested once, gone on with."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import linking
import optuna
import pytest
import torch
from folders import in_memory
from searching import MACRO_OF_ONE, NAME, bars, left_over, searched, url

from optuna_egnas import FinalResult, LinkedStudies, load_linked_studies, train
from optuna_egnas._final import final_seed
from optuna_egnas._final_setup import FinalProgress, default_epochs
from optuna_egnas._finals import finals, load_final
from optuna_egnas._searches import delete_search
from optuna_egnas._stored import stored_recipe, stored_split
from optuna_egnas.errors import DataError, EgnasError, InvalidSpace, SearchError
from optuna_egnas.evaluation import _test_images
from optuna_egnas.evaluation._data import LabelledImages, load_training
from optuna_egnas.evaluation._examination import examine
from optuna_egnas.evaluation._network import build
from optuna_egnas.evaluation._seed import candidate_seed
from optuna_egnas.evaluation._training import Recipe
from optuna_egnas.evaluation._training import train as loop
from optuna_egnas.options import TrainOptions


def held_out() -> tuple[torch.Tensor, torch.Tensor]:
    """Test images of the kind of `bars`, others than those."""
    images, labels = bars(200)
    return images[80:], labels[80:]


@pytest.fixture(scope="module")
def pattern() -> Iterator[Path]:
    """A folder with a search that has ended."""
    with in_memory() as folder:
        searched(folder, macro=MACRO_OF_ONE, micro={"epochs": 1})
        yield folder


@pytest.fixture
def ended(pattern: Path, folder: Path) -> Path:
    """A copy of it, whose artifacts are kept beside it."""
    return copied(pattern, folder)


def copied(source: Path, folder: Path) -> Path:
    """The search of one folder in another one."""
    (folder / "egnas.db").write_bytes((source / "egnas.db").read_bytes())
    studies = opened(folder)
    for study in (studies.macro, studies.micro):
        study.set_user_attr("egnas:places", {"artifacts": str(folder / "artifacts")})
    return folder


def opened(folder: Path) -> LinkedStudies:
    return load_linked_studies(storage=url(folder), name=NAME)


def trained(folder: Path, *, epochs: int | None = 4, **changes: Any) -> FinalResult:
    """Trained so long that it learns something, with a checkpoint after each epoch."""
    named = {key: changes.pop(key) for key in ("seeds", "watch", "data", "test") if key in changes}
    options = TrainOptions(**{"checkpoint_seconds": 0.0, **changes})
    sets = {"data": bars(), "test": held_out()}
    return train(NAME, storage=url(folder), epochs=epochs, options=options, **{**sets, **named})


def weights(folder: Path, seed: int = 0) -> dict[str, torch.Tensor]:
    return dict(load_final(opened(folder), seed).weights)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


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
            network = build(architecture, input_shape=(1, 8, 8), classes=2, generator=generator)
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

        monkeypatch.setattr("optuna_egnas._final_setup.given_test", spied)

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
        assert default_epochs(n_train, longest) == epochs

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


def stop_at(epoch: int, number: int, seed: int = 0) -> Callable[[FinalProgress], None]:
    def watch(event: FinalProgress) -> None:
        if (event.seed, event.epoch) == (seed, epoch):
            os.kill(os.getpid(), number)

    return watch


def _train_there(folder: Path, number: int, epoch: int, changes: dict[str, Any]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        trained(folder, watch=stop_at(epoch, number), **changes)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


class TestGoingOn:
    @pytest.mark.parametrize(
        ("number", "code", "epoch", "changes"),
        [
            (signal.SIGINT, 130, 3, {}),
            # Killed, it has not written yet what it told last.
            (signal.SIGKILL, -9, 2, {"ema": 0.8, "recipe": {"label_smoothing": 0.1}}),
        ],
    )
    def test_a_stopped_training_equals_an_unbroken_one(
        self, number: int, code: int, epoch: int, changes: dict[str, Any], ended: Path
    ) -> None:
        with in_memory() as another:
            whole = copied(ended, another)
            unbroken = trained(whole, **changes)
            expected = weights(whole)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["optuna_egnas._final"])
        process = context.Process(target=_train_there, args=(ended, number, 3, changes))
        process.start()
        process.join(60)
        assert process.exitcode == code
        assert finals(opened(ended)) == ()
        assert left_over(ended), "its checkpoints"
        events: list[FinalProgress] = []

        result = trained(ended, watch=events.append, **changes)

        assert events[0].epoch == epoch
        assert same(weights(ended), expected)
        assert result.reports == unbroken.reports
        assert result.records[0].train_accuracy == unbroken.records[0].train_accuracy
        assert len(left_over(ended)) == 2, "the network and its report, no checkpoint"

    def test_a_training_whose_test_failed_is_not_repeated(
        self, ended: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise SearchError("The disk is full.")

        with monkeypatch.context() as patched:
            patched.setattr("optuna_egnas._final.store_final", broken)
            with pytest.raises(SearchError, match="disk is full"):
                trained(ended)
        events: list[FinalProgress] = []

        trained(ended, watch=events.append)

        assert [event.epoch for event in events] == [4, 4]
        assert events[-1].record is not None

    def test_deleting_the_search_removes_its_checkpoints(self, ended: Path) -> None:
        def stop(event: FinalProgress) -> None:
            if event.seed == 1 and event.epoch == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            trained(ended, seeds=2, watch=stop)
        assert any("checkpoint" in name for name in left_over(ended))

        delete_search(optuna.storages.get_storage(url(ended)), NAME)

        assert left_over(ended) == []


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "kind", "words"),
        [
            ({"epochs": 0}, InvalidSpace, "`epochs` must be at least 1, but got epochs=0"),
            ({"seeds": 0}, InvalidSpace, "`seeds` must be at least 1, but got seeds=0"),
            ({"seeds": 1.5}, InvalidSpace, "`seeds` must be a whole number"),
            ({"ema": 1.0}, InvalidSpace, r"`ema` must be below 1, but got ema=1\.0"),
            ({"ema": -0.1}, InvalidSpace, r"`ema` must be at least 0\.0"),
            ({"recipe": {"rate": 1}}, InvalidSpace, "fields of Recipe only, but got 'rate'"),
            ({"recipe": {"label_smoothing": 1}}, InvalidSpace, "`label_smoothing` must be at"),
            ({"recipe": {"precision": "bf8"}}, InvalidSpace, "`precision` must be one of"),
            ({"test": None}, DataError, "`data` and `test` must be given together"),
            ({"data": None}, DataError, "`data` and `test` must be given together"),
            ({"data": None, "test": None}, SearchError, "only named data are stored"),
            ({"data": held_out()}, SearchError, "must have the fingerprint"),
            ({"test": (torch.zeros(4, 9, 9), torch.zeros(4).long())}, DataError, "test images"),
        ],
    )
    def test_before_anything_is_written(
        self, changes: dict[str, Any], kind: type[EgnasError], words: str, ended: Path
    ) -> None:
        before = opened(ended).micro.user_attrs

        with pytest.raises(kind, match=words):
            trained(ended, **changes)

        assert opened(ended).micro.user_attrs == before
        assert left_over(ended) == []

    def test_a_search_that_has_not_ended(self, folder: Path) -> None:
        verdicts: list[str] = []

        def stop(event: Any) -> None:
            if verdicts:
                raise KeyboardInterrupt
            verdicts.extend([event.verdict] if event.verdict else [])

        with pytest.raises(KeyboardInterrupt):
            searched(folder, watch=stop)

        with pytest.raises(SearchError, match=r"must have ended .* --unfinished .*depth 2, wid"):
            trained(folder)
        result = trained(folder, unfinished=True)
        assert result.settings.architecture == opened(folder).result().architecture

    def test_a_search_that_has_trained_nothing(self, folder: Path) -> None:
        def stop(event: Any) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            searched(folder, watch=stop)

        with pytest.raises(SearchError, match="must have found a network, but has none yet"):
            trained(folder, unfinished=True)

    def test_an_objective_of_the_users_own(self, folder: Path) -> None:
        studies = linking.create()
        for role in linking.ROLES:
            linking.train(studies, role)

        with pytest.raises(SearchError, match="its objective was its user's own"):
            train(studies, data=bars(), test=held_out())

    def test_a_loss_that_is_not_finite(self, ended: Path) -> None:
        with pytest.raises(EgnasError, match="The loss must stay finite"):
            trained(ended, recipe={"learning_rate": 1e30, "gradient_clip": 1e30})

    def test_too_little_memory(self, ended: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object, **__: object) -> None:
            raise RuntimeError("CUDA out of memory.")

        monkeypatch.setattr("optuna_egnas.evaluation._course.train", full)

        with pytest.raises(SearchError, match="needs more memory than cpu has"):
            trained(ended)


def test_recipes_are_complete() -> None:
    """A setting that is forgotten would let two trainings share a checkpoint."""
    assert replace(Recipe(), label_smoothing=0.1).to_json() != Recipe().to_json()
