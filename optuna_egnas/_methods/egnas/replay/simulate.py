"""Replays a recorded search with several workers, on a simulated clock.

The real samplers and the real pruner at work on real linked studies, by ask and tell; only the
training is a look into the record, and takes the seconds that it took then. This measures how
much several workers gain, and checks that they walk as one does.

What the record lacks was trained ahead without use: it takes the seconds per epoch of the nearest
recorded candidate of its phase, by parameters, and never yields a score. Its trial stays in
flight, without its worker, until the walk leaves it behind. A stop frees a worker at the end of
the running epoch; a candidate's epochs are taken to be equally long.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from ...._core.commands import WORKERS
from ...._core.history import Candidate
from ...._core.proposal import Done
from ...._core.words import clock
from ...._search.studies import LinkedStudies
from ...._storage.claims import DROPPED, claimed_phase
from ...._storage.private import all_trials
from ...._storage.reader import suggest
from ...._storage.studies import trials_of
from ....errors import SearchError
from ....samplers._method import MethodSampler
from ..architecture import Architecture, chain_of
from .replay import Replay, _finish_trial, compare, open_replay

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import Trial

    from .trace import Recorded, Trace


END, LOOK = 0, 1
"""What happens to a training: its time is over, or an epoch ends at which it may be stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What a simulated search has shown.

    Args:
        replay: what it has in common with the record.
        workers: how many there were.
        makespan: seconds from its start to its end.
        sequential: seconds of the recorded search, which had one worker.
        wasted: trials that are not on the walk.

    Examples:
        >>> from pathlib import Path
        >>> from optuna_egnas.replay import read_trace, simulate
        >>> trace = read_trace(Path("walk.json"))  # of `egnas show digits --trace walk.json`
        >>> simulation = simulate(trace, workers=2)
        >>> simulation.makespan < simulation.sequential
        True
    """

    replay: Replay
    workers: int
    makespan: float
    sequential: float
    wasted: int

    @property
    def speedup(self) -> float:
        """How many times as fast as one worker; 1 where nothing took any time."""
        return self.sequential / self.makespan if self.makespan > 0 else 1.0

    def lines(self) -> list[str]:
        """The lines that a person reads."""
        return [
            *self.replay.lines(),
            f"{self.workers} simulated workers need {clock(self.makespan)} for what took one "
            f"{clock(self.sequential)}: {self.speedup:.2f} times as fast, "
            f"{self.wasted} trials were not needed.",
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values; those of the replay under its own names."""
        return {
            **self.replay.to_json(),
            "workers": self.workers,
            "makespan_s": round(self.makespan, 3),
            "sequential_s": round(self.sequential, 3),
            "speedup": round(self.speedup, 4),
            "wasted_trials": self.wasted,
        }


