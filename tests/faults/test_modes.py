"""Programs that have set modes of torch for their own work: nothing comes out otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from folders import in_memory
from PIL import Image
from searching import MACRO_OF_ONE, NAME, bars, options, story, url

from optuna_egnas import export, load_linked_studies, search, train
from optuna_egnas._finals import load_final
from optuna_egnas.evaluation._conditions import FLAGS, _backend, _read, plain_modes
from optuna_egnas.evaluation._prediction import predict, read_classifier
from optuna_egnas.options import TrainOptions

Mode = Callable[[], AbstractContextManager[Any]]


def modes() -> dict[str, Any]:
    """All modes as they are set now."""
    flags = [(path, name, partial(getattr, _backend(path), name)) for path, name, _ in FLAGS]
    return {
        **{f"{path}.{name}": _read(flag) for path, name, flag in flags},
        "dtype": torch.get_default_dtype(),
        "device": torch.empty(0).device,
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "anomaly": torch.is_anomaly_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warns only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "precision": _read(torch.get_float32_matmul_precision),
        "threads": torch.get_num_threads(),
        "numpy": np.geterr(),
    }


@contextmanager
def dtype(kind: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(kind)
    yield
    torch.set_default_dtype(torch.float32)


@contextmanager
def device(kind: str) -> Iterator[None]:
    torch.set_default_device(kind)
    yield
    torch.set_default_device(None)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


@contextmanager
def precision() -> Iterator[None]:
    torch.set_float32_matmul_precision("medium")
    with torch.backends.cudnn.flags(enabled=False, benchmark=True), np.errstate(all="raise"):
        yield
    torch.set_float32_matmul_precision("highest")


@contextmanager
def together(*modes: AbstractContextManager[Any]) -> Iterator[None]:
    with ExitStack() as stack:
        for mode in modes:
            stack.enter_context(mode)
        yield


MODES: dict[str, Mode] = {
    "float64, no gradients": lambda: together(dtype(torch.float64), torch.no_grad()),
    "bfloat16, autocast, anomaly": lambda: together(
        dtype(torch.bfloat16),
        torch.autocast("cpu", dtype=torch.bfloat16),
        torch.autograd.set_detect_anomaly(True),
    ),
    "inference, device": lambda: together(torch.inference_mode(), device("meta")),
    "device context, deterministic, precision": lambda: together(
        torch.device("meta"), deterministic(), precision()
    ),
}


class Outcome(NamedTuple):
    story: list[dict[str, Any]]
    weights: dict[str, torch.Tensor]
    guesses: Any
    logits: torch.Tensor


def everything(folder: Path, mode: Mode) -> Outcome:
    """A search, the final training of what it found, an export and predictions, in a mode."""
    images, labels = bars()
    picture = folder / "bar.png"
    Image.fromarray(images[0, 0].mul(255).to(torch.uint8).numpy()).save(picture)
    with mode():
        before = modes()
        studies = search(
            (images, labels),
            storage=url(folder),
            name=NAME,
            options=options(folder, macro=MACRO_OF_ONE, micro={"epochs": 1}),
        )
        train(
            studies,
            data=(images, labels),
            test=(images[:20], labels[:20]),
            epochs=2,
            options=TrainOptions(),
        )
        file = export(studies, folder / "out.pt2", format="torch-export").files[0]
        plain = export(studies, folder / "out.pt", format="state-dict").files[0]
        guesses = predict(read_classifier(plain), [picture])
        assert modes() == before
    logits = torch.export.load(file).module()(images[:5].mul(255).to(torch.uint8))
    found = load_linked_studies(storage=url(folder), name=NAME)
    return Outcome(story(found), dict(load_final(found).weights), guesses, logits)


@pytest.fixture(scope="module")
def plain() -> Iterator[Outcome]:
    with in_memory() as folder:
        yield everything(folder, lambda: torch.enable_grad())


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
def test_nothing_comes_out_otherwise(mode: Mode, folder: Path, plain: Outcome) -> None:
    found = everything(folder, mode)

    assert found.story == plain.story
    assert all(torch.equal(found.weights[name], plain.weights[name]) for name in plain.weights)
    assert found.guesses == plain.guesses
    assert torch.equal(found.logits, plain.logits)


def test_tensors_that_were_made_in_inference_mode_are_taken(folder: Path, plain: Outcome) -> None:
    with torch.inference_mode():
        given = bars()

    studies = search(
        given,
        storage=url(folder),
        name=NAME,
        options=options(folder, macro=MACRO_OF_ONE, micro={"epochs": 1}),
    )

    assert story(studies) == plain.story


def test_plain_modes_are_those_of_a_new_program() -> None:
    before = modes()
    with plain_modes():
        assert modes() == before
        assert modes()["dtype"] is torch.float32 and modes()["gradients"]
    assert modes() == before
