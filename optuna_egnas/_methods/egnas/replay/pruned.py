"""Replays the depth and width candidates of a recorded search under a pruner.

The recorded walk goes on whatever the pruner says: a stopped candidate's later epochs stay hidden
from the pruner, and the walk gets the recorded outcome. `BudgetPruner` prunes the linked macro
study of that walk. Optuna's pruners know no walk: for them each epoch is a step, each phase a
study of its own, and a stopped candidate a PRUNED trial.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
)
from optuna.trial import TrialState

from ...._core.history import Candidate
from ...._core.proposal import Done
from ...._core.text import short
from ...._storage.reader import suggest
from ....errors import InvalidSpace
from ....pruners import BudgetPruner
from .replay import Replay, open_replay, replay

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import Trial

    from ...._search.studies import LinkedStudies
    from .trace import Recorded, Trace


def patient(patience: int = 3) -> BasePruner:
    """Optuna's median pruner, with patience."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return PatientPruner(MedianPruner(), patience=patience)


OPTUNAS: dict[str, Callable[[], BasePruner]] = {
    "median": MedianPruner,
    "percentile": lambda: PercentilePruner(25.0),
    "sha": SuccessiveHalvingPruner,
    "hyperband": HyperbandPruner,
    "patient": patient,
}
PRUNERS = ("none", "budget", *OPTUNAS)
"""Names of the pruners, all with their own defaults but the 25th percentile and a patience of
3."""
COMPARED = ("depth", "width")

Stops = dict[int, int]
"""For each stopped candidate, by its index in the record, the epochs that it was trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedReplay:
    """What a pruner would have saved of a recorded search; depth and width candidates only.

    Args:
        replay: whether the walk is the recorded one, as without a pruner.
        pruner: its name.
        epochs: those of all depth and width candidates.
        accepted: those of them that the search accepted, its first candidate included.
        stops: the candidates that the pruner stops.
        candidates: the depth and width candidates with their index in the record.

    Examples:
        >>> from pathlib import Path
        >>> from optuna_egnas.replay import pruned_replay, read_trace
        >>> trace = read_trace(Path("walk.json"))  # of `egnas show digits --trace walk.json`
        >>> pruned_replay(trace, pruner="budget").accepted_stopped
        0
    """

    replay: Replay
    pruner: str
    candidates: tuple[tuple[int, Recorded], ...]
    accepted: frozenset[int]
    stops: Stops

    @property
    def epochs(self) -> int:
        """Epochs of all depth and width candidates."""
        return sum(recorded.epochs for _, recorded in self.candidates)

    @property
    def epochs_saved(self) -> int:
        """Epochs that the stopped ones would not have been trained."""
        by_index = dict(self.candidates)
        return sum(by_index[index].epochs - trained for index, trained in self.stops.items())

    @property
    def accepted_stopped(self) -> int:
        """How many of the accepted ones are stopped."""
        return len(self.accepted & self.stops.keys())

    def lines(self) -> list[str]:
        """The lines that a person reads."""
        return [
            *self.replay.lines(),
            f"The pruner {self.pruner!r} saves {self.epochs_saved} of the {self.epochs} epochs "
            f"of depth and width candidates, and stops {self.accepted_stopped} of the "
            f"{len(self.accepted)} that were accepted.",
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values; those of the replay under its own names. Epochs and stops are counts."""
        share = self.epochs_saved / self.epochs if self.epochs else 0.0
        return {
            **self.replay.to_json(),
            "pruner": self.pruner,
            "epochs_compared": self.epochs,
            "epochs_saved": self.epochs_saved,
            "epochs_saved_share": round(share, 6),
            "accepted": len(self.accepted),
            "accepted_stopped": self.accepted_stopped,
            "stops": [[index, trained] for index, trained in sorted(self.stops.items())],
        }


