"""What a search is likely to take, before it starts: a profile of its space, and times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ..._core.method import Method, method
from ..._core.role import Survey
from ..._core.words import clock
from ...evaluation.engine.conditions import conditions, plain_modes, threads_for
from ...evaluation.engine.timing import timed_pace
from ..identity import recipe_from
from ..plan import Plan
from ..setup import moved
from ..worker import threads_each
from .at_start import Forecast, foresee, seconds_per_write, write_forecast

if TYPE_CHECKING:
    import torch

    from ..._core.pace import Pace
    from ..._core.problem import Space
    from ..._core.recipe import Recipe
    from ...evaluation.data.labelled import LabelledImages
    from ...options import SearchOptions
    from ..setup import Setup


class SearchForecast(NamedTuple):
    """What is known of a search before it starts. `where` is the device, in words."""

    survey: Survey | None
    forecast: Forecast
    where: str

    def to_json(self) -> dict[str, Any]:
        """Plain values under the names of the fields, the survey as `profile`."""
        return {
            "profile": self.survey.to_json() if self.survey else None,
            "forecast": self.forecast.to_json(),
            "where": self.where,
        }

    def lines(self) -> list[str]:
        """The lines that a person reads."""
        trainings, seconds = self.forecast.trainings, self.forecast.seconds
        workers = self.forecast.workers
        by = "" if workers == 1 else f" with {workers} workers"
        return [
            *(self.survey.lines() if self.survey else ()),
            f"Forecast: about {clock(seconds.typical)} ({clock(seconds.low)} to "
            f"{clock(seconds.high)}) for {trainings.low:.0f} to {trainings.high:.0f} trainings, "
            f"on {self.where}{by}.",
        ]


@plain_modes()
def forecast_search(planned: Plan, options: SearchOptions, *, workers: int) -> SearchForecast:
    """What is known of a search that is only planned; writes nothing."""
    recipe = planned.recipe
    if planned.is_open:
        recipe = recipe_from(planned.decided(options, None))
    pace, where = _paced(
        planned.spaces,
        (planned.training, planned.validation),
        recipe,
        planned.device,
        deterministic=options.deterministic,
        workers=workers,
    )
    return _forecast(planned.spaces, pace, where, workers=workers)


@plain_modes()
def forecast_and_store(setup: Setup, *, workers: int) -> SearchForecast:
    """What is known of a search that has not begun; its forecast is stored with it."""
    studies, objective = setup.studies, setup.objective
    spaces = studies.spaces()
    pace, where = _paced(
        spaces,
        (objective.training, objective.validation),
        objective.recipe,
        objective.device,
        deterministic=bool(studies.link.dataset.get("deterministic", False)),
        workers=workers,
    )
    pace = replace(pace, per_write=seconds_per_write(studies.first))
    found = _forecast(spaces, pace, where, workers=workers)
    write_forecast(studies, found.forecast)
    return found


def _forecast(
    spaces: Mapping[str, Space], pace: Pace, where: str, *, workers: int
) -> SearchForecast:
    of = _method_of(spaces)
    forecast = foresee(of, spaces, pace, workers=workers)
    return SearchForecast(survey=of.survey(spaces), forecast=forecast, where=where)


def _method_of(spaces: Mapping[str, Space]) -> Method:
    return method(next(iter(spaces.values())).method)


def _paced(
    spaces: Mapping[str, Space],
    images: tuple[LabelledImages, LabelledImages],
    recipe: Recipe,
    device: torch.device,
    *,
    deterministic: bool,
    workers: int,
) -> tuple[Pace, str]:
    """The pace of one of so many workers on a device, and the device in words."""
    of = _method_of(spaces)
    first = spaces[of.roles[0].name]
    side = min(first.input_shape[1:])
    threads = threads_for(side, deterministic=deterministic)
    if workers > 1:
        threads = min(threads, threads_each(workers))
    training, validation = (moved(part, device) for part in images)
    with conditions(threads=threads, deterministic=deterministic):
        pace = timed_pace(
            first, of.sample(spaces), training, validation, recipe=recipe, device=device
        )
    if device.type != "cpu":
        return pace, str(device)
    return pace, f"cpu, {threads} thread{'s' if threads > 1 else ''}"
