"""`egnas replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._arguments import Json, Simulated
from ._output import print_json, quiet_optuna


def replay(
    trace: Annotated[Path, typer.Argument(help="A recorded search (egnas-trace/1).")],
    storage: Annotated[
        str | None, typer.Option(help="A storage for the replayed studies; default: in memory.")
    ] = None,
    workers: Simulated = None,
    pruner: Annotated[
        str | None,
        typer.Option(
            help="Print what a pruner saves: none, budget, median, percentile, sha, hyperband "
            "or patient."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that the samplers walk as a recorded search did."""
    from .. import replay as replays
    from . import _show_search as _show

    quiet_optuna()
    if pruner is not None and workers is not None:
        raise typer.BadParameter("--pruner and --workers must not be given together")
    shown: replays.Replay | replays.Simulation | replays.PrunedReplay
    recorded, name = replays.read_trace(trace), f"replay-{trace.stem}"
    with _show.storage_trouble(storage):
        if pruner is not None:
            shown = replays.pruned_replay(recorded, pruner=pruner, storage=storage, name=name)
        elif workers is not None:
            shown = replays.simulate(recorded, workers=workers, storage=storage, name=name)
        else:
            shown = replays.replay(recorded, storage=storage, name=name)
    print_json(shown.to_json()) if as_json else _show.print_replay(shown.lines())
