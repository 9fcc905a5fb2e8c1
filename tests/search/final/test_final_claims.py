"""One process for each final training, and a test that nobody reads twice unknowingly."""

from __future__ import annotations

import multiprocessing
import os
import signal
import warnings
from pathlib import Path
from typing import Any

import optuna
import pytest
from finishing import opened, trained
from searching import NAME, left_over, url

from optuna_egnas._search.catalogue import delete_search
from optuna_egnas._search.final.setup import FinalProgress
from optuna_egnas._storage.final_claims import CLAIM, TEST, at_work, claimed
from optuna_egnas._storage.final_results import finals
from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation.trained.examination import examine

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["optuna_egnas._search.final.train"])


def claims(folder: Path) -> list[Any]:
    attributes = opened(folder).micro.user_attrs
    return [value for key, value in attributes.items() if key.startswith(CLAIM) and value]


def elsewhere(record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The same claim of a process on another machine."""
    return {**record, "machine": "another", "host": "another", "token": "another's", **changes}


def _hold(folder: Path, is_training: Any) -> None:
    def tell(event: FinalProgress) -> None:
        if event.epoch == 2:
            is_training.set()
            signal.pause()

    trained(folder, watch=tell)


def _die(folder: Path, number: int) -> None:
    def die(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    import optuna_egnas._search.final.train as final

    if number == 0:
        # Between the reading of the test and what is stored of it.
        final.upload_report = die
    else:
        # Between what is stored of the test and the record.
        final.store_final = die
    trained(folder)


def died(folder: Path, number: int) -> None:
    process = CONTEXT.Process(target=_die, args=(folder, number))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert finals(opened(folder)) == ()


@pytest.fixture
def held(ended: Path) -> Any:
    """A folder with a search whose final training another process is at."""
    is_training = CONTEXT.Event()
    process = CONTEXT.Process(target=_hold, args=(ended, is_training))
    process.start()
    assert is_training.wait(60)
    yield ended, process
    process.kill()
    process.join(60)


def test_the_second_of_two_says_who_is_at_it(held: Any) -> None:
    folder, process = held
    before = opened(folder).micro.user_attrs

    with pytest.raises(SearchError, match=f"seed 0 belongs to .*{process.pid}, since 20"):
        trained(folder)
    with pytest.raises(SearchError, match=f"{process.pid}, since 20"):
        trained(folder, recipe={"label_smoothing": 0.1})
    with pytest.raises(SearchError, match=f"final training now .*{process.pid}, since 20"):
        delete_search(optuna.storages.get_storage(url(folder)), NAME)

    assert opened(folder).micro.user_attrs == before
    process.kill()
    process.join(60)
    assert at_work(opened(folder).micro.user_attrs) == []
    assert [record.seed for record in trained(folder).records] == [0]
    assert claims(folder) == []


def test_another_seed_is_free(held: Any) -> None:
    folder, _ = held
    with claimed(opened(folder), 1):
        assert len(claims(folder)) == 2
    assert len(claims(folder)) == 1


@pytest.mark.parametrize(
    ("at", "patience", "is_dead"),
    [("2020-01-01T00:00:00+00:00", 900.0, True), ("2020-01-01T00:00:00+00:00", 1e12, False)],
)
def test_a_process_on_another_machine_is_known_by_its_signs_of_life(
    at: str, patience: float, is_dead: bool, ended: Path
) -> None:
    studies = opened(ended)
    with claimed(studies, 0) as claim:
        record = elsewhere(claim.record, at=at, patience=patience)
    studies.micro.set_user_attr(f"{CLAIM}0", record)

    if is_dead:
        assert len(trained(ended).records) == 1
    else:
        with pytest.raises(SearchError, match="another, process"):
            trained(ended)
        assert claims(ended) == [record]


def test_who_was_taken_over_does_not_read_the_test(
    ended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    monkeypatch.setattr(
        "optuna_egnas._search.final.train.examine", lambda *each, **_: read.append(each)
    )

    def take_over(event: FinalProgress) -> None:
        if event.epoch == 4:
            (record,) = claims(ended)
            opened(ended).micro.set_user_attr(f"{CLAIM}0", elsewhere(record))

    with pytest.raises(SearchError, match="belongs to another, process"):
        trained(ended, watch=take_over)

    assert read == []
    assert any("checkpoint" in name for name in left_over(ended)), "the training is kept"
    assert [record["host"] for record in claims(ended)] == ["another"], "it is not ours to end"


def test_a_test_that_was_read_is_not_read_again_without_a_word(ended: Path) -> None:
    died(ended, 0)
    events: list[FinalProgress] = []

    result = trained(ended, watch=events.append)

    (note,) = [event.note for event in events if event.note is not None]
    assert "reads the test images once more" in note and "read once for this network" in note
    assert [record.test_reads for record in result.records] == [2]
    assert finals(opened(ended))[0].test_reads == 2


def test_who_does_not_watch_is_warned(ended: Path) -> None:
    died(ended, 0)

    with pytest.warns(UserWarning, match="reads the test images once more"):
        trained(ended)


def test_a_result_that_is_stored_is_not_read_for_again(
    ended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    died(ended, 1)

    def fails(*_: Any, **__: Any) -> None:
        raise AssertionError("the test images are read")

    monkeypatch.setattr("optuna_egnas._search.final.train.examine", fails)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = trained(ended)

    assert result.records[0].test_reads == 1
    assert result.reports[0].correct == result.records[0].test_correct


def test_that_the_test_begins_is_stored_before_it_is_read(
    ended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def look(*each: Any, **named: Any) -> Any:
        attributes = opened(ended).micro.user_attrs
        seen.extend(value for key, value in attributes.items() if key.startswith(TEST))
        return examine(*each, **named)

    monkeypatch.setattr("optuna_egnas._search.final.train.examine", look)
    trained(ended)

    assert [(mark["reads"], mark["pid"]) for mark in seen] == [(1, os.getpid())]


def test_a_test_that_could_not_be_read_does_not_count(
    ended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise SearchError("The test images are away.")

    with monkeypatch.context() as patched:
        patched.setattr("optuna_egnas._search.final.train.examine", broken)
        with pytest.raises(SearchError, match="are away"):
            trained(ended)

    assert trained(ended).records[0].test_reads == 1
