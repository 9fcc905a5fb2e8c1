"""Checkpoints: a resumed training equals an unbroken one, and no damaged file is ever used."""

import errno
import os
from dataclasses import replace

import pytest
import torch
from small_trainings import ARCHITECTURE, CANDIDATE, RECIPE, place_in, plain, samples, task
from walking import EGNAS

from optuna_egnas._storage.artifacts import open_artifacts
from optuna_egnas.evaluation.engine.candidate import train_candidate
from optuna_egnas.evaluation.engine.checkpoint import KIND, Checkpoint, Checkpoints
from optuna_egnas.evaluation.engine.loop import train
from optuna_egnas.evaluation.engine.sealed import sealed, unsealed
from optuna_egnas.evaluation.engine.state import TrainingState
from optuna_egnas.methods import EpochRecord


def checkpoint(epoch, *, weight=1.0):
    record = EpochRecord(
        epoch=0,
        train_loss=1.0,
        train_correct=1,
        n_train=2,
        valid_correct=1,
        n_valid=2,
        learning_rate=0.1,
        seconds=1.0,
    )
    records = tuple(replace(record, epoch=number) for number in range(1, epoch + 1))
    return Checkpoint(records=records, state={"epoch": epoch, "weights": torch.tensor([weight])})


def written(folder, *epochs):
    place = place_in(folder)
    for epoch in epochs:
        place.note(checkpoint(epoch))
        place.write()
    return place


class TestResume:
    def run(self, *, start=None, device="cpu", micro_batch=None, ema=0.0):
        """Weights and records of a training, and its snapshot after each epoch."""
        generator = torch.Generator().manual_seed(1)
        network = EGNAS.build(ARCHITECTURE, input_shape=(1, 8, 8), classes=10, generator=generator)
        state, records, snapshots = TrainingState(start=start, ema=ema), [], []
        for record in train(
            network,
            samples(100, seed=0),
            samples(30, seed=1),
            epochs=4,
            recipe=RECIPE,
            seed=3,
            device=device,
            state=state,
            micro_batch=micro_batch,
        ):
            records.append(record)
            snapshots.append(state.snapshot())
        return network.state_dict(), plain(records), snapshots

    @pytest.mark.parametrize("micro_batch", [None, 5])
    @pytest.mark.parametrize("epoch", [1, 2, 3])
    def test_equals_an_unbroken_training_to_the_bit(self, epoch, micro_batch):
        weights, records, snapshots = self.run(micro_batch=micro_batch)

        resumed, later, _ = self.run(start=snapshots[epoch - 1], micro_batch=micro_batch)

        assert later == records[epoch:]
        assert all(torch.equal(resumed[name], weights[name]) for name in weights)

    @pytest.mark.parametrize("epoch", [1, 3])
    def test_so_does_the_average_of_its_weights(self, epoch):
        weights, _, snapshots = self.run(ema=0.9)

        resumed, _, later = self.run(start=snapshots[epoch - 1], ema=0.9)

        unbroken = snapshots[-1]["average"]
        assert all(torch.equal(later[-1]["average"][name], unbroken[name]) for name in unbroken)
        assert all(torch.equal(resumed[name], weights[name]) for name in weights)

    def test_a_snapshot_does_not_move_with_the_training(self):
        *_, snapshots = self.run()
        *_, again = self.run()

        assert [snapshot["epoch"] for snapshot in snapshots] == [1, 2, 3, 4]
        first, last = (each["weights"]["head.weight"] for each in (snapshots[0], snapshots[-1]))
        assert not torch.equal(first, last)
        assert torch.equal(first, again[0]["weights"]["head.weight"])

    @pytest.mark.parametrize("killed_in", [2, 3, 4])
    def test_of_a_candidate_through_a_file(self, killed_in, tmp_path):
        unbroken = [*train_candidate(task(), CANDIDATE, start=None, place=place_in(tmp_path))]
        place_in(tmp_path).remove()
        first = train_candidate(task(), CANDIDATE, start=None, place=place_in(tmp_path))
        for _ in range(killed_in):
            next(first)

        start = place_in(tmp_path).newest()
        records = [*train_candidate(task(), CANDIDATE, start=start, place=place_in(tmp_path))]

        assert start.epoch == killed_in - 1, "what was yielded last is not written yet"
        assert plain(records) == plain(unbroken)
        assert records[: killed_in - 1] == [*start.records], "told again as they were"


