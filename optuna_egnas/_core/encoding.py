"""Architecture <-> flat trial parameters: the only file that spells a parameter's name.

Flat, so that optuna-dashboard shows them and any storage keeps them: ints and strings, one
parameter per layer and choice. A macro trial holds depth and width (its layers are all alike), a
micro trial also every layer's operation and kernel size. Linked studies add the epochs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidSpace
from .architecture import Architecture
from .history import Candidate
from .macro import MacroSpace
from .micro import MicroSpace
from .text import short

EPOCHS = "epochs"
Range = range | tuple[str, ...] | tuple[int, ...]
"""The values of one parameter: whole numbers from start to stop, or choices."""


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


def ranges(space: MacroSpace | MicroSpace, names: Names, *, linked: bool) -> dict[str, Range]:
    """All parameters of a space with their values; `linked` studies also hold the epochs."""
    listed = _macro(space, names) if isinstance(space, MacroSpace) else _micro(space, names)
    if linked:
        listed[EPOCHS] = range(1, space.max_epochs + 1)
    return listed


def encode(
    candidate: Candidate, space: MacroSpace | MicroSpace, names: Names, *, linked: bool
) -> dict[str, int | str]:
    """The parameters of a trial that trains this candidate."""
    architecture = candidate.architecture
    params: dict[str, int | str] = {
        names.depth: architecture.depth,
        names.width: architecture.width,
    }
    if isinstance(space, MicroSpace):
        for layer, (op, kernel) in enumerate(
            zip(architecture.ops, architecture.kernels, strict=True)
        ):
            params[names.op.format(layer)] = op
            params[names.kernel.format(layer)] = kernel
    if linked and candidate.epochs is not None:
        params[EPOCHS] = candidate.epochs
    return params


def decode(
    params: Mapping[str, Any], space: MacroSpace | MicroSpace, names: Names
) -> Candidate | None:
    """The candidate that a trial's parameters spell; None if they do not spell one."""
    try:
        return _decode(params, space, names)
    except (InvalidSpace, ArithmeticError, KeyError, TypeError, ValueError):
        return None


def _decode(params: Mapping[str, Any], space: MacroSpace | MicroSpace, names: Names) -> Candidate:
    width = int(params[names.width])
    epochs = params.get(EPOCHS)
    if isinstance(space, MacroSpace):
        architecture = Architecture.chain(depth=int(params[names.depth]), width=width)
    else:
        layers = range(int(params.get(names.depth, space.depth)))
        architecture = Architecture(
            width=width,
            ops=tuple(str(params[names.op.format(layer)]) for layer in layers),
            kernels=tuple(int(params[names.kernel.format(layer)]) for layer in layers),
        )
    return Candidate(architecture=architecture, epochs=None if epochs is None else int(epochs))


def _macro(space: MacroSpace, names: Names) -> dict[str, Range]:
    return {
        names.depth: range(space.min_depth, space.max_depth + 1),
        names.width: range(space.min_width, space.max_width + 1),
    }


def _micro(space: MicroSpace, names: Names) -> dict[str, Range]:
    listed: dict[str, Range] = {
        names.depth: range(space.depth, space.depth + 1),
        names.width: range(1, space.width + 1),
    }
    for layer in range(space.depth):
        listed[names.op.format(layer)] = space.operations
        listed[names.kernel.format(layer)] = space.kernels
    return listed


def _formatted(pattern: str, layer: int) -> str:
    try:
        return pattern.format(layer)
    except (IndexError, KeyError, ValueError):
        return pattern
