"""Rivals of a found network: the plain CNN, a pretrained network, and classifiers of pixels."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import mobilenet_v3_small

from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation.data.labelled import LabelledImages
from optuna_egnas.evaluation.rivals.pixels import PIXELS
from optuna_egnas.evaluation.rivals.plain import PLAIN, PlainNetwork, plain_network
from optuna_egnas.evaluation.rivals.pretrained import (
    PRETRAINED,
    PretrainedNetwork,
    checkpoint_of,
    sizes_of,
)
from optuna_egnas.methods import Shape

SHAPES: list[tuple[Shape, int]] = [((1, 28, 28), 10), ((3, 32, 32), 100), ((1, 1, 5), 2)]


def built(of: Any, network: Any, shape: Shape = (1, 8, 8), classes: int = 2, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return of.build(network, input_shape=shape, classes=classes, generator=generator).eval()


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    values = second.state_dict()
    return all(torch.equal(each, values[name]) for name, each in first.state_dict().items())


class TestPlain:
    @pytest.mark.parametrize(("shape", "classes"), SHAPES)
    @pytest.mark.parametrize("channels", [1, 6, 33])
    def test_it_is_counted_as_it_is_built(self, channels: int, shape: Shape, classes: int) -> None:
        network = PlainNetwork(channels=channels)
        module = built(PLAIN, network, shape, classes)

        assert module(torch.rand(2, *shape)).shape == (2, classes)
        counted = (network.params(shape, classes), network.macs(shape, classes))
        assert sizes_of(module, shape) == counted

    @pytest.mark.parametrize("params", [5_000, 20_000, 300_000])
    def test_it_is_as_large_as_asked(self, params: int) -> None:
        network = plain_network(params, (1, 28, 28), 10)

        assert network.params((1, 28, 28), 10) == pytest.approx(params, rel=0.05)

    def test_the_smallest_is_what_nothing_smaller_is(self) -> None:
        assert plain_network(1, (1, 8, 8), 2).channels == 1

    def test_its_weights_come_from_the_generator(self) -> None:
        network, before = PlainNetwork(channels=4), torch.get_rng_state()

        assert same(built(PLAIN, network), built(PLAIN, network))
        assert not same(built(PLAIN, network), built(PLAIN, network, seed=1))
        assert torch.equal(before, torch.get_rng_state()), "and from no other"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Path]:
    """Writes what torch would keep as weights of the network, into an empty folder of its own."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing is fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)

    def write(content: Any) -> Path:
        file = checkpoint_of(PretrainedNetwork())
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content) if isinstance(content, bytes) else torch.save(content, file)
        return file

    return write


class TestPretrained:
    def test_its_weights_are_those_of_the_file(self, weights: Callable[[Any], Path]) -> None:
        stored = mobilenet_v3_small(weights=None).state_dict()
        file = weights(stored)
        assert file.parent.name == "checkpoints" and file.name.startswith("mobilenet_v3_small-")
        before = torch.get_rng_state()

        module = built(PRETRAINED, PretrainedNetwork(), (1, 8, 8), 3)

        found = module.network.state_dict()
        assert all(torch.equal(found[name], stored[name]) for name in stored if "features" in name)
        assert module(torch.ones(2, 1, 8, 8)).shape == (2, 3)
        assert torch.equal(before, torch.get_rng_state()), "torch's own generator stays"
        again = built(PRETRAINED, PretrainedNetwork(), (1, 8, 8), 3)
        assert same(module, again), "the new head comes from the generator"
        assert not [each for each in module.modules() if isinstance(each, torch.nn.Dropout)]

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, "its weights must be in .*, but are not; nothing is downloaded"),
            (b"no weights", "must hold its weights, but does not"),
            ({"other": torch.zeros(1)}, "must hold its weights, but does not"),
            ([1], "must hold its weights, but does not"),
        ],
        ids=["none", "bytes", "others", "a list"],
    )
    def test_what_is_not_there_or_damaged_is_one_line(
        self, content: Any, said: str, weights: Callable[[Any], Path]
    ) -> None:
        if content is not None:
            weights(content)

        with pytest.raises(SearchError, match=said) as error:
            built(PRETRAINED, PretrainedNetwork())
        assert "\n" not in str(error.value)

    def test_odd_channels_are_refused(self, weights: Callable[[Any], Path]) -> None:
        with pytest.raises(SearchError, match="1 or 3 channels, but have 4"):
            built(PRETRAINED, PretrainedNetwork(), (4, 8, 8))


@pytest.mark.parametrize("rival", PIXELS, ids=lambda rival: rival.name)
def test_classifiers_of_pixels_learn_and_repeat_themselves(rival: Any) -> None:
    labels = torch.arange(60) % 3
    noise = torch.randint(60, (60, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    images = (noise + 80 * labels[:, None, None, None]).to(torch.uint8)
    training = LabelledImages(images=images, labels=labels)

    answer = rival.fit(training, 2**63 - 1)

    assert torch.equal(answer(images), labels)
    assert answer(images).dtype == torch.int64
    assert torch.equal(rival.fit(training, 2**63 - 1)(images // 2), answer(images // 2))
    assert rival.sizes((1, 4, 4), 3) in ((51, 48), (None, None))
