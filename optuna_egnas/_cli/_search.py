"""`egnas search` and `egnas worker`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .._arguments import (
    STORAGE,
    CheckpointEvery,
    Json,
    StaleAfter,
    Storage,
    Workers,
    changed_options,
    checked_name,
    read_arguments,
    read_duration,
)
from ..errors import EgnasError
from ._output import ending_in_order, errors, print_json, quiet_optuna, record, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .._search import Setup
    from .._show import Display
    from ..options import SearchOptions


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
    seed: Annotated[int | None, typer.Option(help="Of the split and every training.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps ...")] = "auto",
    profile: Annotated[
        str | None, typer.Option(help="Size of the space: quick (default for digits) or full.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(help="Rules of the walk: paper (published, the default) or sound."),
    ] = None,
    min_depth: Annotated[int | None, typer.Option(help="Layers to begin with.")] = None,
    max_width: Annotated[int | None, typer.Option(help="Channels to begin with.")] = None,
    max_params: Annotated[int | None, typer.Option(help="No network has more parameters.")] = None,
    max_macs: Annotated[
        int | None, typer.Option(help="No network has more multiply-accumulates per image.")
    ] = None,
    subset: Annotated[
        int | None, typer.Option(help="Use so many training images only, class by class.")
    ] = None,
    valid_fraction: Annotated[
        float | None, typer.Option(help="Share of the training images kept for validation.")
    ] = None,
    test_fraction: Annotated[
        float | None, typer.Option(help="Of folder:PATH without a test folder: share kept.")
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(help="Of folder:PATH: images are resized to so many pixels.")
    ] = None,
    ground: Annotated[
        str | None,
        typer.Option(help="What transparent images are laid on: a colour; default: white."),
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out images that cannot be read.")
    ] = False,
    data_root: Annotated[
        str | None, typer.Option(help="Folder of the data sets' files; default: data.")
    ] = None,
    download: Annotated[bool, typer.Option(help="Download a data set that is not there.")] = False,
    precision: Annotated[
        str | None,
        typer.Option(help="fp32, bf16, or auto (default): the faster, found out at the start."),
    ] = None,
    inherit: Annotated[
        bool,
        typer.Option(help="Begin with the weights of the best so far, and train for less long."),
    ] = False,
    deterministic: Annotated[
        bool, typer.Option(help="One thread and deterministic algorithms for every training.")
    ] = False,
    artifacts: Annotated[
        str | None,
        typer.Option(
            help="Where checkpoints are kept: a directory, s3://bucket/prefix or "
            "gs://bucket/prefix; default: as before, at first egnas-artifacts."
        ),
    ] = None,
    checkpoint_every: CheckpointEvery = None,
    stale_after: StaleAfter = None,
    time_limit: Annotated[
        str | None,
        typer.Option(
            help="End this run, with all its workers, after 90s, 30m, 2h ...; the best so far is "
            "shown, and the same command goes on."
        ),
    ] = None,
    max_total_epochs: Annotated[
        int | None, typer.Option(help="The same after so many epochs of all runs and workers.")
    ] = None,
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
    from .. import _search, _show, _workers

    dataset, own_name, options = read_arguments(data)
    options = changed_options(
        options,
        plain={
            "seed": seed,
            "profile": profile,
            "subset": subset,
            "valid_fraction": valid_fraction,
            "precision": precision,
            "inherit": inherit or None,
            "deterministic": deterministic or None,
            "artifacts": artifacts,
            "checkpoint_seconds": checkpoint_every,
            "stale_after": stale_after,
            "time_limit": read_duration(time_limit),
            "max_total_epochs": max_total_epochs,
        },
        data={
            "root": data_root,
            "download": download or None,
            "image_size": image_size,
            "test_fraction": test_fraction,
            "ground": ground,
            "skip_broken": skip_broken or None,
        },
        macro={
            "policy": policy,
            "min_depth": min_depth,
            "max_width": max_width,
            "max_params": max_params,
            "max_macs": max_macs,
        },
    )
    quiet_optuna()
    _workers.check_workers(workers, engine, storage)
    name = own_name if name is None else checked_name(name)
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
        job = _workers.Job(
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
            lambda: _workers.run(setup, job, workers=workers, engine=engine, watch=display),
        )
        _finish(setup, storage, as_json=as_json)


def worker(
    storage: Annotated[str, typer.Option(help="Where the search is kept: a SQLAlchemy URL.")],
    name: Annotated[str, typer.Option(help="The search's name.")],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps ...")] = "auto",
    data_root: Annotated[
        str | None, typer.Option(help="Folder of the data sets' files here.")
    ] = None,
    artifacts: Annotated[
        str | None, typer.Option(help="Where checkpoints are kept; default: as stored.")
    ] = None,
    checkpoint_every: CheckpointEvery = None,
    stale_after: StaleAfter = None,
    as_json: Json = False,
) -> None:
    """Join a search from another terminal or another machine; it ends when the search does."""
    from .. import _search, _show, _workers
    from ..options import SearchOptions

    options = changed_options(
        SearchOptions(),
        plain={
            "artifacts": artifacts,
            "checkpoint_seconds": checkpoint_every,
            "stale_after": stale_after,
        },
        data={"root": data_root},
        macro={},
    )
    quiet_optuna()
    display = _show.Display(errors)
    with _show.storage_trouble(storage):
        setup = _workers.join(
            storage=storage,
            name=checked_name(name),
            device=device,
            options=options,
            watch=display,
        )
        _train(setup, display, lambda: _search.run(setup))
        _finish(setup, storage, as_json=as_json)


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
    from .._foretell import foretell
    from .._plan import plan

    planned = plan(data, name=name, device=device, options=options)
    _tell(planned.lines())
    _tell_idle(options, planned.macro.policy)
    told = foretell(planned, options, workers=workers)
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
    from ..options import idle_options

    idle = idle_options(options, policy)
    if idle:
        errors.print(f"Policy {policy} has no use for {', '.join(idle)}.")


def _foretell(setup: Setup, workers: int) -> None:
    """Tell what a search that begins now will take; what was begun is estimated as it goes on."""
    from .._core.words import clock
    from .._estimate import seconds_left
    from .._foretell import foretell_and_store

    if setup.resumed:
        left = seconds_left(setup.studies, workers=workers)
        if left is not None and left.high:
            errors.print(
                f"About {clock(left.typical)} left ({clock(left.low)} to {clock(left.high)})."
            )
        return
    try:
        told = foretell_and_store(setup, workers=workers)
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
    from .. import _show
    from .._limits import limit_reached

    if not setup.studies.result().finished:
        reached = limit_reached(setup.studies.macro)
        errors.print(f"Ended early: {reached}. The same command goes on from here.")
    if as_json:
        print_json(record(setup.studies, resumed=setup.resumed))
        return
    _show.print_result(setup.studies, storage)
