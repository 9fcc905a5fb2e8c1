"""Rivals of a final training: trained beside the network found, stored, and not trained again."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from finishing import held_out, load_final, opened, trained
from searching import left_over, searched, url
from torchvision.models import mobilenet_v3_small
from walking import EGNAS

from optuna_egnas._core.comparison import Comparison
from optuna_egnas._search.catalogue import delete_search
from optuna_egnas._search.final.setup import FinalProgress
from optuna_egnas._storage.final_results import finals
from optuna_egnas._storage.rivals import RIVAL
from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation.data.labelled import LabelledImages
from optuna_egnas.evaluation.engine.candidate import Task, candidate_training
from optuna_egnas.evaluation.engine.loop import NonFiniteLoss
from optuna_egnas.evaluation.rivals.pretrained import PretrainedNetwork, checkpoint_of
from optuna_egnas.evaluation.trained.examination import examine
from optuna_egnas.visualization._notes import study_note

ALL = [
    "logistic regression",
    "random forest",
    "plain CNN",
    "largest network that fits",
    "random network 1",
]
"""The rivals where the space holds one chain, in the order of their training."""


@pytest.fixture(autouse=True)
def _nothing_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No weights are on this machine, and no connection is made."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a rival must fetch nothing")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)


def beside(folder: Path, **changes: Any) -> Comparison:
    compared = trained(folder, rivals=True, **changes).rivals
    assert compared is not None
    return compared


def stored(folder: Path) -> dict[str, Any]:
    attributes = opened(folder).micro.user_attrs
    return {key: value for key, value in attributes.items() if key.startswith(RIVAL)}


def names(events: list[FinalProgress]) -> list[str]:
    return [*dict.fromkeys(event.rival for event in events if event.rival)]


def test_each_is_trained_and_tested_on_the_same_images(ended: Path) -> None:
    events: list[FinalProgress] = []

    compared = beside(ended, watch=events.append)

    assert names(events) == ALL
    (record,) = finals(opened(ended))
    assert compared.found.test_correct == record.test_correct
    assert compared.found.params == opened(ended).result().params
    for rival in compared.rivals:
        assert rival.n_test == record.n_test == 120
        assert rival.test_correct == record.test_correct + rival.better - rival.worse
        assert rival.seconds > 0
    epochs = [event.epoch for event in events if event.rival == "plain CNN"]
    assert epochs == [0, 1, 2, 3, 4, 4], "as long as the network found"
    assert [event.rival_accuracy is None for event in events if event.rival == "plain CNN"] == [
        *[True] * 5,
        False,
    ]
    (line,) = compared.left_out
    assert line.startswith("pretrained mobilenet_v3_small: its weights must be in ")
    assert line.endswith(", but are not; nothing is downloaded.")


def test_the_network_found_is_no_rival_of_itself(
    ended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def itself(*arguments: Any) -> list[tuple[str, Any]]:
        return [("largest network that fits", arguments[2])]

    monkeypatch.setattr(type(EGNAS), "rivals", itself)

    compared = beside(ended)

    assert sorted(each.name for each in compared.rivals) == sorted(ALL[:3])
    assert compared.left_out[0] == "largest network that fits: it is the network found."


def test_a_pretrained_network_takes_part_where_its_weights_are(ended: Path) -> None:
    file = checkpoint_of(PretrainedNetwork())
    file.parent.mkdir(parents=True)
    torch.save(mobilenet_v3_small(weights=None).state_dict(), file)

    compared = beside(ended, epochs=1)

    assert compared.left_out == ()
    (pretrained,) = (each for each in compared.rivals if each.name.startswith("pretrained"))
    assert (pretrained.params or 0) > 1_500_000 and (pretrained.macs or 0) > 10_000_000


@pytest.mark.parametrize("error", [NonFiniteLoss("The loss is no number."), MemoryError()])
def test_what_cannot_be_trained_is_left_out_with_its_reason(
    error: Exception, ended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(ended)

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr("optuna_egnas._search.final.training.candidate_training", failing(fail))

    compared = beside(ended, epochs=None)

    assert sorted(each.name for each in compared.rivals) == ALL[:2]
    reason = "no number" if isinstance(error, NonFiniteLoss) else "needs more memory than cpu has"
    assert [line.partition(":")[0] for line in compared.left_out[1:]] == ALL[2:]
    assert all(reason in line for line in compared.left_out[1:])


def failing(fail: Any) -> Any:
    """A training that raises when its first epoch is asked for."""

    def training(*_: Any, **__: Any) -> Iterator[Any]:
        yield fail()

    return training


def test_they_are_stored_and_found_again(ended: Path) -> None:
    compared = beside(ended)

    found = opened(ended).result().rivals
    assert found is not None
    assert (found.found, {*found.rivals}) == (compared.found, {*compared.rivals})
    assert found.sentence == compared.sentence
    later = trained(ended, epochs=None)
    assert later.rivals == found, "also where none are asked for"
    assert (
        later.to_json()["rivals"] == found.to_json() == opened(ended).result().to_json()["rivals"]
    )
    assert json.loads(json.dumps(stored(ended))) == stored(ended)


def test_without_them_there_are_none(ended: Path) -> None:
    result = trained(ended)

    assert (result.rivals, result.to_json()["rivals"]) == (None, None)
    assert opened(ended).result().rivals is None
    assert stored(ended) == {}


def test_what_is_trained_is_not_trained_again(ended: Path) -> None:
    first = beside(ended)
    before, events = stored(ended), list[FinalProgress]()

    again = beside(ended, epochs=None, watch=events.append)

    assert events == [] and stored(ended) == before
    assert again.sentence == first.sentence


def test_an_interruption_keeps_what_is_done_and_goes_on(ended: Path) -> None:
    def stop(event: FinalProgress) -> None:
        if event.rival == "plain CNN" and event.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        beside(ended, watch=stop)
    assert sorted(each["name"] for each in stored(ended).values()) == ALL[:2]
    half = opened(ended).result().rivals
    assert half is not None and len(half.rivals) == 2

    events: list[FinalProgress] = []
    resumed = beside(ended, epochs=None, watch=events.append)

    epochs = [event.epoch for event in events if event.rival == "plain CNN"]
    assert names(events) == ALL[2:]
    assert epochs == [0, 3, 4, 4], "it goes on from its checkpoint"
    assert not [each for each in left_over(ended) if "rival" in each], "its checkpoints are gone"
    (plain,) = (each for each in resumed.rivals if each.name == "plain CNN")
    _forget(ended)
    (unbroken,) = (each for each in beside(ended, epochs=None).rivals if each.name == plain.name)
    assert replace(unbroken, seconds=0.0) == replace(plain, seconds=0.0), "as in one go"


def _forget(folder: Path) -> None:
    """Delete what is stored of rivals, as if none had been trained."""
    with sqlite3.connect(folder / "egnas.db") as database:
        database.execute("DELETE FROM study_user_attributes WHERE key LIKE ?", (f"{RIVAL}%",))
    database.close()


def test_they_follow_the_settings_of_the_final_training(
    ended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(ended, epochs=3, ema=0.9, recipe={"label_smoothing": 0.1})
    events, tasks = list[FinalProgress](), list[Task]()

    def spied(task: Task, *arguments: Any, **named: Any) -> Any:
        tasks.append(task)
        return candidate_training(task, *arguments, **named)

    monkeypatch.setattr("optuna_egnas._search.final.training.candidate_training", spied)

    beside(ended, epochs=None, watch=events.append)

    assert {event.epochs for event in events if event.rival} == {3}
    assert len(tasks) == len(ALL[2:])
    for task in tasks:
        assert (task.ema, task.recipe.label_smoothing) == (0.9, 0.1)
        assert (task.recipe.batch_size, len(task.training.labels)) == (16, 80)
    digest = finals(opened(ended))[0].settings.digest()
    assert all(key.startswith(f"{RIVAL}{digest}:") for key in stored(ended))
    assert trained(ended, epochs=4, again=True).rivals is None, "other settings have others"


def test_other_test_images_are_refused(ended: Path) -> None:
    right = trained(ended, epochs=12).records[0].test_correct
    assert right > 65, "it has learnt, so that other labels give another score"
    images, labels = held_out()

    with pytest.raises(SearchError, match=r"must be those of the final training, .* of 120 right"):
        beside(ended, epochs=None, test=(images, 1 - labels))
    with pytest.raises(SearchError, match=r"of 120 right, but it has \d+ of 100\."):
        beside(ended, epochs=None, test=(images[:100], labels[:100]))
    assert stored(ended) == {}


ODD: list[tuple[str, Any, str]] = [
    ("n_test", 0, "`n_test` is a whole number of at least 1"),
    ("better", -1, "`better` is a whole number"),
    ("better", 10**6, "a test whose parts add up"),
    ("params", "many", "`params` is a whole number of at least 0, or null"),
    ("newer", 1, "without a field 'newer'"),
]


@pytest.mark.parametrize(("field", "value", "said"), ODD)
def test_an_odd_value_is_one_line(field: str, value: Any, said: str, ended: Path) -> None:
    beside(ended)
    key, record = next(iter(stored(ended).items()))
    opened(ended).micro.set_user_attr(key, {**record, field: value})

    with pytest.raises(SearchError, match=rf"`{RIVAL}.*` of the study 'bars/micro'.*{said}") as no:
        opened(ended).result()
    assert "\n" not in str(no.value)
    with pytest.raises(SearchError, match=RIVAL):
        trained(ended, epochs=None)


def test_the_note_holds_the_table_and_the_sentence(ended: Path) -> None:
    compared = beside(ended)

    note = study_note(opened(ended), "micro", listed=(), places={"macro": ""}, storage="s")

    assert f"**{compared.sentence}**" in note
    assert "| plain CNN (" in note and "selected by the test images" in note


def test_deleting_the_search_deletes_checkpoints_of_rivals(ended: Path) -> None:
    def stop(event: FinalProgress) -> None:
        if event.rival == "plain CNN" and event.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        beside(ended, watch=stop)
    assert [each for each in left_over(ended) if "rival" in each]

    delete_search(optuna.storages.get_storage(url(ended)), "bars")

    assert left_over(ended) == []


def test_a_larger_space_brings_the_largest_and_random_networks(folder: Path) -> None:
    macro = {"min_depth": 1, "max_depth": 3, "min_width": 4, "max_width": 8, "base_epochs": 1}
    searched(folder, macro=macro, micro={"epochs": 1})

    compared = beside(folder, epochs=1)

    found = compared.found.params or 0
    drawn = [each for each in compared.rivals if each.name.startswith("random network")]
    assert drawn and all(abs((each.params or 0) - found) <= 0.03 * found for each in drawn)
    assert {"largest network that fits", "plain CNN"} <= {each.name for each in compared.rivals}
    images, labels = held_out()
    test = LabelledImages(images=images.mul(255).round().to(torch.uint8), labels=labels)
    assert examine(load_final(opened(folder)), test).correct == compared.found.test_correct
