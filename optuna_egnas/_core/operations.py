"""The operations that a layer can hold: one entry each, and nothing else to change.

An entry gives the closed form of the layer's weights and the torch module that computes it.
The module is named, not imported, so that this file stays free of torch.

Others come from outside: a program registers them, or an installed package announces them under
the entry points of `GROUP`, by the operation's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points

from ..errors import InvalidSpace
from .text import short

GROUP = "optuna_egnas.operations"
"""Entry points of installed packages; each is an `Operation` under its own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the search space.

    Args:
        name: what architectures and trials call it.
        weights: `weights(p, c, k)` is the number of weights of the operation alone (no batch
            norm, no bias) between `p` input and `c` output channels with a k x k kernel; it grows
            with p and c. Every weight is used once per output position, so the same form times
            the output's area gives the multiply-accumulates.
        module: names a callable "package.module:name" of (inputs, outputs, kernel, stride) that
            returns a `torch.nn.Module`, whose output is as large as its input, or half as large,
            rounded up, at stride 2. It may hold Conv2d, Linear and BatchNorm2d modules, and
            modules without parameters.
    """

    name: str
    weights: Callable[[int, int, int], int]
    module: str


OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation(
            name="sep",
            weights=lambda p, c, k: p * k * k + p * c,
            module="optuna_egnas.evaluation._network:separable",
        ),
        Operation(
            name="conv",
            weights=lambda p, c, k: p * c * k * k,
            module="optuna_egnas.evaluation._network:convolution",
        ),
    )
}


def operation(name: str) -> Operation:
    """Look an operation up; an unknown name is an `InvalidSpace` that lists the known ones."""
    if name not in OPERATIONS and not _take_announced(name):
        known = ", ".join(sorted(OPERATIONS))
        raise InvalidSpace(f"An operation must be one of {known}, but got {short(name)}.")
    return OPERATIONS[name]


def register_operation(operation: Operation) -> None:
    """Make an operation known to this process, under its name.

    Every process that reads a search with it must do so, the workers too: call it where a module
    is imported. Registering the same again changes nothing.

    Raises:
        InvalidSpace: the name is taken by another operation, or `weights` gives no whole numbers.
    """
    counted = _counted(operation)
    if not operation.name or not all(isinstance(n, int) and n >= 0 for n in counted):
        raise InvalidSpace(
            "An operation must have a name and whole numbers of weights, "
            f"but got {operation.name!r} with {counted}."
        )
    there = OPERATIONS.get(operation.name, operation)
    if (there.module, _counted(there)) != (operation.module, counted):
        raise InvalidSpace(
            f"An operation's name must be free, but {operation.name!r} is that of {there.module}."
        )
    OPERATIONS[operation.name] = there


def _counted(operation: Operation) -> list[int]:
    """Its weights at a few sizes, which tell one closed form from another."""
    return [operation.weights(p, c, k) for p, c, k in ((8, 4, 3), (4, 8, 5), (3, 5, 1))]


def _take_announced(name: str) -> bool:
    """Register an operation of this name from an installed package, if one announces it."""
    for entry in entry_points(group=GROUP, name=name):
        found = entry.load()
        if not isinstance(found, Operation) or found.name != name:
            raise InvalidSpace(
                f"The entry point {name!r} must be an Operation of that name, but {entry.value} "
                f"is {short(found)}."
            )
        register_operation(found)
    return name in OPERATIONS
