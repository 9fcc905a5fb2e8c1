"""Searches with invented scores, and traces of them, for tests."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from linking import suggest
from optuna.trial import Trial
from walking import macro, micro

from optuna_egnas import LinkedStudies, create_linked_studies
from optuna_egnas.methods import Candidate, Done
from optuna_egnas.replay import Replay, read_trace, replay

ROLES = ("macro", "micro")

N_TRAIN, N_VALID = 4000, 1000
DATASET = {"dataset": "bars", "n_train": N_TRAIN}
Record = dict[str, Any]
MISSING = object()


def answers(candidate: Candidate) -> int:
    """Invented right answers of 1,000: best at depth 5 and width 6, better with each conv."""
    architecture = candidate.architecture
    known = 900 - 9 * abs(architecture.depth - 5) + 4 * architecture.ops.count("conv")
    return known - 2 * abs(architecture.width - 6) - architecture.kernels.count(5)


def tell(studies: LinkedStudies, trial: Trial, candidate: Candidate) -> None:
    """Tell a candidate's epochs, the last one the best."""
    best = answers(candidate)
    for epoch in range(1, (candidate.epochs or 1) + 1):
        trial.report((best - 3 * ((candidate.epochs or 1) - epoch)) / N_VALID, epoch)
    trial.set_user_attr("train_correct", [N_TRAIN // 2, N_TRAIN // 2 + best])
    trial.set_user_attr("train_accuracy", (N_TRAIN // 2 + best) / N_TRAIN)
    trial.set_user_attr("seconds", 1.5)
    trial.study.tell(trial, best / N_VALID)


def searched(
    judge: Callable[[LinkedStudies, Trial, Candidate], None] = tell,
    *,
    dataset: Record | None = None,
    **space: Any,
) -> LinkedStudies:
    """A search in memory to its end; `judge` tells what training a candidate gives."""
    shared = {key: space[key] for key in ("n_valid", "max_params") if key in space}
    studies = create_linked_studies(
        storage=None,
        name="own",
        macro=macro(**{"max_depth": 7, **space}),
        micro=micro(confirm_epochs=3, **shared),
        dataset={"dataset": "bars", "n_train": N_TRAIN} if dataset is None else dataset,
    )
    for role in ROLES:
        while not isinstance(studies.frontier(role), Done):
            trial = studies.study(role).ask()
            reader = studies.reader(role)
            assert reader is not None
            judge(studies, trial, suggest(trial, reader.space))
    return studies


def replayed(record: Record, folder: Path, **arguments: Any) -> Replay:
    path = folder / "trace.json"
    path.write_text(json.dumps(record))
    return replay(read_trace(path), **arguments)


def changed(record: Record, place: tuple[str | int, ...], value: object) -> Record:
    """A copy with another value, or none, in one place."""
    whole = copy.deepcopy(record)
    inner: Any = whole
    for key in place[:-1]:
        inner = inner[key]
    if value is MISSING:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return whole
