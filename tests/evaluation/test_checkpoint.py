"""Checkpoints: a resumed training equals an unbroken one, and no damaged file is ever used."""

import hashlib
import math
import pickle
from dataclasses import replace
from io import BytesIO

import pytest
import torch
from optuna.artifacts import FileSystemArtifactStore
from torch import nn

from optuna_egnas._artifacts import full_place, open_artifacts
from optuna_egnas._core.architecture import Architecture
from optuna_egnas._core.history import Candidate
from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation import _course, _network
from optuna_egnas.evaluation._checkpoint import MAGIC, Checkpoint, Checkpoints
from optuna_egnas.evaluation._conditions import conditions
from optuna_egnas.evaluation._course import Task, lacks_memory, train_as, train_candidate
from optuna_egnas.evaluation._data import LabelledImages
from optuna_egnas.evaluation._network import build
from optuna_egnas.evaluation._state import TrainingState
from optuna_egnas.evaluation._training import EpochRecord, Recipe, train

ARCHITECTURE = Architecture(width=4, ops=("sep", "conv", "sep"), kernels=(3, 3, 5))
CANDIDATE = Candidate(architecture=ARCHITECTURE, epochs=4)
RECIPE = Recipe(crop_padding=1, cutout=2, flip=True, batch_size=16)
EVERY_EPOCH = 0.0


@pytest.fixture(autouse=True)
def one_thread():
    with conditions(threads=1, deterministic=False):
        yield


def samples(count, *, seed):
    generator = torch.Generator().manual_seed(seed)
    return LabelledImages(
        images=torch.randint(256, (count, 1, 8, 8), generator=generator, dtype=torch.uint8),
        labels=torch.randint(10, (count,), generator=generator),
    )


def task(**changes):
    values = {
        "training": samples(100, seed=0),
        "validation": samples(30, seed=1),
        "recipe": RECIPE,
        "seed": 5,
        "device": torch.device("cpu"),
        "input_shape": (1, 8, 8),
        "classes": 10,
    }
    return Task(**{**values, **changes})


def place_in(folder, *, candidate=CANDIDATE, run="run", seconds=EVERY_EPOCH, seed=5):
    store = FileSystemArtifactStore(folder)
    checkpoints = Checkpoints(store=store, seconds=seconds)
    return checkpoints.place(run, "macro", candidate, RECIPE, seed)


def plain(records):
    """Records without what a clock says."""
    return [replace(record, seconds=0.0) for record in records]


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
    def run(self, *, start=None, stop=None, device="cpu", micro_batch=None):
        """Weights and records of a training, and its snapshot after each epoch."""
        generator = torch.Generator().manual_seed(1)
        network = build(ARCHITECTURE, input_shape=(1, 8, 8), classes=10, generator=generator)
        state, records, snapshots = TrainingState(start=start), [], []
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

        body = BytesIO()
        torch.save({"key": place_in(tmp_path).key, "records": [], "state": Evil()}, body)
        content = body.getvalue()
        digest = hashlib.sha256(content).hexdigest().encode()
        file = tmp_path / f"{place_in(tmp_path).key}-0.checkpoint"
        file.write_bytes(MAGIC + digest + content)

        assert place_in(tmp_path).newest() is None
        with pytest.raises(pickle.UnpicklingError):
            torch.load(BytesIO(content), weights_only=True)

    def test_not_more_often_than_asked_for(self, tmp_path):
        place = place_in(tmp_path, seconds=1000.0)
        place.note(checkpoint(1))

        place.write_if_due()
        assert [*tmp_path.iterdir()] == []
        place.write()

        assert place_in(tmp_path).newest().epoch == 1

    def test_what_cannot_be_written_is_a_warning(self, tmp_path):
        (tmp_path / "file").write_text("in the way")
        place = place_in(tmp_path / "file")
        place.note(checkpoint(1))

        with pytest.warns(UserWarning, match="could not be written: .*Not a directory"):
            place.write()

        place.remove()

    def test_without_a_store_there_are_none(self):
        place = Checkpoints().place("run", "macro", CANDIDATE, RECIPE, 0)
        place.note(checkpoint(1))

        place.write()
        place.remove()

        assert place.newest() is None


def _epoch_in(file):
    content = file.read_bytes()[len(MAGIC) + 64 :]
    return torch.load(BytesIO(content), weights_only=True)["state"]["epoch"]


