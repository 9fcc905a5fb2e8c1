"""Replays a recorded search: the real samplers over real linked studies, with known outcomes.

This is how the rules are checked: fed with the recorded right answers, they must ask for the same
networks in the same order and end at the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import optuna

from ...._core.history import Candidate
from ...._core.proposal import Done, Proposal
from ...._search.studies import LinkedStudies, create_linked_studies
from ...._storage.reader import suggest
from .trace import Recorded, Trace

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a replay has shown.

    Args:
        match: whether the walk and the final network are the recorded ones.
        candidates, epochs: how many trainings agreed, and their epochs.
        final: the network found and its parameters; None if the walk did not end.
        first_difference: None, or where the walk left the record: `index` (from 0), what was
            `expected` and what was `proposed` (either may be None: the end).

    Examples:
        >>> from pathlib import Path
        >>> from optuna_egnas.replay import read_trace, replay
        >>> trace = read_trace(Path("walk.json"))  # of `egnas show digits --trace walk.json`
        >>> replay(trace).lines()[0]
        '23 candidates, 112 epochs: the walk and the result are the recorded ones.'
    """

    match: bool
    candidates: int
    epochs: int
    final: Mapping[str, Any] | None
    first_difference: Mapping[str, Any] | None

    def lines(self) -> list[str]:
        """The lines that a person reads."""
        verdict = "the walk and the result are the recorded ones" if self.match else "differs"
        lines = [f"{self.candidates} candidates, {self.epochs} epochs: {verdict}."]
        if self.final is not None:
            depth, width, params = (self.final[key] for key in ("depth", "width", "params"))
            lines.append(f"Final: depth {depth}, width {width}, {params:,} parameters.")
        if self.first_difference is not None:
            difference = self.first_difference
            lines += [
                f"First difference at candidate {difference['index']} (from 0):",
                f"  expected {difference['expected']}",
                f"  proposed {difference['proposed']}",
            ]
        return lines

    def to_json(self) -> dict[str, Any]:
        """Plain values under the same names."""
        return {
            "match": self.match,
            "candidates": self.candidates,
            "epochs": self.epochs,
            "final": self.final,
            "first_difference": self.first_difference,
        }


def replay(
    trace: Trace, *, storage: str | BaseStorage | None = None, name: str | None = None
) -> Replay:
    """Walk through a recorded search, in memory unless a storage is given.

    Raises:
        SearchError: the storage is out of reach, or the name belongs to another search.

    Examples:
        >>> from pathlib import Path
        >>> from optuna_egnas.replay import read_trace, replay
        >>> trace = read_trace(Path("walk.json"))  # of `egnas show digits --trace walk.json`
        >>> replay(trace).match
        True
    """
    studies = open_replay(trace, storage=storage, name=name)
    path: list[Recorded] = []
    for role in studies.roles:
        difference = _replay_walk(studies, role, trace, path)
        if difference is not None:
            return _report(path, None, difference)
    return _compare_ends(studies, trace, path)


def open_replay(
    trace: Trace, *, storage: str | BaseStorage | None, name: str | None
) -> LinkedStudies:
    """The studies in which a trace is replayed.

    Examples:
        >>> from pathlib import Path
        >>> from optuna_egnas.replay import open_replay, read_trace
        >>> trace = read_trace(Path("walk.json"))  # of `egnas show digits --trace walk.json`
        >>> open_replay(trace, storage=None, name=None).name
        'replay-digits'
    """
    return create_linked_studies(
        storage=storage,
        name=name or f"replay-{trace.dataset}",
        macro=trace.macro,
        micro=trace.micro,
        dataset={
            "dataset": trace.dataset,
            "n_train": trace.n_train,
            "trace": trace.fingerprint(),
        },
    )


def compare(studies: LinkedStudies, trace: Trace) -> Replay:
    """Hold the walks of studies, as far as they have come, against a record.

    Examples:
        >>> from pathlib import Path
        >>> from optuna_egnas.replay import compare, open_replay, read_trace
        >>> trace = read_trace(Path("walk.json"))  # of `egnas show digits --trace walk.json`
        >>> studies = open_replay(trace, storage=None, name=None)  # nothing is trained yet
        >>> compare(studies, trace).match
        False
    """
    path: list[Recorded] = []
    for role in studies.roles:
        walk = studies.walk(role)
        assert walk is not None
        asked = [step.proposal for step in walk.steps]
        for proposal in asked:
            difference = _agree(trace, path, _proposed(studies, role, _key(proposal)))
            if difference is not None:
                return _report(path, None, difference)
        if not isinstance(walk.next, Done):
            proposed = _proposed(studies, role, _key(walk.next))
            return _report(path, None, _difference(trace, len(path), proposed))
    return _compare_ends(studies, trace, path)


