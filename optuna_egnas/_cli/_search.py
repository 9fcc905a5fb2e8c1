"""`egnas search` and `egnas worker`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from .._core.commands import (
    DATASET,
    DEVICE,
    ENGINE,
    FORECAST_ONLY,
    GIVEN_NAME,
    GIVEN_STORAGE,
    JSON,
    NAME,
    RECIPE_FIELD,
    STORAGE,
    WORKERS,
)
from .._core.recipe import Recipe
from ..errors import EgnasError
from ..options import DataOptions, SearchOptions
from ._arguments import (
    Device,
    Json,
    RecipeFields,
    Storage,
    changed_options,
    checked_name,
    read_arguments,
)
from ._declared import Chosen, space_kinds, told, typed, with_options
from ._output import ending_in_order, errors, print_json, quiet_optuna, record, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .._search.setup import Setup
    from ._show_search import Display


@with_options(SearchOptions, DataOptions, *space_kinds())
def search(  # noqa: PLR0913 - a parameter for each option
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATASET",
            help=told(DATASET),
            show_default=False,
        ),
    ] = DATASET.default,
    storage: Storage = STORAGE.default,
    name: Annotated[str | None, typed(NAME)] = NAME.default,
    device: Device = DEVICE.default,
    recipe: RecipeFields = RECIPE_FIELD.default,
    *,
    chosen: Chosen,
    workers: Annotated[int, typed(WORKERS)] = WORKERS.default,
    engine: Annotated[str, typed(ENGINE)] = ENGINE.default,
    forecast_only: Annotated[bool, typed(FORECAST_ONLY)] = FORECAST_ONLY.default,
    as_json: Json = JSON.default,
) -> None:
    """Find a whole network; the same command goes on where it was stopped."""
    from .._search import pool as _pool
    from .._search import setup as _search
    from .._search.worker import Job
    from . import _show_search as _show

    dataset, own_name, options = read_arguments(data)
    options = replace(options, recipe={**options.recipe, **Recipe.read_fields(recipe or ())})
    name = own_name if name is None else checked_name(name)
    quiet_optuna()
    options = changed_options(
        options,
        chosen,
        lambda options: options if forecast_only else _known(options, dataset, storage, name),
    )
    _pool.check_workers(workers, engine, storage)
    if forecast_only:
        _forecast(dataset, name, device, options, workers, as_json=as_json)
        return
    display = _show.Display(errors)
    with _show.storage_trouble(storage):
        setup = _search.prepare(
            dataset,
            storage=storage,
            name=name,
            device=device,
            options=options,
            watch=display,
        )
        options = replace(options, method=setup.studies.link.method)
        job = Job(
            data=dataset,
            storage=storage,
            name=setup.studies.name,
            device=device,
            options=options,
        )
        _print_lines(setup.found)
        _print_idle(options, setup.studies.link.space.policy)
        _print_forecast(setup, workers)
        _train(
            setup,
            display,
            lambda: _pool.run(setup, job, workers=workers, engine=engine, watch=display),
        )
        _finish(setup, storage, as_json=as_json)


JOINING = ("artifacts", "checkpoint_seconds", "stale_after", "root")
"""What a worker chooses for itself."""


@with_options(SearchOptions, DataOptions, only=JOINING)
def worker(
    storage: Annotated[str, typed(GIVEN_STORAGE)],
    name: Annotated[str, typed(GIVEN_NAME)],
    device: Device = DEVICE.default,
    *,
    chosen: Chosen,
    as_json: Json = JSON.default,
) -> None:
    """Join a search from another terminal or another machine; it ends when the search does."""
    from .._search.run import run
    from .._search.worker import join
    from . import _show_search as _show

    options = changed_options(SearchOptions(), chosen)
    quiet_optuna()
    display = _show.Display(errors)
    with _show.storage_trouble(storage):
        setup = join(
            storage=storage,
            name=checked_name(name),
            device=device,
            options=options,
            watch=display,
        )
        _train(setup, display, lambda: run(setup))
        _finish(setup, storage, as_json=as_json)


def _known(options: SearchOptions, dataset: str, storage: str, name: str | None) -> SearchOptions:
    """The options with the method of the search that is there, where they name none."""
    from .._search.identity import stored_links
    from .._search.plan import default_name, with_method

    if options.method is not None:
        return options
    links = stored_links(storage, name or default_name(dataset))
    return with_method(options, next(iter(links.values()), None))


def _forecast(
    data: str,
    name: str | None,
    device: str,
    options: SearchOptions,
    workers: int,
    *,
    as_json: bool,
) -> None:
    """Print the forecast of a search that is only planned."""
    from .._search.forecast.forecast import forecast_search
    from .._search.plan import plan

    planned = plan(data, name=name, device=device, options=options)
    _print_lines(planned.lines())
    _print_idle(options, next(iter(planned.spaces.values())).policy)
    forecast = forecast_search(planned, options, workers=workers)
    if as_json:
        print_json(forecast.to_json())
        return
    for line in forecast.lines():
        say(line)


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        errors.print(line)


def _print_idle(options: SearchOptions, policy: str) -> None:
    """Say which options change nothing."""
    idle = options.ignored(policy)
    if idle:
        errors.print(f"Policy {policy} ignores {', '.join(idle)}.")


def _print_forecast(setup: Setup, workers: int) -> None:
    """Tell what a search that begins now will take; what was begun is estimated as it goes on."""
    from .._core.words import clock
    from .._search.forecast.estimate import seconds_left
    from .._search.forecast.forecast import forecast_and_store

    if setup.resumed:
        left = seconds_left(setup.studies, workers=workers)
        if left is not None and left.high:
            errors.print(
                f"About {clock(left.typical)} left ({clock(left.low)} to {clock(left.high)})."
            )
        return
    try:
        forecast = forecast_and_store(setup, workers=workers)
    except (RuntimeError, EgnasError) as error:
        # A device without the memory for it, say: the search itself divides its batches then.
        errors.print(f"No forecast: {' '.join(str(error).split())}")
        return
    _print_lines(forecast.lines())


def _train(setup: Setup, display: Display, train: Callable[[], None]) -> None:
    """Train until all is done; on Ctrl-C or SIGTERM, end in order."""
    if setup.moved_from is not None:
        errors.print(
            f"New checkpoints go to the new place; the old ones stay in {setup.moved_from}."
        )
    with ending_in_order(), display.following(setup.studies):
        train()


def _finish(setup: Setup, storage: str, *, as_json: bool) -> None:
    from .._storage.limits import Spent, limit_reached
    from . import _show_search as _show

    if not setup.studies.result().finished:
        reached = limit_reached(setup.studies.first, Spent(setup.studies.studies.values))
        errors.print(f"Ended early: {reached}. The same command goes on from here.")
    if as_json:
        print_json(record(setup.studies, resumed=setup.resumed))
        return
    _show.print_result(setup.studies, storage)
