"""The file of a trained network: it comes back whole, and anything else is refused."""

import pytest
import torch
from small_trainings import ARCHITECTURE, network_of, samples

from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation.engine.augmentation import channel_statistics, normalised
from optuna_egnas.evaluation.engine.sealed import sealed, unsealed
from optuna_egnas.evaluation.trained.network_file import KIND, TrainedNetwork, packed, unpacked


def trained(network):
    statistics = channel_statistics(samples(20).images)
    return TrainedNetwork(
        search="digits",
        architecture=ARCHITECTURE,
        input_shape=(1, 8, 8),
        class_names=tuple("0123456789"),
        mean=tuple(statistics.mean.flatten().tolist()),
        std=tuple(statistics.std.flatten().tolist()),
        weights=network.state_dict(),
        seed=3,
        epochs=2,
        test_correct=9,
        n_test=10,
    )


def test_a_network_comes_back_from_its_file():
    network = network_of(ARCHITECTURE, seed=7).eval()
    original = trained(network)

    again = unpacked(packed(original))

    images = normalised(samples(5, seed=1).images, again.statistics)
    assert torch.equal(again.network()(images), network(images))
    for field in ("search", "architecture", "input_shape", "class_names", "mean", "std", "seed"):
        assert getattr(again, field) == getattr(original, field)
    assert again.test_accuracy == 0.9


def test_a_file_of_0_1_0_says_nothing_of_reading_and_means_the_first_one():
    record = unsealed(KIND, packed(trained(network_of(ARCHITECTURE))))
    del record["reading"], record["ground"]

    again = unpacked(sealed(KIND, record))

    assert (again.reading, again.ground) == (1, "white")


def test_without_a_test_there_is_no_accuracy():
    network = network_of(ARCHITECTURE)
    original = trained(network)
    record = {name: getattr(original, name) for name in TrainedNetwork.__slots__}
    assert (
        TrainedNetwork(**(record | {"n_test": None, "test_correct": None})).test_accuracy is None
    )


def _flipped(content):
    return content[:-40] + bytes([content[-40] ^ 1]) + content[-39:]


def _with(content, **changes):
    return sealed(KIND, unsealed(KIND, content) | changes)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: b"GIF89a" + content, "must begin with egnas-network/1, but got b'GIF89a"),
        (lambda content: b"", "must begin with egnas-network/1, but got b''"),
        (_flipped, "must have the checksum at its head, but has another"),
        (lambda content: content[:-1], "must have the checksum"),
        (lambda content: sealed("checkpoint/1", {}), "must begin with egnas-network/1"),
        (lambda content: sealed(KIND, {}), "`search` is missing"),
        (lambda content: _with(content, weights={}), "but are 0 values in 0 tensors"),
        (lambda content: _with(content, colour="red"), "but has 'colour'"),
    ],
)
def test_anything_else_is_refused_and_named(damage, reason):
    content = packed(trained(network_of(ARCHITECTURE)))

    with pytest.raises(SearchError, match="must be a trained network") as refusal:
        unpacked(damage(content), "model.egnas")

    assert str(refusal.value).startswith("model.egnas ")
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)