def _replay_walk(
    studies: LinkedStudies, role: str, trace: Trace, path: list[Recorded]
) -> dict[str, Any] | None:
    """Walk one study to its end; appends what agreed to `path`, returns the first difference."""
    walk = studies.walk(role)
    assert walk is not None
    for step in walk.steps:
        difference = _agree(trace, path, _proposed(studies, role, _key(step.proposal)))
        if difference is not None:
            return difference
    while not isinstance(studies.frontier(role), Done):
        study = studies.study(role)
        trial = study.ask()
        reader = studies.reader(role)
        assert reader is not None
        candidate = suggest(trial, reader.space)
        walk = studies.walk(role)
        assert walk is not None and not isinstance(walk.next, Done)
        key = (walk.next.phase, candidate)
        difference = _agree(trace, path, _proposed(studies, role, key))
        if difference is not None:
            # Else three replays of a wrong record would count as three lost workers.
            trial.set_user_attr("dropped", "differs from the record")
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return difference
        _finish_trial(study, trial, path[-1], trace)
    return None


def _finish_trial(
    study: optuna.Study, trial: optuna.Trial, recorded: Recorded, trace: Trace
) -> None:
    if recorded.train_correct:
        trial.set_user_attr("train_accuracy", max(recorded.train_correct) / trace.n_train)
        trial.set_user_attr("train_correct", list(recorded.train_correct))
    trial.set_user_attr("seconds", recorded.seconds)
    trial.set_user_attr("epochs_trained", len(recorded.valid_correct))
    trial.set_user_attr("phase", recorded.phase)
    for epoch, correct in enumerate(recorded.valid_correct, start=1):
        trial.report(correct / trace.n_valid, epoch)
    if recorded.refused is not None:
        trial.set_user_attr("stopped", recorded.refused)
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return
    study.tell(trial, max(recorded.valid_correct) / trace.n_valid)


def _compare_ends(studies: LinkedStudies, trace: Trace, path: list[Recorded]) -> Replay:
    """Compare what was found, where the walk agreed and has ended."""
    final = _final(studies)
    if len(path) < len(trace.candidates):
        return _report(path, final, _difference(trace, len(path), None))
    if final != trace.final:
        difference = {"index": len(path), "expected": dict(trace.final), "proposed": final}
        return _report(path, final, difference)
    return _report(path, final, None)


def _agree(trace: Trace, path: list[Recorded], proposed: dict[str, Any]) -> dict[str, Any] | None:
    """Take the next recorded candidate onto the path if it is the proposed one."""
    index = len(path)
    if index < len(trace.candidates) and trace.candidates[index].to_json() == proposed:
        path.append(trace.candidates[index])
        return None
    return _difference(trace, index, proposed)


def _difference(trace: Trace, index: int, proposed: dict[str, Any] | None) -> dict[str, Any]:
    recorded = trace.candidates[index].to_json() if index < len(trace.candidates) else None
    return {"index": index, "expected": recorded, "proposed": proposed}


def _key(proposal: Proposal) -> tuple[str, Candidate]:
    return proposal.phase, proposal.candidate


def _proposed(studies: LinkedStudies, role: str, key: tuple[str, Candidate]) -> dict[str, Any]:
    phase, candidate = key
    reader = studies.reader(role)
    assert reader is not None
    return {
        "phase": phase,
        **candidate.architecture.to_json(),
        "epochs": candidate.epochs,
        "params": reader.space.params(candidate.architecture),
    }


def _final(studies: LinkedStudies) -> dict[str, Any] | None:
    result = studies.result()
    if result.architecture is None:
        return None
    return {**result.architecture.to_json(), "params": result.params}


def _report(
    path: list[Recorded], final: dict[str, Any] | None, difference: dict[str, Any] | None
) -> Replay:
    return Replay(
        match=difference is None,
        candidates=len(path),
        epochs=sum(recorded.epochs for recorded in path),
        final=final,
        first_difference=difference,
    )
