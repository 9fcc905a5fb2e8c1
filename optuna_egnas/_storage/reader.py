"""Trials of a study -> a history: states, the sign of the direction, parameters.

How a trial reads:
COMPLETE   trained; the score is the value, negated where the study minimises.
PRUNED     stopped as hopeless: refused, or neutral where its attribute `stopped_below` is
           `accept` and the step knows neutral answers; unless its attribute `stopped_by` is
           `premise` (look-ahead work whose premise failed) or `limit` (time or epochs ran out):
           then it says nothing.
FAIL       failed by itself where it has an attribute `error`; without one its worker was lost,
           unless it has `dropped` (stopped by its user): then it says nothing.
RUNNING    in flight while its worker may live, else lost.
WAITING    a claim.
A failure says nothing where any trial lists its number in the attribute `forgets`.
A trial that used none of the sampler's parameters says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState

from .._core.history import (
    Candidate,
    Event,
    Failed,
    History,
    Lost,
    Observation,
    Observations,
    Outcome,
    Running,
    Stopped,
    Trained,
)
from .._core.parameters import decode, encode, ranges
from .._core.problem import Space
from .._core.proposal import Step
from .attributes import DETAILS, check_trial
from .claims import (
    DROPPED,
    FORGETS,
    PREMISE,
    STOPPED,
    STOPPED_BELOW,
    STOPPED_BY,
    claimed,
    is_alive,
)
from .private import all_trials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial


def by_candidate(
    trials: Sequence[FrozenTrial], reader: Reader
) -> dict[Candidate | None, list[FrozenTrial]]:
    """The trials of each candidate."""
    tried: dict[Candidate | None, list[FrozenTrial]] = {}
    for trial in trials:
        tried.setdefault(reader.candidate(trial), []).append(trial)
    return tried


def trials_of_step(
    step: Step, tried: Mapping[Candidate | None, list[FrozenTrial]]
) -> list[FrozenTrial]:
    """The trials of a step's candidate; one that was brought by hand need not say its epochs."""
    candidate = step.proposal.candidate
    return tried.get(candidate) or tried.get(replace(candidate, epochs=None), [])


def decisive(trials: Sequence[FrozenTrial], outcome: Outcome | None) -> FrozenTrial:
    """The trial of a candidate that gave its outcome, among one or more."""
    state = TrialState.COMPLETE if isinstance(outcome, Trained) else TrialState.PRUNED
    ended = sorted((trial for trial in trials if trial.state is state), key=_end)
    return ended[0] if ended else trials[-1]


def _end(trial: FrozenTrial) -> tuple[float, int]:
    assert trial.datetime_complete is not None
    return trial.datetime_complete.timestamp(), trial.number


FIXED = "fixed_params"
"""Where Optuna keeps the parameters of an enqueued trial."""
NO_VERDICT = (PREMISE, "limit")
FEW = 8
"""Most trials that are read one by one; where there are more, all are read at once."""
RESUMED = "resumed_from"
"""The user attribute with the epoch from which a trial went on."""


def distributions(space: Space, names: Any = None, *, linked: bool) -> dict[str, BaseDistribution]:
    """The parameters of a space as Optuna's distributions."""
    return {
        name: IntDistribution(values[0], values[-1])
        if isinstance(values, range)
        else CategoricalDistribution(values)
        for name, values in ranges(space, names, linked=linked).items()
    }


