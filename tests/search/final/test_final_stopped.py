"""A final training that was stopped, or cannot begin."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linking
import optuna
import pytest
import torch
from finishing import copied, held_out, opened, same, trained, weights
from folders import in_memory
from searching import NAME, bars, left_over, searched, url

from optuna_egnas import train
from optuna_egnas._search.catalogue import delete_search
from optuna_egnas._search.final.setup import FinalProgress
from optuna_egnas._storage.final_results import finals
from optuna_egnas.errors import DataError, EgnasError, InvalidSpace, SearchError

ROLES = ("macro", "micro")


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
        context.set_forkserver_preload(["optuna_egnas._search.final.train"])
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
            patched.setattr("optuna_egnas._search.final.train.store_final", broken)
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
            (
                {"ema": 1.0},
                InvalidSpace,
                r"`ema` must be at least 0 and below 1, but got ema=1\.0",
            ),
            ({"ema": -0.1}, InvalidSpace, "`ema` must be at least 0 and below 1"),
            ({"recipe": {"rate": 1}}, InvalidSpace, "fields of Recipe only, but got 'rate'"),
            ({"recipe": {"label_smoothing": 1}}, InvalidSpace, "`label_smoothing` must be at"),
            (
                {"recipe": {"precision": "bf8"}},
                InvalidSpace,
                "`precision` of `recipe` must be one of",
            ),
            ({"test": None}, DataError, "`data` and `test` must be given together"),
            ({"data": None}, DataError, "`data` and `test` must be given together"),
            ({"data": None, "test": None}, SearchError, "stores the place of named data only"),
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

        monkeypatch.setattr("optuna_egnas.evaluation.engine.candidate.train", full)

        with pytest.raises(SearchError, match="needs more memory than cpu has"):
            trained(ended)
