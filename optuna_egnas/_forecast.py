"""How long a search will take, foreseen at its start.

Plausible courses of both walks are drawn (`_core/outlook.py`), and each of their trainings is
taken to last as long as the pace says. The forecast is stored with its pace. Seconds are those on
the clock, with all workers. `_estimate.py` goes on from here while the search runs.
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

from ._attributes import FORECAST_RULE
from ._claims import study_attributes, write_attribute
from ._core.encoding import Names, ranges
from ._core.history import Candidate, History
from ._core.macro import MacroSpace
from ._core.micro import MicroSpace
from ._core.outlook import Course, courses
from ._core.pace import Pace
from ._link import ROLES, read_link, start_from

if TYPE_CHECKING:
    from optuna.study import Study

    from ._linked import LinkedStudies

FORECAST = "egnas:forecast"
COURSES = 60
"""So many courses are drawn."""
LOW, HIGH = 0.1, 0.9
"""The range holds the courses between these shares of them."""
SPEEDUPS = {1: 1.0, 2: 1.89, 4: 3.45, 8: 5.64, 16: 8.10, 32: 8.78}
"""How many times as fast so many workers are: studies/workers/REPORT.md, simulated."""


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
    macro: MacroSpace, micro: MicroSpace, pace: Pace, *, workers: int, seed: int = 0
) -> Forecast:
    """A forecast for a search that has not begun."""
    drawn = list(islice(both_courses(macro, History(), micro, _nothing, Random(seed)), COURSES))
    seconds = [seconds_of(macro, course, pace) / speedup(workers) for course in drawn]
    spread = range_of(seconds)
    return Forecast(
        trainings=range_of([float(len(course.all)) for course in drawn]),
        seconds=Range(
            spread.low * (1 - min(pace.misfit, 0.9)),
            spread.typical,
            spread.high * (1 + pace.misfit),
        ),
        workers=workers,
        pace=pace,
    )


def stored_spaces(studies: LinkedStudies) -> tuple[MacroSpace, MicroSpace]:
    """The spaces of a search; that of its micro study as it is before the hand-over."""
    macro, micro = (read_link(study_attributes(studies.study(role))) for role in ROLES)
    assert macro is not None and isinstance(macro.space, MacroSpace)
    assert micro is not None and isinstance(micro.space, MicroSpace)
    return macro.space, micro.space


def write_forecast(studies: LinkedStudies, forecast: Forecast) -> None:
    """Store the forecast of a search's start."""
    write_attribute(studies.macro, FORECAST, forecast.to_json())


def read_forecast(studies: LinkedStudies) -> Forecast | None:
    """The forecast of a search's start; None where there was none that could be read."""
    record = study_attributes(studies.macro).get(FORECAST)
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
    """What one course of both walks has still to train; `space` is that of its micro search."""

    macro: tuple[Candidate, ...]
    micro: tuple[Candidate, ...]
    space: MicroSpace

    @property
    def all(self) -> tuple[Candidate, ...]:
        return (*self.macro, *self.micro)


def both_courses(
    macro: MacroSpace,
    history: History,
    micro: MicroSpace,
    told: Callable[[MicroSpace], History],
    generator: Random,
) -> Iterator[Ahead]:
    """Courses of the macro walk, each with one of the micro walk that starts from its end."""
    going: dict[MicroSpace, Iterator[Course]] = {}
    for course in courses(macro, history, generator):
        if course.found is None:
            yield Ahead(course.left, (), micro)
            continue
        space = replace(micro, **start_from(micro, course.found))
        if space not in going:
            going[space] = courses(space, told(space), generator)
        # What the macro search has trained already, the micro search takes over.
        left = tuple(
            candidate
            for candidate in next(going[space]).left
            if candidate not in course.left and history.outcome(candidate) is None
        )
        yield Ahead(course.left, left, space)


def _nothing(space: MicroSpace) -> History:
    return History()


def seconds_of(macro: MacroSpace, ahead: Ahead, pace: Pace) -> float:
    """Seconds of a course for one worker."""
    spaces = ((macro, ahead.macro), (ahead.space, ahead.micro))
    return sum(
        pace.training(space, candidate, parameters=parameters_of(space))
        for space, candidates in spaces
        for candidate in candidates
    )


@lru_cache(maxsize=256)
def parameters_of(space: MacroSpace | MicroSpace) -> int:
    return len(ranges(space, Names(), linked=True))


def range_of(values: list[float]) -> Range:
    ordered = sorted(values)
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in (LOW, HIGH))
    return Range(low, statistics.median(ordered), high)
