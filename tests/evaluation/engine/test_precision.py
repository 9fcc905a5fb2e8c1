"""fp32 or bfloat16: decided once for a search, kept by all of its workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from searching import NAME, bars, options, prepare, url
from walking import EGNAS

from optuna_egnas import Architecture, MacroSpace
from optuna_egnas._core.recipe import Precision
from optuna_egnas._search.setup import Setup
from optuna_egnas._search.worker import join
from optuna_egnas.errors import EgnasError
from optuna_egnas.evaluation.data.labelled import LabelledImages
from optuna_egnas.evaluation.engine.loop import train
from optuna_egnas.evaluation.engine.precision import NARROWEST, faster_precision, has_bf16
from optuna_egnas.options import Recipe

CPU = torch.device("cpu")
TIMED = "optuna_egnas._search.identity.faster_precision"
HAS = "optuna_egnas.evaluation.engine.precision.has_bf16"


def prepared(folder: Path, **changes: Any) -> Setup:
    return prepare(bars(), storage=url(folder), name=NAME, options=options(folder, **changes))


def answers(precision: Precision) -> list[tuple[int, float]]:
    images, labels = bars(160)
    data = LabelledImages(images=(images * 255).to(torch.uint8), labels=labels)
    generator = torch.Generator().manual_seed(0)
    network = EGNAS.build(
        Architecture.chain(depth=3, width=8), input_shape=(1, 8, 8), classes=2, generator=generator
    )
    recipe = Recipe(batch_size=16, learning_rate=0.1, precision=precision)
    run = train(network, data, data, epochs=8, recipe=recipe, seed=0, device=CPU)
    return [(record.valid_correct, record.train_loss) for record in run]


def never(*_: object, **__: object) -> NoReturn:
    raise AssertionError("nothing is to be timed")


def test_bf16_learns_as_well_and_is_not_fp32() -> None:
    brief, plain = answers("bf16"), answers("fp32")

    assert brief != plain
    assert abs(brief[-1][0] - plain[-1][0]) <= 8, "of 160"
    assert brief[-1][0] > 140


def test_it_is_decided_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HAS, lambda device: True)
    monkeypatch.setattr(TIMED, lambda *_, **__: "bf16")

    first = prepared(tmp_path)
    monkeypatch.setattr(TIMED, never)
    second = prepared(tmp_path)

    assert first.objective.recipe.precision == second.objective.recipe.precision == "bf16"
    with pytest.raises(EgnasError, match="recipe precision is 'bf16' there, but got None"):
        prepared(tmp_path, precision="fp32")


def test_a_search_from_before_there_was_a_choice_goes_on_in_fp32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = prepared(tmp_path, precision="fp32").studies.link.dataset
    assert "recipe precision" not in stored, "as in a search of the version before"
    monkeypatch.setattr(TIMED, never)

    assert prepared(tmp_path).objective.recipe.precision == "fp32"


@pytest.mark.parametrize(
    "chosen", [{"deterministic": True}, {"precision": "fp32"}, {"recipe": {"precision": "fp32"}}]
)
def test_nothing_is_timed_where_it_is_decided_already(
    chosen: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TIMED, never)

    assert prepared(tmp_path, **chosen).objective.recipe.precision == "fp32"


def test_a_device_that_cannot_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HAS, lambda device: False)

    with pytest.raises(EgnasError, match="must have bfloat16 arithmetic, but got cpu"):
        prepared(tmp_path, precision="bf16")
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_cannot_honour_it_says_so_and_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HAS, lambda device: True)
    prepare(
        "digits",
        storage=url(tmp_path),
        name=NAME,
        options=options(tmp_path, precision="bf16", valid_fraction=0.2),
    )
    monkeypatch.setattr(HAS, lambda device: False)

    with pytest.raises(EgnasError, match="This search trains in bf16"):
        join(storage=url(tmp_path), name=NAME, device="cpu", options=options(tmp_path))


def test_an_unknown_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EgnasError, match="one of auto, fp32, bf16, but got precision='fp16'"):
        prepared(tmp_path, precision="fp16")
    with pytest.raises(EgnasError, match=r"one of fp32, bf16, but got precision=.tf32"):
        Recipe(precision="tf32")  # type: ignore[arg-type]


@pytest.mark.parametrize(("width", "supported"), [(NARROWEST - 1, True), (64, False)])
def test_fp32_is_taken_untimed_where_bf16_cannot_pay(
    width: int, supported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HAS, lambda device: supported)
    monkeypatch.setattr("optuna_egnas.evaluation.engine.precision.TrainingStep", never)

    assert chosen_for(width) == "fp32"


@pytest.mark.parametrize(("slower", "expected"), [(1.0, "fp32"), (2.0, "bf16")])
def test_the_clearly_faster_one_is_taken(
    slower: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    def clock() -> float:
        # Two looks a pass; fp32 and bf16 take turns.
        now[0] += 1.0
        fp32 = now[0] % 4 == 2
        return now[0] + (slower - 1.0 if fp32 else 0.0)

    monkeypatch.setattr(HAS, lambda device: True)
    monkeypatch.setattr("optuna_egnas.evaluation.engine.precision.time.perf_counter", clock)

    assert chosen_for(32) == expected


def chosen_for(width: int) -> str:
    return faster_precision(
        MacroSpace(input_shape=(1, 8, 8), classes=2),
        Architecture.chain(depth=2, width=width),
        recipe=Recipe(batch_size=4),
        device=CPU,
    )


def test_apple_and_unknown_devices_train_in_fp32() -> None:
    assert not has_bf16(torch.device("mps"))
    assert isinstance(has_bf16(CPU), bool)
