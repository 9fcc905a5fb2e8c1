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
        str | None, typer.Option(help="Keep the replayed studies there; default: in memory.")
    ] = None,
    workers: Simulated = None,
    pruner: Annotated[
        str | None,
        typer.Option(
            help="What would this pruner save? none, budget, median, percentile, sha, hyperband "
            "or patient."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that the samplers walk as a recorded search did."""
    from .._methods.egnas.replay.pruned import PrunedReplay, pruned_replay
    from .._methods.egnas.replay.replay import Replay
    from .._methods.egnas.replay.replay import replay as run_replay
    from .._methods.egnas.replay.simulate import Simulation, simulate
    from .._methods.egnas.replay.trace import read_trace
    from . import _show_search as _show

    quiet_optuna()
    shown: Replay | Simulation | PrunedReplay
    if pruner is not None and workers is not None:
        raise typer.BadParameter("--pruner and --workers must not be given together")
    recorded, name = read_trace(trace), f"replay-{trace.stem}"
    with _show.storage_trouble(storage):
        if pruner is not None:
            shown = pruned_replay(recorded, pruner=pruner, storage=storage, name=name)
        elif workers is not None:
            shown = simulate(recorded, workers=workers, storage=storage, name=name)
        else:
            shown = run_replay(recorded, storage=storage, name=name)
    print_json(shown.to_json()) if as_json else _show.print_replay(shown)
