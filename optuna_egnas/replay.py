"""Recorded searches: read one, and check that the rules of EGNAS still walk as it did.

Using a name loads what is behind it; importing this module does not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._methods.egnas.replay.pruned import PrunedReplay, pruned_replay
    from ._methods.egnas.replay.replay import Replay, compare, open_replay, replay
    from ._methods.egnas.replay.simulate import Simulation, simulate
    from ._methods.egnas.replay.trace import Trace, read_trace, write_trace

__all__ = [
    "PrunedReplay",
    "Replay",
    "Simulation",
    "Trace",
    "compare",
    "open_replay",
    "pruned_replay",
    "read_trace",
    "replay",
    "simulate",
    "write_trace",
]

_OWN = "optuna_egnas._methods.egnas.replay"
_DOORS = {
    "PrunedReplay": f"{_OWN}.pruned",
    "Replay": f"{_OWN}.replay",
    "Simulation": f"{_OWN}.simulate",
    "Trace": f"{_OWN}.trace",
    "compare": f"{_OWN}.replay",
    "open_replay": f"{_OWN}.replay",
    "pruned_replay": f"{_OWN}.pruned",
    "read_trace": f"{_OWN}.trace",
    "replay": f"{_OWN}.replay",
    "simulate": f"{_OWN}.simulate",
    "write_trace": f"{_OWN}.trace",
}


def __getattr__(name: str) -> Any:
    if name not in _DOORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_DOORS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
