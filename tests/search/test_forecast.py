"""How long a search will take: foreseen, estimated under way, and held against what it took."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import optuna
import pytest
import torch
from commands import TINY, Shell, nothing
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from searching import bars
from walking import EGNAS

from optuna_egnas import (
    Architecture,
    LinkedStudies,
    MacroSpace,
    MicroSpace,
    create_linked_studies,
    load_linked_studies,
)
from optuna_egnas._core.pace import Pace, fitted
from optuna_egnas._core.parameters import encode
from optuna_egnas._methods.egnas.bounds import widest_chain
from optuna_egnas._methods.egnas.sample import sample
from optuna_egnas._search.forecast.at_start import (
    Forecast,
    foresee,
    read_forecast,
    speedup,
    write_forecast,
)
from optuna_egnas._search.forecast.estimate import review, seconds_left, seconds_spent, time_rows
from optuna_egnas._storage.reader import distributions
from optuna_egnas.evaluation.data.labelled import LabelledImages
from optuna_egnas.evaluation.engine.timing import timed_pace
from optuna_egnas.options import Recipe
from optuna_egnas.visualization._notes import study_note

TASK = {"input_shape": (1, 8, 8), "classes": 2, "n_valid": 100}
MACRO = MacroSpace(min_depth=2, max_depth=5, min_width=4, max_width=6, base_epochs=3, **TASK)  # type: ignore[arg-type]
MICRO = MicroSpace(epochs=2, **TASK)  # type: ignore[arg-type]
PACE = Pace(per_epoch=2.0, per_write=0.0)
SPACES = {"macro": MACRO, "micro": MICRO}
BEGIN = datetime(2026, 1, 1)


def create() -> LinkedStudies:
    return create_linked_studies(storage=InMemoryStorage(), name="s", macro=MACRO, micro=MICRO)


def train(studies: LinkedStudies, role: str, *, seconds_per_epoch: float, most: int = 99) -> None:
    """Walk on; each training takes so long on an invented clock, one after another."""
    study = studies.macro if role == "macro" else studies.micro
    for _ in range(most):
        ahead = studies.frontier("macro" if role == "macro" else "micro")
        if not isinstance(ahead, tuple):
            return
        candidate = ahead[0].candidate
        assert candidate.epochs is not None
        ends = [t.datetime_complete for s in (studies.macro, studies.micro) for t in s.trials]
        start = max((end for end in ends if end is not None), default=BEGIN)
        reader = studies.reader("macro" if role == "macro" else "micro")
        assert reader is not None
        trial = optuna.create_trial(
            params=encode(candidate, reader.space, reader.names, linked=True),
            distributions=distributions(reader.space, reader.names, linked=True),
            value=0.5,
            intermediate_values={epoch: 0.5 for epoch in range(1, candidate.epochs + 1)},
        )
        trial.datetime_start = start
        trial.datetime_complete = start + timedelta(seconds=seconds_per_epoch * candidate.epochs)
        study.add_trial(trial)


def whole(*, seconds_per_epoch: float) -> LinkedStudies:
    studies = create()
    write_forecast(studies, foresee(EGNAS, SPACES, PACE, workers=1))
    train(studies, "macro", seconds_per_epoch=seconds_per_epoch)
    train(studies, "micro", seconds_per_epoch=seconds_per_epoch)
    assert studies.result().finished
    return studies


# Before the start


def test_a_forecast_is_a_range_and_workers_divide_it() -> None:
    alone = foresee(EGNAS, SPACES, PACE, workers=1)
    many = foresee(EGNAS, SPACES, PACE, workers=8)

    assert alone.seconds.low < alone.seconds.typical < alone.seconds.high
    assert alone.trainings.low <= alone.trainings.typical <= alone.trainings.high
    assert many.seconds.typical == pytest.approx(alone.seconds.typical / 5.64)
    assert Forecast.from_json(alone.to_json()).to_json() == alone.to_json()


def test_a_line_that_fits_badly_widens_the_range() -> None:
    sure = foresee(EGNAS, SPACES, PACE, workers=1)
    unsure = foresee(EGNAS, SPACES, Pace(per_epoch=2.0, per_write=0.0, misfit=0.5), workers=1)

    assert unsure.seconds.typical == sure.seconds.typical
    assert unsure.seconds.low == pytest.approx(sure.seconds.low * 0.5)
    assert unsure.seconds.high == pytest.approx(sure.seconds.high * 1.5)


@pytest.mark.parametrize(
    ("workers", "times"), [(1, 1.0), (2, 1.89), (3, 2.67), (16, 8.1), (1000, 8.78)]
)
def test_how_much_faster_more_workers_are(workers: int, times: float) -> None:
    assert speedup(workers) == pytest.approx(times)


def test_networks_of_several_sizes_are_timed() -> None:
    images, labels = bars(80)
    data = LabelledImages(images=(255 * images).to(torch.uint8), labels=labels)

    pace = timed_pace(
        MACRO,
        EGNAS.sample(SPACES),
        data,
        data,
        recipe=Recipe(batch_size=16),
        device=torch.device("cpu"),
    )

    assert pace.epoch(MACRO, sample(MACRO)[0]) > 0
    assert sample(MACRO)[0] == widest_chain(MACRO, 2), "the first that the search trains"
    assert len(sample(MACRO)) == len(set(sample(MACRO))) == 6
    assert len(sample(MacroSpace(min_depth=2, max_depth=2, min_width=4, max_width=4))) == 3


@pytest.mark.parametrize("seconds", [(0.0, 0.0, 0.0), (0.0, 1.0, 2.0), (1e-300, 1.0, 1e300)])
def test_times_of_any_size_give_a_pace(seconds: tuple[float, ...]) -> None:
    timed = [(Architecture.chain(depth=2 + k, width=4), taken) for k, taken in enumerate(seconds)]
    pace = fitted(MACRO, timed)
    assert 0 <= pace.epoch(MACRO, timed[0][0]) < math.inf
    assert math.isfinite(pace.misfit)


# Under way


def test_what_is_left_is_of_the_pace_that_trainings_really_have() -> None:
    slow, fast = create(), create()
    for studies, seconds in ((slow, 8.0), (fast, 2.0)):
        write_forecast(studies, foresee(EGNAS, SPACES, PACE, workers=1))
        assert seconds_left(studies) is None, "nothing is trained yet"
        train(studies, "macro", seconds_per_epoch=seconds, most=2)

    left_slow, left_fast = seconds_left(slow), seconds_left(fast)
    assert left_slow is not None and left_fast is not None
    assert left_slow.typical == pytest.approx(4 * left_fast.typical)
    halved = seconds_left(slow, workers=2)
    assert halved is not None
    assert halved.typical == pytest.approx(left_slow.typical / 1.89)


def test_a_search_without_a_forecast_is_estimated_by_its_epochs() -> None:
    studies = create()
    train(studies, "macro", seconds_per_epoch=3.0, most=1)

    left = seconds_left(studies)

    assert left is not None and 0 < left.low <= left.typical <= left.high
    assert [name for name, _ in time_rows(studies, finished=False)] == ["time spent, left"]


def test_a_clock_that_was_set_back_gives_no_negative_time() -> None:
    studies = create()
    train(studies, "macro", seconds_per_epoch=-3.0, most=2)

    left = seconds_left(studies)

    assert left is not None and left.low == left.typical == left.high == 0.0
    assert seconds_spent(studies) == 0.0
    assert time_rows(studies, finished=False) == [("time spent, left", "0 s, 0 s")]


def test_time_is_counted_where_trainings_ran_once_where_two_ran_and_not_for_the_dead() -> None:
    studies = create()
    spans = [
        (0, 10, TrialState.COMPLETE),
        (5, 12, TrialState.COMPLETE),
        (20, 25, TrialState.PRUNED),
    ]
    for start, end, state in [*spans, (30, 9999, TrialState.FAIL)]:
        trial = optuna.create_trial(state=state, value=None if state is TrialState.FAIL else 0.5)
        trial.datetime_start = BEGIN + timedelta(seconds=start)
        trial.datetime_complete = BEGIN + timedelta(seconds=end)
        studies.macro.add_trial(trial)

    assert seconds_spent(studies) == 12 + 5
    assert seconds_spent(studies, BEGIN + timedelta(seconds=13)) == 12


# At the end


def test_an_ended_search_tells_how_good_its_forecast_was() -> None:
    studies = whole(seconds_per_epoch=4.0)

    seen, forecast = review(studies), read_forecast(studies)

    epochs = sum(
        len(t.intermediate_values) for s in (studies.macro, studies.micro) for t in s.trials
    )
    assert seen.seconds == 4.0 * epochs
    assert forecast == seen.forecast and forecast is not None
    assert len(seen.rest) == 3
    assert all(ratio is not None and 0.3 < ratio < 3 for ratio in seen.rest), seen.rest
    rows = dict(time_rows(studies, finished=True))
    assert (
        f"{seen.seconds / forecast.seconds.typical:.2f} times the forecast" in rows["time it took"]
    )
    assert rows["estimated / real rest"].startswith(f"{seen.rest[0]:.2f} at 25%, ")
    note = study_note(
        studies,
        "macro",
        listed=(),
        places={"macro": "/1", "micro": "/2"},
        storage="sqlite:///x.db",
        times=time_rows(studies, finished=True),
    )
    assert f"time it took: {rows['time it took']}" in note


# On the command line


def test_a_forecast_alone_starts_and_writes_nothing(egnas: Shell) -> None:
    egnas.write("tiny.toml", TINY)
    before = egnas.files()

    ran = egnas("search", "tiny.toml", "--forecast-only")
    record = egnas("search", "tiny.toml", "--forecast-only", "--json").record

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Space: 6 chains; ")
    assert "Forecast: about " in ran.out
    assert record.keys() == {"profile", "forecast", "where"}
    assert record["profile"]["smallest"]["depth"] == 2
    assert egnas.files() == before


def test_a_forecast_of_what_cannot_be_searched_is_refused(egnas: Shell) -> None:
    nothing(egnas)

    egnas.refuses("search", "--forecast-only", "--max-params", "10", saying=("No network fits",))
    egnas.refuses("search", "nothing", "--forecast-only", saying=("nothing",))


def test_a_search_stores_its_forecast_and_shows_it(egnas: Shell) -> None:
    egnas.write("tiny.toml", TINY)

    ran = egnas("search", "tiny.toml", "--max-total-epochs", "1")
    again = egnas("search", "tiny.toml")

    assert "Forecast: about " in ran.err
    assert "forecast at the start" in ran.out and "time spent, left" in ran.out
    assert again.err.startswith("About ") and "Forecast" not in again.err
    assert "time it took" in again.out and "estimated / real rest" in again.out
    studies = load_linked_studies(storage=f"sqlite:///{egnas.folder}/egnas.db", name="tiny")
    forecast = read_forecast(studies)
    assert forecast is not None and forecast.workers == 1 and forecast.pace.per_write < 1


def test_where_nothing_can_be_timed_the_search_goes_on(
    egnas: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA out of memory.")

    monkeypatch.setattr("optuna_egnas._search.forecast.forecast.timed_pace", refuse)
    egnas.write("tiny.toml", TINY)

    ran = egnas("search", "tiny.toml", "--json")

    assert ran.err.startswith("No forecast: CUDA out of memory.\n")
    assert ran.record["candidates"] > 0
