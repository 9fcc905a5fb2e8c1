"""Small data, networks and trainings, for tests."""

from dataclasses import replace

import pytest
import torch
from optuna.artifacts import FileSystemArtifactStore
from walking import EGNAS

from optuna_egnas import Architecture
from optuna_egnas.evaluation.data.labelled import LabelledImages
from optuna_egnas.evaluation.engine.candidate import Task
from optuna_egnas.evaluation.engine.checkpoint import Checkpoints
from optuna_egnas.evaluation.engine.loop import train
from optuna_egnas.methods import Candidate
from optuna_egnas.options import Recipe

SMALL = Architecture.chain(depth=2, width=2)
ARCHITECTURE = Architecture(width=4, ops=("sep", "conv", "sep"), kernels=(3, 3, 5))
CANDIDATE = Candidate(architecture=ARCHITECTURE, epochs=4)
RECIPE = Recipe(crop_padding=1, cutout=2, flip=True, batch_size=16)
EVERY_EPOCH = 0.0


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Where other processes take the cores, two threads have been 100 times as slow as one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def samples(count, *, seed=0, shape=(1, 8, 8)):
    """Random images of ten classes."""
    generator = seeded(seed)
    return LabelledImages(
        images=torch.randint(256, (count, *shape), generator=generator, dtype=torch.uint8),
        labels=torch.randint(10, (count,), generator=generator),
    )


def network_of(architecture, *, seed=0, channels=1):
    return EGNAS.build(
        architecture, input_shape=(channels, 8, 8), classes=10, generator=seeded(seed)
    )


def trained(network, training, validation, *, epochs=1, recipe=None, seed=0, device="cpu"):  # noqa: PLR0913 - as the loop
    return train(
        network,
        training,
        validation,
        epochs=epochs,
        recipe=recipe or Recipe(),
        seed=seed,
        device=device,
    )


def copy_of(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(first, second):
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


def task(**changes):
    values = {
        "training": samples(100, seed=0),
        "validation": samples(30, seed=1),
        "recipe": RECIPE,
        "seed": 5,
        "device": torch.device("cpu"),
        "method": EGNAS,
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
