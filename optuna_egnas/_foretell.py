"""What a search is likely to take, told before it starts: a profile of its space, and times."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ._core.profile import Profile, Sized, profile
from ._core.words import clock
from ._forecast import Forecast, foresee, seconds_per_write, stored_spaces, write_forecast
from ._plan import Plan
from ._search import moved
from ._stored import recipe_from
from ._workers import threads_each
from .evaluation._conditions import conditions, plain_modes, threads_for
from .evaluation._timing import timed_pace

if TYPE_CHECKING:
    import torch

    from ._core.macro import MacroSpace
    from ._core.micro import MicroSpace
    from ._core.pace import Pace
    from ._search import Setup
    from .evaluation._data import LabelledImages
    from .evaluation._training import Recipe
    from .options import SearchOptions


class Told(NamedTuple):
    """What is known of a search before it starts. `where` is the device, in words."""

    profile: Profile
    forecast: Forecast
    where: str

    def to_json(self) -> dict[str, Any]:
        """Plain values under the same names."""
        return {
            "profile": self.profile.to_json(),
            "forecast": self.forecast.to_json(),
            "where": self.where,
        }

    def lines(self) -> list[str]:
        """The same for a person."""
        trainings, seconds = self.forecast.trainings, self.forecast.seconds
        workers = self.forecast.workers
        by = "" if workers == 1 else f" with {workers} workers"
        fit = f", {100 * self.profile.share:.0f} % of them fit the limits"
        return [
            f"Space: {self.profile.networks:,} chains{fit if self.profile.share < 1 else ''}; "
            "then operations and kernel sizes, layer by layer.",
            *(
                f"  {name:9}{_size(sized)}"
                for name, sized in (
                    ("smallest", self.profile.smallest),
                    ("median", self.profile.median),
                    ("largest", self.profile.largest),
                )
            ),
            f"Forecast: about {clock(seconds.typical)} ({clock(seconds.low)} to "
            f"{clock(seconds.high)}) for {trainings.low:.0f} to {trainings.high:.0f} trainings, "
            f"on {self.where}{by}.",
        ]


@plain_modes()
def foretell(planned: Plan, options: SearchOptions, *, workers: int) -> Told:
    """What is known of a search that is only planned; writes nothing."""
    recipe = planned.recipe
    if planned.is_open:
        recipe = recipe_from(planned.decided(options, None))
    pace, where = _paced(
        planned.macro,
        (planned.training, planned.validation),
        recipe,
        planned.device,
        deterministic=options.deterministic,
        workers=workers,
    )
    return _told(planned.macro, planned.micro, pace, where, workers=workers)


@plain_modes()
def foretell_and_store(setup: Setup, *, workers: int) -> Told:
    """What is known of a search that has not begun; its forecast is stored with it."""
    studies, objective = setup.studies, setup.objective
    macro, micro = stored_spaces(studies)
    pace, where = _paced(
        macro,
        (objective.training, objective.validation),
        objective.recipe,
        objective.device,
        deterministic=bool(studies.link.dataset.get("deterministic", False)),
        workers=workers,
    )
    pace = replace(pace, per_write=seconds_per_write(studies.macro))
    told = _told(macro, micro, pace, where, workers=workers)
    write_forecast(studies, told.forecast)
    return told


def _told(macro: MacroSpace, micro: MicroSpace, pace: Pace, where: str, *, workers: int) -> Told:
    forecast = foresee(macro, micro, pace, workers=workers)
    return Told(profile=profile(macro), forecast=forecast, where=where)


def _paced(
    macro: MacroSpace,
    images: tuple[LabelledImages, LabelledImages],
    recipe: Recipe,
    device: torch.device,
    *,
    deterministic: bool,
    workers: int,
) -> tuple[Pace, str]:
    """The pace of one of so many workers on a device, and the device in words."""
    side = min(macro.input_shape[1:])
    threads = threads_for(side, deterministic=deterministic)
    if workers > 1:
        threads = min(threads, threads_each(workers))
    training, validation = (moved(part, device) for part in images)
    with conditions(threads=threads, deterministic=deterministic):
        pace = timed_pace(macro, training, validation, recipe=recipe, device=device)
    if device.type != "cpu":
        return pace, str(device)
    return pace, f"cpu, {threads} thread{'s' if threads > 1 else ''}"


def _size(sized: Sized) -> str:
    return (
        f"depth {sized.depth:3}, width {sized.width:3}: {sized.params:>11,} parameters, "
        f"{sized.macs:>15,} multiply-accumulates"
    )