class TestPlaces:
    def test_a_directory_is_made_at_the_first_write(self, tmp_path):
        store = open_artifacts(str(tmp_path / "new" / "deep"))
        assert [*tmp_path.iterdir()] == []

        store.write("a", BytesIO(b"x"))

        with store.open_reader("a") as file:
            assert file.read() == b"x"
        store.remove("a")
        assert full_place("s3://b/p") == "s3://b/p"
        assert full_place("here").startswith("/")

    @pytest.mark.parametrize(
        ("place", "words"),
        [
            ("ftp://host/x", "must be kept in a directory, s3://.* but got 'ftp://host/x'"),
            ("/proc/version/x", "where they can be written, but /proc/version"),
        ],
    )
    def test_refusals(self, place, words):
        with pytest.raises(SearchError, match=words):
            open_artifacts(place)

    @pytest.mark.parametrize(
        ("place", "module", "extra"),
        [("s3://bucket/a", "boto3", "s3"), ("gs://bucket/a", "google.cloud.storage", "gcs")],
    )
    def test_a_missing_package_is_one_line(self, place, module, extra):
        try:
            __import__(module)
        except ImportError:
            with pytest.raises(SearchError, match=rf"pip install 'optuna-egnas\[{extra}\]'"):
                open_artifacts(place)

    def test_a_bucket_is_tried_at_once_and_keeps_its_prefix(self, tmp_path, monkeypatch):
        opened = []

        def bucket(name):
            opened.append(name)
            return FileSystemArtifactStore(tmp_path)

        (tmp_path / "some").mkdir()
        monkeypatch.setattr("optuna_egnas._artifacts.Boto3ArtifactStore", bucket)

        open_artifacts("s3://bucket/some/").write("a", BytesIO(b"x"))

        assert opened == ["bucket"]
        assert [file.name for file in (tmp_path / "some").iterdir()] == ["a"]
        with pytest.raises(SearchError, match="Cannot keep artifacts at s3://bucket/none: "):
            open_artifacts("s3://bucket/none")


class Hungry(nn.Module):
    """A convolution that gets no memory for more than so many images in training."""

    most = 16
    refused = 0

    def __init__(self, inputs, outputs, kernel, stride):
        super().__init__()
        self.inner = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)

    def forward(self, images):
        if self.training and len(images) > Hungry.most:
            Hungry.refused += 1
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 1 GB")
        return self.inner(images)


class TestMemory:
    @pytest.fixture(autouse=True)
    def hungry(self, monkeypatch):
        monkeypatch.setattr(_network, "separable", Hungry)
        monkeypatch.setattr(Hungry, "most", 16)
        monkeypatch.setattr(Hungry, "refused", 0)

    def records(self, folder, **changes):
        place = place_in(folder)
        return [*train_candidate(task(**changes), CANDIDATE, start=place.newest(), place=place)]

    @pytest.mark.parametrize(("most", "micro_batch"), [(16, None), (15, 8), (8, 8), (5, 4)])
    def test_batches_are_halved_until_they_fit(self, most, micro_batch, tmp_path, monkeypatch):
        monkeypatch.setattr(Hungry, "most", most)

        records = self.records(tmp_path)

        assert [record.micro_batch for record in records] == [micro_batch] * 4
        assert {record.n_train for record in records} == {100}
        assert records[-1].train_loss < math.log(10) + 1

    def test_below_the_smallest_micro_batch_it_fails(self, tmp_path, monkeypatch):
        monkeypatch.setattr(Hungry, "most", 3)

        with pytest.raises(RuntimeError, match="can't allocate memory"):
            self.records(tmp_path)

        assert Hungry.refused == 3, "16, 8 and 4 images"

    def test_later_epochs_can_be_trained_again_as_they_were(self, tmp_path, monkeypatch):
        place, found = place_in(tmp_path), []
        for record in train_candidate(task(), CANDIDATE, start=None, place=place):
            found.append(record)
            monkeypatch.setattr(Hungry, "most", 16 if record.epoch < 2 else 8)

        divided = [record.micro_batch for record in found]
        monkeypatch.setattr(Hungry, "most", 16)
        again = [*train_as(task(), CANDIDATE, divided)]

        assert divided == [None, None, 8, 8]
        assert plain(again) == plain(found)
        assert plain(self.records(tmp_path)) == plain(found), "and from the checkpoint"

    def test_gradients_of_parts_add_up_to_those_of_the_batch(self):
        """Without batch norms, which see the difference, only the order of sums changes."""

        class Plain(nn.Module):
            def __init__(self):
                super().__init__()
                self.head = nn.Linear(64, 10)

            def forward(self, images):
                return self.head(images.flatten(1))

        def weights(micro_batch):
            torch.manual_seed(0)
            network = Plain()
            data = samples(37, seed=0)
            run = train(
                network,
                data,
                data,
                epochs=2,
                recipe=RECIPE,
                seed=0,
                device="cpu",
                micro_batch=micro_batch,
            )
            return network, [record.train_loss for record in run]

        (whole, losses), (divided, others) = weights(None), weights(3)

        assert torch.allclose(whole.head.weight, divided.head.weight, atol=1e-6)
        assert losses == pytest.approx(others, rel=1e-5)

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (MemoryError(), True),
            (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
            (RuntimeError("MPS backend out of memory"), True),
            (RuntimeError("[enforce fail at alloc_cpu.cpp] can't allocate memory"), True),
            (RuntimeError("shapes cannot be multiplied"), False),
            (ValueError("out of memory"), False),
        ],
    )
    def test_which_errors_are_about_memory(self, error, expected):
        assert lacks_memory(error) is expected

    def test_memory_is_given_back_before_the_next_attempt(self, tmp_path, monkeypatch):
        monkeypatch.setattr(Hungry, "most", 8)
        given = []
        monkeypatch.setattr(_course, "give_memory_back", given.append)

        self.records(tmp_path)

        assert given == [torch.device("cpu")]


def test_conditions_are_those_of_before_afterwards():
    threads = torch.get_num_threads()

    with conditions(threads=2, deterministic=True):
        assert torch.get_num_threads() == 2
        assert torch.are_deterministic_algorithms_enabled()

    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
