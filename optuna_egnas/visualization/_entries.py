"""The trainings of a search one by one, as tables, plots and notes show them.

First those on the walk, in its order; then those beside it: trained ahead (by a wrong guess too),
stopped, failed, lost, still running. All is read from the trials and changes nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from optuna.trial import TrialState

from .._core.history import Candidate
from .._core.network import Network
from .._core.proposal import Done, Step, Verdict
from .._core.text import clipped
from .._core.words import verdict_words
from .._storage.attributes import DETAILS, LONGEST_WORDS, of_trial, words_of_trial
from .._storage.claims import STOPPED, is_alive
from .._storage.private import all_trials
from .._storage.reader import by_candidate, decisive, trials_of_step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from optuna.trial import FrozenTrial

    from .._storage.reader import Reader
    from .._storage.studies import StoredStudies


AHEAD, STOPPED_EARLY, FAILED, LOST, RUNNING = "ahead", "stopped", "failed", "lost", "running"
"""What became of a training that is not on the walk."""


class Entry(NamedTuple):
    """One training.

    `place` counts the steps of the search from 1 and is None beside the walk; `number` is its
    trial, None where that is gone. `fate` is the verdict's name on the walk, else what became of
    it. Scores and accuracies are fractions; `best` is the incumbent's score after this step, None
    where none counts. `curve` is the validation accuracy after each epoch. `seconds` of training.
    `details` are the network's layers, where the name does not say all; `measured` is what its
    method has said of the candidate beside its score.
    """

    place: int | None
    role: str
    number: int | None
    phase: str
    name: str
    fate: str
    words: str
    architecture: Network
    details: tuple[str, ...]
    params: int
    macs: int
    epochs: int | None
    score: float | None
    standard_error: float | None
    best: float | None
    train_accuracy: float | None
    seconds: float
    curve: tuple[float, ...]
    measured: Mapping[str, Any]

    @property
    def kept(self) -> bool:
        """Whether it became the incumbent."""
        return self.fate in (Verdict.BASELINE.value, Verdict.ACCEPTED.value)


def entries(studies: StoredStudies) -> tuple[Entry, ...]:
    """All trainings of a search: on the walk in its order, then beside it by number."""
    on_walk: list[Entry] = []
    beside: list[Entry] = []
    for role in studies.roles:
        reader = studies.reader(role)
        if reader is None:
            continue
        trials = all_trials(studies.study(role))
        walk = reader.space.follow(reader.view(trials).history)
        tried = by_candidate(trials, reader)
        decided: set[int] = set()
        for entry in _steps(walk.steps, tried, reader, role, first=len(on_walk) + 1):
            on_walk.append(entry)
            if entry.number is not None:
                decided.add(entry.number)
        for trial in trials:
            candidate = reader.candidate(trial)
            if candidate is not None and trial.number not in decided:
                ended = isinstance(walk.next, Done)
                beside += _aside(trial, candidate, reader, role, ended=ended)
    return (*on_walk, *beside)


def standard_error(score: float | None, n_valid: int | None) -> float | None:
    """Binomial standard error of an accuracy over `n_valid` images; None where it has none."""
    if score is None or n_valid is None or not 0 <= score <= 1:
        return None
    return math.sqrt(score * (1 - score) / n_valid)


def _steps(
    steps: Sequence[Step],
    tried: Mapping[Candidate | None, list[FrozenTrial]],
    reader: Reader,
    role: str,
    *,
    first: int,
) -> Iterator[Entry]:
    best: float | None = None
    for place, step in enumerate(steps, start=first):
        best = step.score if step.passed else best
        trials = trials_of_step(step, tried)
        trial = decisive(trials, step.outcome) if trials else None
        counts = step.verdict is not Verdict.CONFIRMED
        yield Entry(
            place=place,
            number=trial.number if trial else None,
            phase=step.proposal.phase,
            name=reader.space.describe_proposal(step.proposal),
            fate=step.verdict.value,
            words=clipped(verdict_words(step, reader.space), LONGEST_WORDS),
            score=step.score,
            standard_error=standard_error(step.score, reader.space.n_valid),
            best=best if counts else None,
            **_measured(step.proposal.candidate, trial, reader, role),
        )


def _aside(
    trial: FrozenTrial, candidate: Candidate, reader: Reader, role: str, *, ended: bool
) -> Iterator[Entry]:
    """What a trial beside the walk was; nothing for one that has not begun."""
    became = _fate(trial, ended=ended)
    if became is None:
        return
    score = trial.value if trial.state is TrialState.COMPLETE else None
    score = reader.sign * score if score is not None else None
    yield Entry(
        place=None,
        number=trial.number,
        phase=of_trial(trial, "phase") or "",
        name=reader.space.describe(candidate.architecture),
        fate=became[0],
        words=became[1],
        score=score,
        standard_error=standard_error(score, reader.space.n_valid),
        best=None,
        **_measured(candidate, trial, reader, role),
    )


def _fate(trial: FrozenTrial, *, ended: bool) -> tuple[str, str] | None:
    """What became of a trial beside the walk, and the same in words."""
    if trial.state is TrialState.COMPLETE:
        return AHEAD, "trained ahead, and not asked for" if ended else "trained ahead of the walk"
    if trial.state is TrialState.PRUNED:
        return STOPPED_EARLY, f"stopped: {words_of_trial(trial, STOPPED, 'by the pruner')}"
    if trial.state is TrialState.FAIL and "error" in trial.user_attrs:
        return FAILED, f"failed: {words_of_trial(trial, 'error', '')}"
    if trial.state is TrialState.RUNNING and is_alive(trial):
        return RUNNING, "in training"
    if trial.state is TrialState.WAITING:
        return None
    return LOST, f"cut off: {words_of_trial(trial, 'dropped', 'its worker was lost')}"


def _measured(
    candidate: Candidate, trial: FrozenTrial | None, reader: Reader, role: str
) -> dict[str, Any]:
    values = trial.intermediate_values if trial else {}
    return {
        "role": role,
        "architecture": candidate.architecture,
        "details": reader.space.details(candidate.architecture),
        "params": reader.space.params(candidate.architecture),
        "macs": reader.space.macs(candidate.architecture),
        "epochs": candidate.epochs,
        "train_accuracy": of_trial(trial, "train_accuracy"),
        "seconds": float(of_trial(trial, "seconds") or 0.0),
        "curve": tuple(reader.sign * value for _, value in sorted(values.items())),
        "measured": trial.user_attrs.get(DETAILS, {}) if trial else {},
    }