def suggest(trial: Trial, space: Space, names: Any = None) -> Candidate:
    """Take all parameters of a linked study's trial, and read the candidate that they spell."""
    listed = distributions(space, names, linked=True)
    claim = claimed(all_trials(trial.study)[trial.number], space)
    if claim is not None:
        # A network may lack some of them: a shallower one has fewer layers.
        listed = {name: listed[name] for name in encode(claim, space, names, linked=True)}
    for name, distribution in listed.items():
        if isinstance(distribution, IntDistribution):
            trial.suggest_int(name, distribution.low, distribution.high)
        elif isinstance(distribution, CategoricalDistribution):
            trial.suggest_categorical(name, distribution.choices)
    candidate = decode(trial.params, space, names)
    assert candidate is not None
    return candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one trial says: an observation, or that its claim came back as something else.

    `overridden` is a candidate that was proposed, but not trained: a parameter is fixed by others,
    or the objective's range does not hold the value that was proposed.
    """

    observation: Observation | None = None
    overridden: Candidate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The trials of a study now: its history, and what was proposed without being trained."""

    history: History
    overridden: frozenset[Candidate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads the trials of one study as a history.

    What finished trials said is kept, since they no longer change: a new look reads only the
    others. Dropping it changes nothing, and keeping one twice neither (threads share a reader).
    """

    space: Space
    names: Any
    sign: float
    owned: frozenset[str]
    _ledger: Observations = field(default_factory=Observations)
    _overridden: set[Candidate] = field(default_factory=set)
    _kept: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, study: Study, space: Space, names: Any = None) -> Reader:
        """A reader for a single-objective study.

        A target accuracy says nothing where the study minimises: it is left out.
        """
        sign = 1.0 if study.direction is StudyDirection.MAXIMIZE else -1.0
        if sign < 0:
            space = space.without_target()
        owned = frozenset(ranges(space, names, linked=True))
        return cls(space=space, names=names, sign=sign, owned=owned)

    def history(self, study: Study) -> History:
        """The study's present history."""
        return self.view(all_trials(study)).history

    def view(self, trials: Sequence[FrozenTrial]) -> View:
        """What these trials of the study say, in the order of their numbers."""
        kept = self._kept
        readings = [
            self._keep(trial) if trial.state.is_finished() else self._read(trial)
            for trial in trials
            if trial.number not in kept
        ]
        unfinished = [
            seen.observation
            for seen in readings
            if seen.observation is not None and seen.observation.number not in kept
        ]
        return View(
            history=self._ledger.history(unfinished), overridden=frozenset(self._overridden)
        )

    def unread(self, below: int) -> list[int] | None:
        """The few trials numbered below that are not kept yet; None where they may be many."""
        missing = below - len(self._kept)
        if not 0 <= missing <= FEW or (self._kept and max(self._kept) >= below):
            return None
        backwards = (number for number in range(below - 1, -1, -1) if number not in self._kept)
        return sorted(islice(backwards, missing))

    def candidate(self, trial: FrozenTrial) -> Candidate | None:
        """What a trial trains, by its claim or by its parameters; None if it is not ours."""
        candidate = claimed(trial, self.space)
        if candidate is not None and self._agrees(trial, candidate):
            return candidate
        fixed = trial.system_attrs.get(FIXED, {})
        return decode({**fixed, **trial.params}, self.space, self.names)

    def _keep(self, trial: FrozenTrial) -> Reading:
        reading = self._read(trial)
        if reading.observation is not None:
            self._ledger.write(reading.observation)
        if reading.overridden is not None:
            self._overridden.add(reading.overridden)
        self._kept.add(trial.number)
        return reading

    def _read(self, trial: FrozenTrial) -> Reading:
        self._ledger.forgotten.update(forgotten([trial]))
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) and not self._uses_ours(trial):
            return Reading()
        check_trial(trial, self.space.network_from_json)
        candidate, event = self.candidate(trial), _event(trial, self.sign)
        claim = claimed(trial, self.space)
        overridden = claim if claim and not self._agrees(trial, claim) else None
        if candidate is None or event is None:
            return Reading(overridden=overridden)
        observation = Observation(
            number=trial.number, candidate=candidate, event=event, finished=_finished(trial)
        )
        return Reading(observation=observation, overridden=overridden)

    def _uses_ours(self, trial: FrozenTrial) -> bool:
        return not self.owned.isdisjoint(trial.params)

    def _agrees(self, trial: FrozenTrial, candidate: Candidate) -> bool:
        asked = encode(candidate, self.space, self.names, linked=True)
        return all(asked.get(name, value) == value for name, value in trial.params.items())


def forgotten(trials: Iterable[FrozenTrial]) -> set[int]:
    """The numbers of the trials whose failures say nothing, as these trials list them."""
    listed = (trial.user_attrs.get(FORGETS) for trial in trials)
    return {
        number
        for numbers in listed
        if isinstance(numbers, list)
        for number in numbers
        if isinstance(number, int)
    }


def _finished(trial: FrozenTrial) -> float:
    """When a trial ended, in seconds since the epoch; infinity if it has not."""
    if trial.datetime_complete is None:
        return float("inf")
    return trial.datetime_complete.timestamp()


def _event(trial: FrozenTrial, sign: float) -> Event | None:
    if trial.state is TrialState.COMPLETE:
        assert trial.value is not None
        return Trained(
            score=sign * trial.value,
            train_accuracy=_train_accuracy(trial),
            details=trial.user_attrs.get(DETAILS, {}),
        )
    if trial.state is TrialState.PRUNED:
        return _stopped(trial)
    if trial.state is TrialState.FAIL:
        return _failed(trial)
    if trial.state is TrialState.RUNNING and not is_alive(trial):
        return _lost(trial)
    return Running()


def _train_accuracy(trial: FrozenTrial) -> float | None:
    """What a trial says of its training data; None where that is no fraction."""
    said = trial.user_attrs.get("train_accuracy")
    if not isinstance(said, (int, float)) or isinstance(said, bool):
        return None
    return said if 0 <= said <= 1 else None


def _stopped(trial: FrozenTrial) -> Event | None:
    if trial.user_attrs.get(STOPPED_BY) in NO_VERDICT:
        return None
    return Stopped(
        reason=str(trial.user_attrs.get(STOPPED, "stopped by the pruner")),
        neutral=trial.user_attrs.get(STOPPED_BELOW) == "accept",
    )


def _failed(trial: FrozenTrial) -> Event | None:
    if DROPPED in trial.user_attrs:
        return None
    error = trial.user_attrs.get("error")
    if error is None:
        return _lost(trial)
    return Failed(reason=str(error), final=bool(trial.user_attrs.get("error_is_final", False)))


def _lost(trial: FrozenTrial) -> Lost:
    return Lost(start=int(trial.user_attrs.get(RESUMED, 0)))
