"""Final trainings of a small search, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from searching import NAME, bars, url

from optuna_egnas import FinalResult, LinkedStudies, load_linked_studies, train
from optuna_egnas._search.final.stored import load_final
from optuna_egnas.options import TrainOptions


def held_out() -> tuple[torch.Tensor, torch.Tensor]:
    """Test images of the kind of `bars`, others than those."""
    images, labels = bars(200)
    return images[80:], labels[80:]


def copied(source: Path, folder: Path) -> Path:
    """The search of one folder in another one."""
    (folder / "egnas.db").write_bytes((source / "egnas.db").read_bytes())
    studies = opened(folder)
    for study in (studies.macro, studies.micro):
        study.set_user_attr("egnas:places", {"artifacts": str(folder / "artifacts")})
    return folder


def opened(folder: Path) -> LinkedStudies:
    return load_linked_studies(storage=url(folder), name=NAME)


def trained(folder: Path, *, epochs: int | None = 4, **changes: Any) -> FinalResult:
    """Trained so long that it learns something, with a checkpoint after each epoch."""
    named = {key: changes.pop(key) for key in ("seeds", "watch", "data", "test") if key in changes}
    options = TrainOptions(**{"checkpoint_seconds": 0.0, **changes})
    sets = {"data": bars(), "test": held_out()}
    return train(NAME, storage=url(folder), epochs=epochs, options=options, **{**sets, **named})


def weights(folder: Path, seed: int = 0) -> dict[str, torch.Tensor]:
    return dict(load_final(opened(folder), seed).weights)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)
