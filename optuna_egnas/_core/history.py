"""What was asked, what came back, and how several trials of one candidate read as one outcome.

A candidate is (architecture, epochs, replicate, and whose weights it begins with). A history maps
candidates to outcomes; all decisions of a search are computed from it, each time anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidSpace
from .network import Network
from .text import short

MAX_ERRORS = 2
"""A candidate that has failed this many times, each time with an error, is refused."""
MAX_LOSSES = 3
"""A candidate that has lost this many workers from one start is refused: it kills them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One training: what is trained, for how many epochs, and which repetition of it.

    `epochs` is None for a finished trial that does not say how long it was trained; it then
    stands for any budget from scratch. `parent` is the one whose final weights it begins with,
    which may have a parent itself; None: from scratch.

    Examples:
        >>> from optuna_egnas import Architecture
        >>> from optuna_egnas.methods import Candidate
        >>> network = Architecture.chain(depth=2, width=8)
        >>> Candidate(architecture=network, epochs=3) == Candidate(architecture=network, epochs=3)
        True
    """

    architecture: Network
    epochs: int | None
    replicate: int = 0
    parent: Candidate | None = None

    @property
    def is_trained_on(self) -> bool:
        """Whether it is its parent once more, trained further."""
        return self.parent is not None and self.parent.architecture == self.architecture

    @classmethod
    def from_json(
        cls, record: Mapping[str, Any], network: Callable[[Mapping[str, Any]], Network]
    ) -> Candidate:
        """Read what `to_json` wrote; `network` reads the part that is the network's."""
        parent = record.get("parent")
        return cls(
            architecture=network(record),
            epochs=record["epochs"],
            replicate=record["replicate"],
            parent=None if parent is None else cls.from_json(parent, network),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values: those of the architecture, epochs, replicate and, if any, the parent."""
        record = {
            **self.architecture.to_json(),
            "epochs": self.epochs,
            "replicate": self.replicate,
        }
        return record if self.parent is None else {**record, "parent": self.parent.to_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Trained, or otherwise measured, to the end.

    `score`: larger is better; `train_accuracy`: fraction, if known; `details`: plain values by
    name that its method wants to know of it later.

    Examples:
        >>> from optuna_egnas.methods import Trained
        >>> Trained(score=0.91, details={"proxy": 0.4}).details["proxy"]
        0.4
    """

    score: float
    train_accuracy: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.details == {}:
            return
        try:
            same = json.loads(json.dumps(self.details, allow_nan=False)) == self.details
            same = same and isinstance(self.details, dict)
        except (RecursionError, TypeError, ValueError):
            same = False
        if not same:
            raise InvalidSpace(
                "`details` must hold plain values by name (finite numbers, texts, lists, tables), "
                f"but got {short(self.details)}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Stopped by a pruner as hopeless: refused.

    `neutral`: it was only seen to be no gain; where its walk knows neutral answers, it is one.

    Examples:
        >>> from optuna_egnas.methods import Stopped
        >>> Stopped(reason="at most 0.2 points more can be expected").neutral
        False
    """

    reason: str
    neutral: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Failed by itself. `final`: trying again cannot help (a NaN loss: same seed, same NaN).

    Examples:
        >>> from optuna_egnas.methods import Failed
        >>> Failed(reason="the loss is NaN", final=True).final
        True
    """

    reason: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    """Being trained by a live worker, or about to be.

    Examples:
        >>> from optuna_egnas import Architecture
        >>> from optuna_egnas.methods import Candidate, History, Running
        >>> network = Architecture.chain(depth=2, width=8)
        >>> candidate = Candidate(architecture=network, epochs=3)
        >>> isinstance(History({candidate: Running()}).outcome(candidate), Running)
        True
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The worker died: as if it never ran, unless that happens every time.

    `start` is the epoch from which it went on: a worker that gets ahead each time is not killed
    by its candidate.
    """

    start: int = 0


Outcome = Trained | Stopped | Failed | Running
Event = Outcome | Lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One trial as it reads: `finished` is its end (seconds since the epoch), if it has ended."""

    number: int
    candidate: Candidate
    event: Event
    finished: float = float("inf")


@dataclass(frozen=True, slots=True)
class History:
    """The outcomes of a study, one for each candidate.

    Examples:
        >>> from optuna_egnas import Architecture
        >>> from optuna_egnas.methods import Candidate, History, Trained
        >>> network = Architecture.chain(depth=2, width=8)
        >>> candidate = Candidate(architecture=network, epochs=3)
        >>> history = History().with_outcome(candidate, Trained(score=0.9))
        >>> history.outcome(candidate).score
        0.9
    """

    outcomes: Mapping[Candidate, Outcome] = field(default_factory=dict)

    @classmethod
    def of(cls, observations: Iterable[Observation]) -> History:
        """Read the trials of a study; their order does not matter."""
        return Observations().history(observations)

    def with_outcome(self, candidate: Candidate, outcome: Outcome) -> History:
        """Return a history that has one more outcome."""
        return History({**self.outcomes, candidate: outcome})

    def outcome(self, candidate: Candidate) -> Outcome | None:
        """What is known of a candidate; None if it was never asked, or was lost."""
        exact = self.outcomes.get(candidate)
        if exact is not None or candidate.parent is not None:
            return exact
        unsaid = Candidate(
            architecture=candidate.architecture, epochs=None, replicate=candidate.replicate
        )
        return self.outcomes.get(unsaid)


@dataclass(frozen=True, slots=True)
class Observations:
    """Observations by candidate and number; writing one down twice changes nothing.

    `forgotten`: numbers of trials whose failures say nothing.
    """

    finished: dict[Candidate, dict[int, Observation]] = field(default_factory=dict)
    forgotten: set[int] = field(default_factory=set)

    def write(self, observation: Observation) -> None:
        """Keep what a finished trial has said."""
        by_number = self.finished.setdefault(observation.candidate, {})
        by_number[observation.number] = observation

    def history(self, unfinished: Iterable[Observation]) -> History:
        """A history of all that is kept, and of what trials say that have not finished."""
        open_: dict[Candidate, list[Observation]] = {}
        for observation in unfinished:
            open_.setdefault(observation.candidate, []).append(observation)
        return History(_Outcomes(self.finished, open_, frozenset(self.forgotten)))


class _Outcomes(Mapping[Candidate, Outcome]):
    """Outcomes that are worked out when they are asked for: a walk asks for few of many."""

    def __init__(
        self,
        finished: Mapping[Candidate, Mapping[int, Observation]],
        unfinished: Mapping[Candidate, list[Observation]],
        forgotten: frozenset[int],
    ) -> None:
        self._finished = finished
        self._unfinished = unfinished
        self._forgotten = forgotten

    def __getitem__(self, candidate: Candidate) -> Outcome:
        ended = list(self._finished.get(candidate, {}).values())
        seen = [*ended, *self._unfinished.get(candidate, ())]
        seen.sort(key=lambda observation: (observation.finished, observation.number))
        outcome = _one_outcome([each.event for each in seen if not self._is_forgotten(each)])
        if outcome is None:
            raise KeyError(candidate)
        return outcome

    def _is_forgotten(self, observation: Observation) -> bool:
        failed = isinstance(observation.event, Failed)
        return failed and observation.number in self._forgotten

    def __iter__(self) -> Iterator[Candidate]:
        known = {**self._finished, **self._unfinished}
        return (candidate for candidate in known if self.get(candidate) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _one_outcome(events: list[Event]) -> Outcome | None:
    """The first decisive event in order of arrival; else what the others add up to."""
    for event in events:
        if isinstance(event, (Trained, Stopped)) or (isinstance(event, Failed) and event.final):
            return event
    kinds = Counter(type(event) for event in events)
    errors = [event for event in events if isinstance(event, Failed)]
    if len(errors) >= MAX_ERRORS:
        return errors[-1]
    losses = Counter(event.start for event in events if isinstance(event, Lost))
    if losses and max(losses.values()) >= MAX_LOSSES:
        return Failed(reason=f"its worker was lost {kinds[Lost]} times", final=True)
    return Running() if kinds[Running] else None
