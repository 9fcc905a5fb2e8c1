"""Memory: too little of it divides batches and changes nothing else; what is freed is kept."""

import math
import platform
import threading

import psutil
import pytest
import torch
from small_trainings import CANDIDATE, RECIPE, place_in, plain, samples, task
from torch import nn

from optuna_egnas._methods.egnas import network as _network
from optuna_egnas.evaluation.engine import candidate as _candidate
from optuna_egnas.evaluation.engine.candidate import lacks_memory, train_as, train_candidate
from optuna_egnas.evaluation.engine.conditions import conditions
from optuna_egnas.evaluation.engine.loop import train


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
        monkeypatch.setattr(_candidate, "give_memory_back", given.append)

        self.records(tmp_path)

        assert given == [torch.device("cpu")]


def test_conditions_are_those_of_before_afterwards():
    threads = torch.get_num_threads()

    with conditions(threads=2, deterministic=True):
        assert torch.get_num_threads() == 2
        assert torch.are_deterministic_algorithms_enabled()

    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="for glibc's malloc only")
LARGE = 100 * 2**20


def new_pages():
    """Pages that the kernel hands out for a large tensor that is made and dropped again."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(LARGE, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@GLIBC
def test_memory_of_one_step_serves_the_next():
    with conditions(threads=1):
        # Where the first blocks come to lie is malloc's to find out.
        fewest = min(new_pages() for _ in range(20))
        held = psutil.Process().memory_info().rss

    assert fewest < 100
    assert held - psutil.Process().memory_info().rss > LARGE / 2, "it is given back at the end"
    assert new_pages() > 1000, "and all is as before"


@GLIBC
def test_a_thread_gets_large_blocks_too():
    made = []
    with conditions(threads=1):
        thread = threading.Thread(target=lambda: made.append(torch.ones(LARGE, dtype=torch.uint8)))
        thread.start()
        thread.join()

    assert made[0].sum() == LARGE
