"""Small real searches, in this process and in others that end badly on purpose."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.trial import TrialState

from optuna_egnas import LinkedStudies
from optuna_egnas._search.run import run
from optuna_egnas._search.setup import prepare
from optuna_egnas._storage.interrupts import Terminated, ending_on_sigterm
from optuna_egnas.evaluation.account import Progress
from optuna_egnas.options import SearchOptions

MACRO = {
    "policy": "paper",
    "min_depth": 2,
    "max_depth": 3,
    "min_width": 4,
    "max_width": 6,
    "base_epochs": 3,
}
MACRO_OF_ONE = {
    "policy": "paper",
    "min_depth": 2,
    "max_depth": 2,
    "min_width": 6,
    "max_width": 6,
    "base_epochs": 2,
}
MICRO = {"epochs": 3}
NAME = "bars"


def bars(count: int = 80) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise with a bar that lies or stands."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 2
    images = 0.7 * torch.rand(count, 1, 8, 8, generator=generator)
    for image, label in zip(images, labels, strict=True):
        place = int(torch.randint(8, (1,), generator=generator))
        bar = image[:, place, :] if label else image[:, :, place]
        bar += 0.3
    return images, labels


def options(folder: Path, **changes: Any) -> SearchOptions:
    values: dict[str, Any] = {
        "macro": MACRO,
        "micro": MICRO,
        "valid_fraction": 0.5,
        "recipe": {"batch_size": 16},
        "artifacts": str(folder / "artifacts"),
        "checkpoint_seconds": 0.0,
    }
    return SearchOptions(**{**values, **changes})


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/egnas.db"


def searched(folder: Path, *, watch: Any = None, **changes: Any) -> LinkedStudies:
    """The search in this folder, to its end or until the watcher raises."""
    setup = prepare(
        bars(), storage=url(folder), name=NAME, options=options(folder, **changes), watch=watch
    )
    run(setup)
    return setup.studies


def story(studies: LinkedStudies) -> list[dict[str, Any]]:
    """The walk of both studies, with all that was measured on it."""
    rows = []
    for role in ("macro", "micro"):
        walk, reader = studies.walk(role), studies.reader(role)
        assert walk is not None and reader is not None
        complete = {
            reader.candidate(trial): trial
            for trial in studies.study(role).trials
            if trial.state is TrialState.COMPLETE
        }
        for step in walk.steps:
            trial = complete.get(step.proposal.candidate)
            rows.append(
                {
                    "phase": step.proposal.phase,
                    "candidate": asdict(step.proposal.candidate),
                    "verdict": step.verdict,
                    "value": trial and trial.value,
                    "epochs": trial and trial.intermediate_values,
                    "train_correct": trial and trial.user_attrs["train_correct"],
                }
            )
    return rows


class At:
    """A watcher that sends a signal to its process after an epoch of the n-th candidate."""

    def __init__(self, candidate: int, epoch: int, number: int) -> None:
        self.left, self.epoch, self.number = candidate, epoch, number

    def __call__(self, event: Progress) -> None:
        if event.epoch == 0 and event.verdict is None:
            self.left -= 1
        if self.left < 0 and event.epoch == self.epoch and event.verdict is None:
            os.kill(os.getpid(), self.number)


def elsewhere(folder: Path, at: At, **changes: Any) -> int:
    """Search in a new process that gets a signal; returns how that ended."""
    context = multiprocessing.get_context("forkserver")
    # The server does not know this folder, so that it can only load what is installed.
    context.set_forkserver_preload(["optuna_egnas._search.setup"])
    process = context.Process(target=_search_there, args=(folder, at, changes))
    process.start()
    process.join(60)
    code = process.exitcode
    assert code is not None
    return code


def _search_there(folder: Path, at: At, changes: dict[str, Any]) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with ending_on_sigterm():
            searched(folder, watch=at, **changes)
    except Terminated:
        raise SystemExit(143) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def left_over(folder: Path) -> list[str]:
    """The files of a search that lie in this folder, but for the list of their owners."""
    place = folder / "artifacts"
    names = [file.name for file in place.iterdir()] if place.exists() else []
    return [name for name in names if not name.endswith(".owners")]
