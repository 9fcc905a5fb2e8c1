"""The names of trial parameters: the only file that spells them.

Flat, so that optuna-dashboard shows them and any storage keeps them: ints and strings, one
parameter per layer and choice. A macro trial holds depth and width (its layers are all alike), a
micro trial also every layer's operation and kernel size. Linked studies add the epochs.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..._core.parameters import EPOCHS
from ..._core.text import short
from ...errors import InvalidSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What the parameters are called; `op` and `kernel` are formatted with the layer's index."""

    depth: str = "depth"
    width: str = "width"
    op: str = "op_{:02d}"
    kernel: str = "kernel_{:02d}"

    def __post_init__(self) -> None:
        for field in ("op", "kernel"):
            pattern = getattr(self, field)
            if _formatted(pattern, 0) == _formatted(pattern, 1):
                raise InvalidSpace(
                    f"`{field}` must hold a place for the layer's index, as in "
                    f"'{field}_{{:02d}}', but got {short(pattern)}."
                )
        used = [self.depth, self.width, _formatted(self.op, 0), _formatted(self.kernel, 0), EPOCHS]
        if len(set(used)) != len(used):
            raise InvalidSpace(f"Parameter names must differ, but got {used}.")


def _formatted(pattern: str, layer: int) -> str:
    try:
        return pattern.format(layer)
    except (IndexError, KeyError, ValueError):
        return pattern
