"""The command `egnas`: prints and exit codes only.

Results go to stdout, progress and errors to stderr. Exit codes: 0 done, 1 a rerun that differs,
2 bad input or a storage that cannot be used (one line says why), 130 stopped by Ctrl-C, 143 by
SIGTERM.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from ._arguments import (
    STORAGE,
    Json,
    Simulated,
    Storage,
    Workers,
    changed_options,
    checked_name,
    read_arguments,
)
from .errors import EgnasError, SearchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._linked import LinkedStudies
    from ._search import Setup
    from ._show import Display

app = typer.Typer(
    help="Global neural architecture search: depth and width, then every layer, in Optuna.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
errors = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def main() -> None:
    """Run the command line; every error of ours becomes one line and exit code 2."""
    try:
        sys.exit(app(standalone_mode=False))
    except EgnasError as error:
        _fail(str(error))
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Exception as error:
        # A wrong argument; the class of these errors has moved between typer's releases.
        if not hasattr(error, "format_message"):
            raise
        reason = error.format_message().rstrip(".")
        # Without arguments there is nothing wrong to tell: typer has shown the help.
        _fail(f"{reason}. See `egnas --help`.") if reason else sys.exit(2)


@app.command()
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
    policy: Annotated[str | None, typer.Option(help="Rules of the walk: paper.")] = None,
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
        float | None, typer.Option(help="Of folder:PATH without PATH/test: share kept for a test.")
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(help="Of folder:PATH: images are resized to so many pixels.")
    ] = None,
    data_root: Annotated[
        str | None, typer.Option(help="Folder of the data sets' files; default: data.")
    ] = None,
    download: Annotated[bool, typer.Option(help="Download a data set that is not there.")] = False,
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
    checkpoint_every: Annotated[
        float | None, typer.Option(help="Seconds between two checkpoints, at least; default: 10.")
    ] = None,
    stale_after: Annotated[
        float | None,
        typer.Option(
            help="Seconds of silence after which a worker on another machine counts as dead, "
            "where the storage has no heartbeat; default: 900."
        ),
    ] = None,
    workers: Workers = 1,
    engine: Annotated[
        str, typer.Option(help="What runs several workers: processes (here) or ray (a cluster).")
    ] = "processes",
    as_json: Json = False,
) -> None:
    """Find a whole network; the same command goes on where it was stopped."""
    from . import _search, _show, _workers

    dataset, own_name, options = read_arguments(data)
    options = changed_options(
        options,
        plain={
            "seed": seed,
            "profile": profile,
            "subset": subset,
            "valid_fraction": valid_fraction,
            "deterministic": deterministic or None,
            "artifacts": artifacts,
            "checkpoint_seconds": checkpoint_every,
            "stale_after": stale_after,
        },
        data={
            "root": data_root,
            "download": download or None,
            "image_size": image_size,
            "test_fraction": test_fraction,
        },
        macro={
            "policy": policy,
            "min_depth": min_depth,
            "max_width": max_width,
            "max_params": max_params,
            "max_macs": max_macs,
        },
    )
    _quiet_optuna()
    _workers.check_workers(workers, engine, storage)
    display = _show.Display(errors)
    with _show.storage_trouble(storage):
        setup = _search.prepare(
            dataset,
            storage=storage,
            name=own_name if name is None else checked_name(name),
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
        _train(
            setup,
            display,
            lambda: _workers.run(setup, job, workers=workers, engine=engine, watch=display),
        )
        _finish(setup, storage, as_json=as_json)


@app.command()
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
    as_json: Json = False,
) -> None:
    """Join a search from another terminal or another machine; it ends when the search does."""
    from . import _search, _show, _workers
    from .options import DataOptions, SearchOptions

    _quiet_optuna()
    display = _show.Display(errors)
    with _show.storage_trouble(storage):
        setup = _workers.join(
            storage=storage,
            name=checked_name(name),
            device=device,
            options=SearchOptions(data=DataOptions(root=data_root), artifacts=artifacts),
            watch=display,
        )
        _train(setup, display, lambda: _search.run(setup))
        _finish(setup, storage, as_json=as_json)


@app.command()
def show(
    name: Annotated[
        str | None, typer.Argument(help="The search's name; default: the only one there is.")
    ] = None,
    storage: Storage = STORAGE,
    trace: Annotated[
        Path | None, typer.Option(help="Write the search to this file, for `egnas replay`.")
    ] = None,
    trial: Annotated[
        str | None, typer.Option(help="A trial, macro/N or micro/N, for --rerun.")
    ] = None,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Train --trial again: does it agree, bit for bit?")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what a search has found, and its walk step by step."""
    from . import _show
    from ._linked import load_linked_studies, trials_of
    from ._trace import write_trace

    _quiet_optuna()
    with _show.storage_trouble(storage):
        found = _show.only_name(storage) if name is None else checked_name(name)
        studies = load_linked_studies(storage=storage, name=found)
        if rerun or trial is not None:
            _rerun(studies, trial, rerun=rerun, as_json=as_json)
        if trace is not None:
            _write(trace, json.dumps(write_trace(studies)) + "\n")
        if as_json:
            _print_json(_record(studies, resumed=len(trials_of(studies))))
            return
        _show.print_result(studies, storage)
        _show.print_walk(studies)


