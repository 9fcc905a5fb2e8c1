"""The networks of EGNAS for samplers and training loops of one's own.

`suggest` asks a trial for a network of the whole space, `from_params` reads it from the trial's
parameters again, `cost` counts what it costs, and `build` makes the torch module. Using a name
loads what is behind it; importing this module does not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._methods.egnas.network import build
    from ._methods.egnas.trials import Cost, cost, from_params, suggest

__all__ = ["Cost", "build", "cost", "from_params", "suggest"]

_OWN = "optuna_egnas._methods.egnas"
_DOORS = {
    "Cost": f"{_OWN}.trials",
    "build": f"{_OWN}.network",
    "cost": f"{_OWN}.trials",
    "from_params": f"{_OWN}.trials",
    "suggest": f"{_OWN}.trials",
}


def __getattr__(name: str) -> Any:
    if name not in _DOORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_DOORS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