def pruned_replay(
    trace: Trace,
    *,
    pruner: str,
    storage: str | BaseStorage | None = None,
    name: str | None = None,
) -> PrunedReplay:
    """Replay a recorded search as `replay` does, and its macro part under a pruner as well.

    Raises:
        InvalidSpace: there is no pruner of this name.
        SearchError: as `replay`.

    Examples:
        >>> from pathlib import Path
        >>> from optuna_egnas.replay import pruned_replay, read_trace
        >>> trace = read_trace(Path("walk.json"))  # of `egnas show digits --trace walk.json`
        >>> pruned_replay(trace, pruner="median").replay.match
        True
    """
    if pruner not in PRUNERS:
        known = ", ".join(PRUNERS)
        raise InvalidSpace(f"`pruner` must be one of {known}, but got {short(pruner)}.")
    make: Callable[[], BasePruner] = {"budget": BudgetPruner, **OPTUNAS}.get(pruner, NopPruner)
    stops, accepted = stops_of(trace, make())
    return PrunedReplay(
        replay=replay(trace, storage=storage, name=name),
        pruner=pruner,
        candidates=tuple(compared(trace)),
        accepted=accepted,
        stops=stops,
    )


def compared(trace: Trace) -> list[tuple[int, Recorded]]:
    """The depth and width candidates with their index in the record."""
    return [
        (index, recorded)
        for index, recorded in enumerate(trace.candidates)
        if recorded.phase in COMPARED
    ]


def stops_of(trace: Trace, pruner: BasePruner) -> tuple[Stops, frozenset[int]]:
    """Whom a pruner stops, and whom the walk accepts, as far as it is the recorded one."""
    ours = isinstance(pruner, BudgetPruner)
    studies = open_replay(trace, storage=None, name=None)
    studies.macro.pruner = pruner if ours else NopPruner()
    stops: Stops = {}
    for index, recorded in compared(trace):
        trial = _ask(studies, recorded)
        if trial is None:
            break
        _train(trial, recorded, trace, index, stops)
        _finish_trial(trial, recorded, trace)
    if not ours:
        for phase in COMPARED:
            stops |= _stops_in_phase(trace, phase, pruner)
    return stops, _accepted(studies, trace)


def _ask(studies: LinkedStudies, recorded: Recorded) -> Trial | None:
    """A trial of the recorded candidate; None where the walk has left the record."""
    if isinstance(studies.frontier("macro"), Done):
        return None
    reader = studies.reader("macro")
    assert reader is not None
    trial = studies.macro.ask()
    candidate = suggest(trial, reader.space)
    same = Candidate(architecture=recorded.architecture, epochs=recorded.epochs) == candidate
    return trial if same else None


def _train(trial: Trial, recorded: Recorded, trace: Trace, index: int, stops: Stops) -> bool:
    """Report the recorded epochs until the pruner stops the trial; whether it did."""
    for epoch, correct in enumerate(recorded.valid_correct, start=1):
        trial.report(correct / trace.n_valid, epoch)
        if trial.should_prune():
            stops[index] = epoch
            return True
    return False


def _finish_trial(trial: Trial, recorded: Recorded, trace: Trace) -> None:
    """Give the walk the recorded outcome."""
    if recorded.train_correct:
        trial.set_user_attr("train_accuracy", max(recorded.train_correct) / trace.n_train)
    if recorded.refused is not None:
        trial.study.tell(trial, state=TrialState.PRUNED)
        return
    trial.study.tell(trial, max(recorded.valid_correct) / trace.n_valid)


def _stops_in_phase(trace: Trace, phase: str, pruner: BasePruner) -> Stops:
    """Whom one of Optuna's pruners stops in one phase."""
    stops: Stops = {}
    # HyperbandPruner draws a trial's bracket from the name of its study.
    study = optuna.create_study(
        study_name=f"{trace.dataset}/{phase}", direction="maximize", pruner=pruner
    )
    for index, recorded in compared(trace):
        if recorded.phase != phase:
            continue
        trial = study.ask()
        stopped = _train(trial, recorded, trace, index, stops)
        if stopped or not recorded.valid_correct:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, max(recorded.valid_correct) / trace.n_valid)
    return stops


def _accepted(studies: LinkedStudies, trace: Trace) -> frozenset[int]:
    walk = studies.walk("macro")
    assert walk is not None
    steps = zip(compared(trace), walk.steps, strict=False)
    return frozenset(index for (index, _), step in steps if step.passed)