@app.command()
def replay(
    trace: Annotated[Path, typer.Argument(help="A recorded search (egnas-trace/1).")],
    storage: Annotated[
        str | None, typer.Option(help="Keep the replayed studies there; default: in memory.")
    ] = None,
    workers: Simulated = None,
    as_json: Json = False,
) -> None:
    """Check that the samplers walk as a recorded search did."""
    from . import _show
    from ._simulate import Simulation, simulate
    from ._trace import read_trace
    from .replay import Replay
    from .replay import replay as run_replay

    _quiet_optuna()
    shown: Replay | Simulation
    recorded, name = read_trace(trace), f"replay-{trace.stem}"
    with _show.storage_trouble(storage):
        if workers is None:
            shown = run_replay(recorded, storage=storage, name=name)
        else:
            shown = simulate(recorded, workers=workers, storage=storage, name=name)
    _print_json(shown.to_json()) if as_json else _show.print_replay(shown)


def _train(setup: Setup, display: Display, train: Callable[[], None]) -> None:
    """Train until all is done; on Ctrl-C or SIGTERM, end in order."""
    from ._stop import Terminated, ending_on_sigterm

    if setup.moved_from is not None:
        errors.print(f"Checkpoints are kept elsewhere from now on; until now {setup.moved_from}.")
    try:
        with ending_on_sigterm(), display.following(setup.studies):
            train()
    except KeyboardInterrupt as stop:
        errors.print("Stopped. The same command goes on from here.")
        raise typer.Exit(143 if isinstance(stop, Terminated) else 130) from None


def _finish(setup: Setup, storage: str, *, as_json: bool) -> None:
    from . import _show

    if as_json:
        _print_json(_record(setup.studies, resumed=setup.resumed))
        return
    _show.print_result(setup.studies, storage)


def _rerun(studies: LinkedStudies, trial: str | None, *, rerun: bool, as_json: bool) -> NoReturn:
    from . import _show
    from ._rerun import rerun as train_again

    if trial is None or not rerun:
        raise SearchError("--trial and --rerun must be given together, but only one of them is.")
    seen = train_again(studies, trial)
    _print_json(seen.to_json()) if as_json else _show.print_rerun(seen)
    raise typer.Exit(0 if seen.agrees else 1)


def _quiet_optuna() -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _record(studies: LinkedStudies, *, resumed: int) -> dict[str, Any]:
    """The object that `search` and `show` print."""
    found = studies.result().to_json()
    del found["finished"]
    return {**found, "resumed": resumed}


def _print_json(record: dict[str, Any]) -> None:
    typer.echo(json.dumps(record))


def _write(path: Path, text: str) -> None:
    try:
        if path.is_file() and path.read_bytes()[:1] not in (b"", b"{"):
            _fail(f"A trace must go to a new file or to that of a trace, but {path} is another.")
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        _fail(f"Cannot write {path}: {error.strerror or error}.")


def _fail(message: str) -> NoReturn:
    errors.print(f"egnas: {' '.join(message.splitlines())}")
    sys.exit(2)
