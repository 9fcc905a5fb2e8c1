"""An exported file is timed in its own format, by its own runtime."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from exporting import lively, logits_of

from optuna_egnas import Architecture
from optuna_egnas.evaluation.engine.latency import measured_latencies
from optuna_egnas.evaluation.trained import benchmark as _benchmark
from optuna_egnas.evaluation.trained.export import export_network, generated_images
from optuna_egnas.evaluation.trained.formats import FORMATS

TRAINED = lively(Architecture.chain(depth=2, width=4))


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_timed_is_the_file(
    tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, seen = generated_images(TRAINED), []

    def spied(answer: Any, given: torch.Tensor, **options: Any) -> Any:
        torch.testing.assert_close(answer(given), logits_of(TRAINED, images), atol=1e-4, rtol=0)
        seen.append((given.dtype, torch.get_num_threads()))
        return measured_latencies(answer, given, **options)

    monkeypatch.setattr(_benchmark, "measured_latencies", spied)
    # However busy this machine is.
    monkeypatch.setattr("optuna_egnas.evaluation.engine.latency.ENOUGH", 1e9)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        exported = export_network(TRAINED, tmp_path, format=format, benchmark=True)
        assert torch.get_num_threads() == 2, "as before"
    finally:
        torch.set_num_threads(threads)

    assert seen == [(torch.uint8, 1)]
    found = exported.benchmark
    assert found is not None
    package = "onnxruntime" if format == "onnx" else "torch"
    assert (found.runtime, found.threads) == (f"{package} {version(package)}", 1)
    one, many = found.latencies
    assert (one.batch, many.batch) == (1, 64)
    assert all(0 < each.median <= each.p95 for each in found.latencies)
    assert one.runs == 100, "fewer say little of the 95th percentile"


def test_it_is_measured_only_where_it_is_asked_for(tmp_path: Path) -> None:
    exported = export_network(TRAINED, tmp_path, format="state-dict")

    assert exported.benchmark is None
    assert exported.to_json()["benchmark"] is None


def test_the_95th_percentile_is_that_of_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0] * 3 + [float(each) for each in range(21)])
    monkeypatch.setattr(
        "optuna_egnas.evaluation.engine.latency._seconds", lambda *_: next(times) / 1e6
    )
    monkeypatch.setattr("optuna_egnas.evaluation.engine.latency.BATCHES", (1,))

    (found,) = measured_latencies(lambda _: None, torch.zeros(1, 1), most=21)

    assert found.median == pytest.approx(10e-6)
    assert found.p95 == pytest.approx(19e-6)