class TestFiles:
    def test_two_keys_take_turns_and_the_newest_is_used(self, tmp_path):
        place = written(tmp_path, 1, 2, 3)

        assert place_in(tmp_path).newest().epoch == 3
        assert len([*tmp_path.iterdir()]) == 2
        place.remove()
        assert [*tmp_path.iterdir()] == []
        assert place_in(tmp_path).newest() is None

    @pytest.mark.parametrize("newest_first", [True, False])
    @pytest.mark.parametrize(
        "tear",
        [
            lambda content: content[: len(content) // 2],
            lambda content: content[:-1],
            lambda content: b"",
            lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:],
            lambda content: b"something else",
        ],
        ids=["half", "one byte less", "nothing", "one bit", "foreign"],
    )
    def test_a_torn_one_is_skipped_and_written_anew(self, tear, newest_first, tmp_path):
        epochs = (1, 2) if newest_first else (1, 2, 3)
        written(tmp_path, *epochs)
        newest = max(tmp_path.iterdir(), key=lambda file: _epoch_in(file))
        newest.write_bytes(tear(newest.read_bytes()))

        place = place_in(tmp_path)

        assert place.newest().epoch == epochs[-1] - 1
        place.note(checkpoint(9))
        place.write()
        assert place_in(tmp_path).newest().epoch == 9
        assert _epoch_in(newest) == 9, "the whole one was not written over"

    def test_of_another_candidate_seed_or_search_is_foreign(self, tmp_path):
        written(tmp_path, 1)
        (file,) = tmp_path.iterdir()

        for other in (
            place_in(tmp_path, run="other"),
            place_in(tmp_path, seed=6),
            place_in(tmp_path, candidate=replace(CANDIDATE, epochs=5)),
            place_in(tmp_path, candidate=replace(CANDIDATE, replicate=1)),
        ):
            assert other.newest() is None
            (tmp_path / f"{other.key}-0.checkpoint").write_bytes(file.read_bytes())
            assert other.newest() is None, "the file says inside whose it is"

    def test_no_code_in_a_file_is_run(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return print, ("run",)

        content = sealed(KIND, {"key": place_in(tmp_path).key, "records": [], "state": Evil()})
        file = tmp_path / f"{place_in(tmp_path).key}-0.checkpoint"
        file.write_bytes(content)

        assert place_in(tmp_path).newest() is None
        with pytest.raises(ValueError, match="plain values and tensors only"):
            unsealed(KIND, content)

    def test_not_more_often_than_asked_for(self, tmp_path):
        place = place_in(tmp_path, seconds=1000.0)
        place.note(checkpoint(1))

        place.write_if_due()
        assert [*tmp_path.iterdir()] == []
        place.write()

        assert place_in(tmp_path).newest().epoch == 1

    def test_what_cannot_be_written_is_told_once_and_tried_again(self, tmp_path, caplog):
        store = SometimesFull(open_artifacts(str(tmp_path)))
        checkpoints = Checkpoints(store=store, seconds=0.0)
        places = [
            checkpoints.place("run", role, CANDIDATE, RECIPE, 0) for role in ("macro", "micro")
        ]

        for place in places:
            place.note(checkpoint(1))
            place.write_if_due()
        assert [*tmp_path.glob("*.checkpoint")] == [], "nothing torn takes up space"
        store.is_full = False
        for place in places:
            place.write_if_due()

        assert [place.newest().epoch for place in places] == [1, 1]
        first, last = [record.getMessage() for record in caplog.records]
        assert first.startswith("Cannot write checkpoints: No space left on device")
        assert "\n" not in first
        assert last == "Checkpoints are written again."

    def test_without_a_store_there_are_none(self):
        place = Checkpoints().place("run", "macro", CANDIDATE, RECIPE, 0)
        place.note(checkpoint(1))

        place.write()
        place.remove()

        assert place.newest() is None


def _epoch_in(file):
    return unsealed(KIND, file.read_bytes())["state"]["epoch"]


class SometimesFull:
    """A folder on a disk that is full at first."""

    def __init__(self, store):
        self._store, self.is_full = store, True
        self.remove, self.open_reader = store.remove, store.open_reader

    def write(self, artifact_id, content):
        if self.is_full:
            content = Cut(content)
        self._store.write(artifact_id, content)


class Cut:
    """A file whose copy runs out of space after some bytes."""

    def __init__(self, content):
        self._parts = [content.read(10)]

    def read(self, _size):
        if not self._parts:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._parts.pop()
