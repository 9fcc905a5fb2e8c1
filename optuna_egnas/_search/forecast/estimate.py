"""How long the rest of a search takes, in the light of what it has trained; and how good that was.

All is computed from the trials, whenever it is asked for: also as it stood at an earlier time.
Seconds are those on the clock, with all workers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from optuna.trial import TrialState

from ..._core.pace import Pace
from ..._core.words import clock
from ..._storage.claims import DROPPED, is_alive
from ..._storage.limits import epochs_of
from ..._storage.private import all_trials
from ..._storage.reader import Reader
from .at_start import (
    Forecast,
    Range,
    all_continuations,
    parameters_of,
    range_of,
    read_forecast,
    seconds_of,
    speedup,
)

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from ..._storage.studies import StoredStudies


CONTINUATIONS = 15
"""Number of continuations that are drawn; few, since it is done again and again."""
MILESTONES = (0.25, 0.5, 0.75)
"""Shares of a search's time at which its estimates of the rest are judged."""


class Review(NamedTuple):
    """How good the forecast and the estimates of an ended search were.

    `seconds` is what it took. `rest` are ratios, estimated to real rest, at `MILESTONES`; None
    where no training ended between there and the end.
    """

    seconds: float
    forecast: Forecast | None
    rest: tuple[float | None, ...]


def seconds_left(
    studies: StoredStudies, *, workers: int = 1, until: datetime | None = None
) -> Range | None:
    """Seconds that are left, in the light of all that was trained; None before the first.

    `until`: as it stood at that time.
    """
    done = {role: _told(studies.study(role), until) for role in studies.roles}
    forecast = read_forecast(studies)
    pace = forecast.pace if forecast else Pace(per_epoch=1.0, per_write=0.0)
    slower = _slower(studies, done, pace)
    if slower is None:
        return None
    drawn = all_continuations(
        studies.method,
        studies.spaces(),
        lambda role, space: Reader.of(studies.study(role), space).view(done[role]).history,
        Random(0),
    )
    factor = slower / speedup(workers)
    behind = _in_flight(studies, done, pace)
    left = [
        seconds_of(continuation, pace) - behind for continuation in islice(drawn, CONTINUATIONS)
    ]
    return range_of([factor * max(0.0, seconds) for seconds in left])


def seconds_spent(studies: StoredStudies, until: datetime | None = None) -> float:
    """Seconds on the clock in which at least one training ran."""
    spans = sorted(
        (trial.datetime_start, trial.datetime_complete or datetime.now())
        for role in studies.roles
        for trial in _told(studies.study(role), until)
        if _was_at_work(trial)
    )
    spent, end = 0.0, datetime.min
    for start, complete in spans:
        assert start is not None
        spent += max(0.0, (complete - max(start, end)).total_seconds())
        end = max(end, complete)
    return spent


def review(studies: StoredStudies) -> Review:
    """How good the forecast and the estimates were; the search has ended."""
    ends = sorted(
        trial.datetime_complete
        for role in studies.roles
        for trial in all_trials(studies.study(role))
        if trial.datetime_complete is not None
    )
    forecast = read_forecast(studies)
    workers = forecast.workers if forecast else 1
    spent = [seconds_spent(studies, end) for end in ends]
    rest: list[float | None] = []
    for share in MILESTONES:
        after = [
            (end, so_far)
            for end, so_far in zip(ends, spent, strict=True)
            if share * spent[-1] <= so_far < spent[-1]
        ]
        end, so_far = after[0] if after else (None, 0.0)
        left = seconds_left(studies, workers=workers, until=end) if end else None
        rest.append(left.typical / (spent[-1] - so_far) if left else None)
    return Review(seconds=spent[-1] if spent else 0.0, forecast=forecast, rest=tuple(rest))


def time_rows(studies: StoredStudies, *, finished: bool) -> list[tuple[str, str]]:
    """Rows of a name and words: time spent and left, and how good the forecast was."""
    forecast = read_forecast(studies)
    rows = []
    if forecast is not None:
        low, typical, high = map(clock, forecast.seconds)
        rows.append(("forecast at the start", f"{typical} ({low} to {high})"))
    if not finished:
        left = seconds_left(studies)
        if left is not None:
            rows.append(
                ("time spent, left", f"{clock(seconds_spent(studies))}, {clock(left.typical)}")
            )
        return rows
    seen = review(studies)
    took = clock(seen.seconds)
    if forecast is not None and forecast.seconds.typical:
        took += f", {seen.seconds / forecast.seconds.typical:.2f} times the forecast"
    rows.append(("time it took", took))
    known = [
        f"{ratio:.2f} at {share:.0%}"
        for ratio, share in zip(seen.rest, MILESTONES, strict=True)
        if ratio is not None
    ]
    if known:
        rows.append(("estimated / real rest", ", ".join(known)))
    return rows


def _slower(
    studies: StoredStudies, done: Mapping[str, list[FrozenTrial]], pace: Pace
) -> float | None:
    """How many times as long as the pace says trainings have taken; None before the first."""
    taken = foreseen = 0.0
    for role in studies.roles:
        reader = studies.reader(role) if done[role] else None
        for trial in done[role] if reader else ():
            assert reader is not None
            candidate, epochs = reader.candidate(trial), epochs_of(trial)
            if candidate is None or not epochs or not _was_at_work(trial):
                continue
            begun = replace(candidate, epochs=epochs)
            parameters = parameters_of(reader.space)
            foreseen += pace.training(reader.space, begun, parameters=parameters)
            taken += _duration(trial)
    return taken / foreseen if foreseen else None


def _was_at_work(trial: FrozenTrial) -> bool:
    """Whether a trial is trained to its end, or ended otherwise while its worker lived."""
    attributes = trial.user_attrs
    if trial.state is TrialState.RUNNING:
        # Its last report has come, and it is about to end.
        return "epochs_trained" in attributes
    # The end of one whose worker was lost says when that was found out.
    lost = trial.state is TrialState.FAIL and not {"error", DROPPED} & set(attributes)
    return not lost and trial.datetime_start is not None and trial.datetime_complete is not None


def _duration(trial: FrozenTrial) -> float:
    assert trial.datetime_start is not None
    taken = (trial.datetime_complete or datetime.now()) - trial.datetime_start
    # A clock may have been set back meanwhile.
    return max(0.0, taken.total_seconds())


def _in_flight(studies: StoredStudies, done: Mapping[str, list[FrozenTrial]], pace: Pace) -> float:
    """Seconds, by the pace, that trainings which still run have behind them."""
    behind = 0.0
    for role in studies.roles:
        running = [trial for trial in done[role] if trial.state is TrialState.RUNNING]
        reader = studies.reader(role) if running else None
        for trial in running if reader else ():
            assert reader is not None
            candidate = reader.candidate(trial)
            if candidate is not None and is_alive(trial):
                begun = replace(candidate, epochs=epochs_of(trial))
                parameters = parameters_of(reader.space)
                behind += pace.training(reader.space, begun, parameters=parameters)
    return behind


def _told(study: Study, until: datetime | None) -> list[FrozenTrial]:
    """The trials of a study, or those that had ended by then."""
    trials = all_trials(study)
    if until is None:
        return trials
    return [
        trial
        for trial in trials
        if trial.datetime_complete is not None and trial.datetime_complete <= until
    ]
