"""The command `egnas`: prints and exit codes only.

Results go to stdout, progress and errors to stderr. Exit codes: 0 done, 2 bad input or a storage
that cannot be used (one line says why), 130 stopped by its user.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from .errors import EgnasError

if TYPE_CHECKING:
    from .options import SearchOptions

STORAGE = "sqlite:///egnas.db"
app = typer.Typer(
    help="Global neural architecture search: depth and width, then every layer, in Optuna.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

Storage = Annotated[
    str, typer.Option(help="Where the search is kept: a SQLAlchemy URL.", show_default=True)
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def main() -> None:
    """Run the command line; every error of ours becomes one line and exit code 2."""
    try:
        app()
    except EgnasError as error:
        _fail(str(error))


@app.command()
def search(
    data: Annotated[
        str,
        typer.Argument(
            metavar="[DATASET]",
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
    as_json: Json = False,
) -> None:
    """Find a whole network; the same command goes on where it was stopped."""
    from . import _search, _show

    dataset, own_name, options = _read_arguments(data)
    options = _changed(
        options,
        plain={
            "seed": seed,
            "profile": profile,
            "subset": subset,
            "valid_fraction": valid_fraction,
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
    display = _show.Display(errors)
    with _show.storage_trouble(storage):
        setup = _search.prepare(
            dataset,
            storage=storage,
            name=name or own_name,
            device=device,
            options=options,
            watch=display,
        )
        try:
            with display.following(setup.studies):
                _search.run(setup)
        except KeyboardInterrupt:
            errors.print("Stopped. The same command goes on from here.")
            raise typer.Exit(130) from None
        if as_json:
            _print_json({**setup.studies.result().to_json(), "resumed": setup.resumed})
            return
        _show.print_result(setup.studies, storage)


@app.command()
def show(
    name: Annotated[
        str | None, typer.Argument(help="The search's name; default: the only one there is.")
    ] = None,
    storage: Storage = STORAGE,
    trace: Annotated[
        Path | None, typer.Option(help="Write the search to this file, for `egnas replay`.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a search has found, and its walk step by step."""
    from . import _show
    from ._linked import load_linked_studies, trials_of
    from ._trace import write_trace

    _quiet_optuna()
    with _show.storage_trouble(storage):
        studies = load_linked_studies(storage=storage, name=name or _show.only_name(storage))
        if trace is not None:
            _write(trace, json.dumps(write_trace(studies)) + "\n")
        if as_json:
            _print_json({**studies.result().to_json(), "resumed": len(trials_of(studies))})
            return
        _show.print_result(studies, storage)
        _show.print_walk(studies)


@app.command()
def replay(
    trace: Annotated[Path, typer.Argument(help="A recorded search (egnas-trace/1).")],
    storage: Annotated[
        str | None, typer.Option(help="Keep the replayed studies there; default: in memory.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that the samplers walk as a recorded search did."""
    from . import _show
    from ._trace import read_trace
    from .replay import replay as run_replay

    _quiet_optuna()
    recorded = read_trace(trace)
    with _show.storage_trouble(storage):
        shown = run_replay(recorded, storage=storage, name=f"replay-{trace.stem}")
    if as_json:
        _print_json(shown.to_json())
        return
    _show.print_replay(shown)


def _read_arguments(data: str) -> tuple[str, str | None, SearchOptions]:
    from ._study_file import read_study_file
    from .options import SearchOptions

    if not data.endswith(".toml"):
        return data, None, SearchOptions()
    file = read_study_file(Path(data))
    return file.dataset, file.name, file.options


def _changed(
    options: SearchOptions,
    *,
    plain: dict[str, Any],
    data: dict[str, Any],
    macro: dict[str, Any],
) -> SearchOptions:
    """The options with those of the command line, where they were given."""
    from dataclasses import replace

    return replace(
        options,
        data=replace(options.data, **_given(data)),
        macro={**options.macro, **_given(macro)},
        **_given(plain),
    )


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _quiet_optuna() -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _print_json(record: dict[str, Any]) -> None:
    typer.echo(json.dumps(record))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        _fail(f"Cannot write {path}: {error.strerror or error}.")


def _fail(message: str) -> NoReturn:
    errors.print(f"egnas: {message}", markup=False)
    sys.exit(2)
