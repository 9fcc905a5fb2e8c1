"""How long a search will take, foreseen at its start.

Plausible continuations of all walks are drawn (`_core/continuation.py`), and each of their
trainings is taken to last as long as the pace says. The forecast is stored with its pace. Seconds
are those on the clock, with all workers. `estimate.py` goes on from here while the search runs.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, pairwise
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from ..._core.history import Candidate, History
from ..._core.method import Method
from ..._core.pace import Pace
from ..._core.parameters import ranges
from ..._core.problem import Space
from ..._core.proposal import Continuation
from ..._storage.attributes import FORECAST_RULE
from ..._storage.private import study_attributes, write_attribute

if TYPE_CHECKING:
    from optuna.study import Study

    from ..._storage.studies import StoredStudies


FORECAST = "egnas:forecast"
CONTINUATIONS = 60
"""Number of continuations that are drawn."""
LOW, HIGH = 0.1, 0.9
"""The range holds the continuations between these shares of them."""
SPEEDUPS = {1: 1.0, 2: 1.89, 4: 3.45, 8: 5.64, 16: 8.10, 32: 8.78}
"""Speed-up by the number of workers, simulated: studies/workers/REPORT.md."""


class Range(NamedTuple):
    """A number that is not known: it may well be `low` or `high`, and `typical` is the median."""

    low: float
    typical: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a search may take: trainings, and seconds on the clock with so many workers."""

    trainings: Range
    seconds: Range
    workers: int
    pace: Pace

    def to_json(self) -> dict[str, Any]:
        """Plain values under the field names."""
        return {
            "trainings": list(self.trainings),
            "seconds": [round(each, 3) for each in self.seconds],
            "workers": self.workers,
            "pace": self.pace.to_json(),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Forecast:
        """Read what `to_json` wrote."""
        return cls(
            trainings=Range(*record["trainings"]),
            seconds=Range(*record["seconds"]),
            workers=record["workers"],
            pace=Pace.from_json(record["pace"]),
        )


def foresee(
    method: Method, spaces: Mapping[str, Space], pace: Pace, *, workers: int, seed: int = 0
) -> Forecast:
    """A forecast for a search that has not begun."""
    drawn = list(islice(all_continuations(method, spaces, _nothing, Random(seed)), CONTINUATIONS))
    seconds = [seconds_of(continuation, pace) / speedup(workers) for continuation in drawn]
    spread = range_of(seconds)
    return Forecast(
        trainings=range_of(
            [float(sum(len(part.left) for part in continuation)) for continuation in drawn]
        ),
        seconds=Range(
            spread.low * (1 - min(pace.misfit, 0.9)),
            spread.typical,
            spread.high * (1 + pace.misfit),
        ),
        workers=workers,
        pace=pace,
    )


def write_forecast(studies: StoredStudies, forecast: Forecast) -> None:
    """Store the forecast of a search's start."""
    write_attribute(studies.first, FORECAST, forecast.to_json())


def read_forecast(studies: StoredStudies) -> Forecast | None:
    """The forecast of a search's start; None where there was none that could be read."""
    record = study_attributes(studies.first).get(FORECAST)
    return None if record is None or FORECAST_RULE(record) else Forecast.from_json(record)


def seconds_per_write(study: Study) -> float:
    """How long the storage takes to write one thing, by writing nothing of value a few times."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        write_attribute(study, FORECAST, None)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def speedup(workers: int) -> float:
    """How many times as fast as one so many workers are; between the simulated ones, a line."""
    for (low, slow), (high, fast) in pairwise(SPEEDUPS.items()):
        if workers <= high:
            return slow + (fast - slow) * (workers - low) / (high - low)
    return max(SPEEDUPS.values())


class Ahead(NamedTuple):
    """What one continuation of a search has still to train in one of its studies."""

    space: Space
    left: tuple[Candidate, ...]


def all_continuations(
    method: Method,
    spaces: Mapping[str, Space],
    history_of: Callable[[str, Space], History],
    generator: Random,
) -> Iterator[tuple[Ahead, ...]]:
    """Yield continuations of a search: one of its first study, then one of each next study.

    `history_of` returns the history of a study by its space, once its start is known.
    """
    roles = [role.name for role in method.roles]
    going: dict[tuple[str, Space], Iterator[Continuation]] = {}
    known = {roles[0]: history_of(roles[0], spaces[roles[0]])}
    while True:
        parts: list[Ahead] = []
        found = None
        for role in method.roles:
            space = spaces[role.name]
            if parts and found is None:
                break
            if role.start is not None and found is not None:
                trained = {*parts[-1].left, *known[roles[len(parts) - 1]].outcomes}
                spent = sum(each.epochs or 0 for each in trained)
                space = replace(space, **role.start(space, replace(found, spent=spent)))
            key = (role.name, space)
            if key not in going:
                known[role.name] = history_of(role.name, space)
                going[key] = space.continuations(known[role.name], generator)
            continuation = next(going[key])
            # What an earlier study has trained already, the next one takes over.
            before = [each for part in parts for each in part.left]
            earlier = [known[name] for name in roles[: len(parts)]]
            left = tuple(
                candidate
                for candidate in continuation.left
                if candidate not in before
                and all(history.outcome(candidate) is None for history in earlier)
            )
            parts.append(Ahead(space, left))
            found = continuation.found
        yield tuple(parts)


def _nothing(role: str, space: Space) -> History:
    return History()


def seconds_of(continuation: tuple[Ahead, ...], pace: Pace) -> float:
    """Seconds of a continuation for one worker."""
    return sum(
        pace.training(part.space, candidate, parameters=parameters_of(part.space))
        for part in continuation
        for candidate in part.left
    )


@lru_cache(maxsize=256)
def parameters_of(space: Space) -> int:
    """How many parameters a trial of this space has."""
    return len(ranges(space, linked=True))


def range_of(values: list[float]) -> Range:
    ordered = sorted(values)
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in (LOW, HIGH))
    return Range(low, statistics.median(ordered), high)