def simulate(
    trace: Trace,
    *,
    workers: int,
    storage: str | BaseStorage | None = None,
    name: str | None = None,
) -> Simulation:
    """Walk through a recorded search with so many workers, in memory unless a storage is given.

    Raises:
        InvalidSpace: less than one worker.
        SearchError: the storage is out of reach, or the name belongs to a search that has begun.

    Examples:
        >>> from pathlib import Path
        >>> from optuna_egnas.replay import read_trace, simulate
        >>> trace = read_trace(Path("walk.json"))  # of `egnas show digits --trace walk.json`
        >>> simulate(trace, workers=2).replay.match  # the same walk, in less time
        True
    """
    WORKERS.check(workers)
    studies = open_replay(trace, storage=storage, name=name)
    begun = len(trials_of(studies))
    if begun:
        raise SearchError(
            f"A simulation must begin with no trials, but {studies.name!r} has {begun}: "
            "give another storage."
        )
    simulation = _Simulation(trace=trace, record=_Record.of(trace), studies=studies, idle=workers)
    simulation.run()
    walks = [studies.walk(role) for role in studies.roles]
    on_path = sum(len(walk.steps) for walk in walks if walk)
    return Simulation(
        replay=compare(studies, trace),
        workers=workers,
        makespan=simulation.now,
        sequential=sum(recorded.seconds for recorded in trace.candidates),
        wasted=len(trials_of(studies)) - on_path,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """The recorded candidates, to be looked up."""

    known: Mapping[tuple[str, Architecture, int], Recorded]

    @classmethod
    def of(cls, trace: Trace) -> _Record:
        return cls(
            known={(each.phase, each.architecture, each.epochs): each for each in trace.candidates}
        )

    def find(self, phase: str, candidate: Candidate) -> Recorded | None:
        """The candidate as it was recorded."""
        return self.known.get((phase, chain_of(candidate), candidate.epochs or 0))

    def seconds_per_epoch(self, phase: str, params: int) -> float:
        """Seconds of an epoch of the nearest candidate, of the same phase where it is recorded."""
        alike = [each for each in self.known.values() if each.phase == phase]
        nearest = min(
            alike or self.known.values(), key=lambda each: abs(each.params - params), default=None
        )
        return nearest.seconds / nearest.epochs if nearest else 0.0


@dataclass(slots=True, kw_only=True, eq=False)
class _Job:
    """One trial in flight. It keeps its worker until its time is over."""

    trial: Trial
    recorded: Recorded | None
    begun: float
    epoch: float
    ends: float
    has_worker: bool = True
    is_open: bool = True

    def epoch_end(self, now: float) -> float:
        """When the epoch ends that is running now."""
        if not self.has_worker or self.epoch <= 0:
            return now
        done = math.ceil((now - self.begun) / self.epoch - 1e-9)
        return max(now, self.begun + done * self.epoch)


@dataclass(slots=True, kw_only=True, eq=False)
class _Simulation:
    """The workers, what they train, and what happens next."""

    trace: Trace
    record: _Record
    studies: LinkedStudies
    idle: int
    now: float = 0.0
    jobs: list[_Job] = field(default_factory=list)
    events: list[tuple[float, int, int, _Job]] = field(default_factory=list)
    order: count[int] = field(default_factory=count)

    def run(self) -> None:
        """Follow both walks to their end or to where they leave the record."""
        for role in self.studies.roles:
            while not self._hand_out(role):
                if not self._go_on():
                    self._close()
                    return
            self._look_at_all()
        self._close()

    def _hand_out(self, role: str) -> bool:
        """Give idle workers what nobody has; returns whether the walk has ended."""
        study = self.studies.study(role)
        assert isinstance(study.sampler, MethodSampler)
        while self.idle:
            ahead = study.sampler.frontier(study)
            if isinstance(ahead, Done):
                return True
            if not ahead:
                return False
            self._begin(study, study.sampler)
        return False

    def _begin(self, study: Study, sampler: MethodSampler) -> None:
        trial = study.ask()
        space = sampler.reader(study).space
        candidate = suggest(trial, space)
        phase = claimed_phase(all_trials(study)[trial.number])
        assert phase is not None and candidate.epochs is not None
        recorded = self.record.find(phase, candidate)
        epoch = self.record.seconds_per_epoch(phase, space.params(candidate.architecture))
        seconds = recorded.seconds if recorded else epoch * candidate.epochs
        job = _Job(
            trial=trial,
            recorded=recorded,
            begun=self.now,
            epoch=seconds / candidate.epochs,
            ends=self.now + seconds,
        )
        self.idle -= 1
        self.jobs.append(job)
        self._plan(job.ends, END, job)

    def _go_on(self) -> bool:
        """Go to the next time at which a worker is free; there is none where all are for ever."""
        while self.events:
            now, what, _, job = heapq.heappop(self.events)
            if job.is_open and (what == END or job.trial.should_prune()):
                self.now = now
                self._end(job) if what == END else self._stop(job)
                return True
        return False

    def _end(self, job: _Job) -> None:
        self._free(job)
        if job.recorded is not None:
            _finish_trial(job.trial.study, job.trial, job.recorded, self.trace)
            self._leave(job)
            self._look_at_all()

    def _stop(self, job: _Job) -> None:
        job.trial.study.tell(job.trial, state=TrialState.PRUNED)
        self._free(job)
        self._leave(job)

    def _free(self, job: _Job) -> None:
        self.idle += job.has_worker
        job.has_worker = False

    def _leave(self, job: _Job) -> None:
        job.is_open = False
        self.jobs.remove(job)

    def _look_at_all(self) -> None:
        """The walk has moved: let each training see, when its epoch ends, whether to go on."""
        for job in self.jobs:
            at = job.epoch_end(self.now)
            if not job.has_worker or at < job.ends:
                self._plan(at, LOOK, job)

    def _plan(self, at: float, what: int, job: _Job) -> None:
        heapq.heappush(self.events, (at, what, next(self.order), job))

    def _close(self) -> None:
        """End what is still in flight: the search is over, or has left the record."""
        for job in list(self.jobs):
            if job.trial.should_prune():
                self._stop(job)
                continue
            job.trial.set_user_attr(DROPPED, "differs from the record")
            job.trial.study.tell(job.trial, state=TrialState.FAIL)
            self._leave(job)
