"""`egnas replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .._arguments import Json, Simulated
from ._output import print_json, quiet_optuna


def replay(
    trace: Annotated[Path, typer.Argument(help="A recorded search (egnas-trace/1).")],
    storage: Annotated[
        str | None, typer.Option(help="Keep the replayed studies there; default: in memory.")
    ] = None,
    workers: Simulated = None,
    as_json: Json = False,
) -> None:
    """Check that the samplers walk as a recorded search did."""
    from .. import _show
    from .._simulate import Simulation, simulate
    from .._trace import read_trace
    from ..replay import Replay
    from ..replay import replay as run_replay

    quiet_optuna()
    shown: Replay | Simulation
    recorded, name = read_trace(trace), f"replay-{trace.stem}"
    with _show.storage_trouble(storage):
        if workers is None:
            shown = run_replay(recorded, storage=storage, name=name)
        else:
            shown = simulate(recorded, workers=workers, storage=storage, name=name)
    print_json(shown.to_json()) if as_json else _show.print_replay(shown)
