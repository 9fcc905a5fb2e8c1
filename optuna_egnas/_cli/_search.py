"""`egnas search` and `egnas worker`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import EgnasError
from ..options import DataOptions, SearchOptions
from ._arguments import (
    STORAGE,
    Device,
    Json,
    Storage,
    Workers,
    changed_options,
    checked_name,
    read_arguments,
)
from ._declared import Chosen, space_kinds, with_options
from ._output import ending_in_order, errors, print_json, quiet_optuna, record, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .._search.setup import Setup
    from ._show_search import Display


@with_options(SearchOptions, DataOptions, *space_kinds())
def search(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATASET",
            help="digits, fashion-mnist, kmnist, emnist, cifar10, cifar100, folder:PATH, "
            "or a study file that ends in .toml.",
        ),
    ] = "digits",
    storage: Storage = STORAGE,
    name: Annotated[
        str | None, typer.Option(help="The search's name; default: the data set's.")
    ] = None,
    device: Device = "auto",
    *,
    chosen: Chosen,
    workers: Workers = 1,
    engine: Annotated[
        str, typer.Option(help="What runs several workers: processes (here) or ray (a cluster).")
    ] = "processes",
    forecast_only: Annotated[
        bool, typer.Option("--forecast-only", help="How large and how long? Starts nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find a whole network; the same command goes on where it was stopped."""
    from .._search import pool as _pool
    from .._search import setup as _search
    from .._search.worker import Job
    from . import _show_search as _show

    dataset, own_name, options = read_arguments(data)
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
        _tell(setup.found)
        _tell_idle(options, setup.studies.link.space.policy)
        _foretell(setup, workers)
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
    storage: Annotated[str, typer.Option(help="Where the search is kept: a SQLAlchemy URL.")],
    name: Annotated[str, typer.Option(help="The search's name.")],
    device: Device = "auto",
    *,
    chosen: Chosen,
    as_json: Json = False,
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
    from .._search.identity import stored_link
    from .._search.plan import default_name, with_method

    if options.method is not None:
        return options
    return with_method(options, stored_link(storage, name or default_name(dataset)))


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
    _tell(planned.lines())
    _tell_idle(options, next(iter(planned.spaces.values())).policy)
    told = forecast_search(planned, options, workers=workers)
    if as_json:
        print_json(told.to_json())
        return
    for line in told.lines():
        say(line)


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        errors.print(line)


def _tell_idle(options: SearchOptions, policy: str) -> None:
    """Say which options change nothing."""
    idle = options.ignored(policy)
    if idle:
        errors.print(f"Policy {policy} has no use for {', '.join(idle)}.")


def _foretell(setup: Setup, workers: int) -> None:
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
        told = forecast_and_store(setup, workers=workers)
    except (RuntimeError, EgnasError) as error:
        # A device without the memory for it, say: the search itself divides its batches then.
        errors.print(f"No forecast: {' '.join(str(error).split())}")
        return
    _tell(told.lines())


def _train(setup: Setup, display: Display, train: Callable[[], None]) -> None:
    """Train until all is done; on Ctrl-C or SIGTERM, end in order."""
    if setup.moved_from is not None:
        errors.print(f"Checkpoints are kept elsewhere from now on; until now {setup.moved_from}.")
    with ending_in_order(), display.following(setup.studies):
        train()


def _finish(setup: Setup, storage: str, *, as_json: bool) -> None:
    from .._storage.limits import limit_reached
    from . import _show_search as _show

    if not setup.studies.result().finished:
        reached = limit_reached(setup.studies.first)
        errors.print(f"Ended early: {reached}. The same command goes on from here.")
    if as_json:
        print_json(record(setup.studies, resumed=setup.resumed))
        return
    _show.print_result(setup.studies, storage)
