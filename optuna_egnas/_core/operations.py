"""The operations that a layer can hold: one entry each, and nothing else to change.

An entry gives the closed form of the layer's weights and the torch module that computes it.
The module is named, not imported, so that this file stays free of torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import InvalidSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the search space.

    `weights(p, c, k)` is the number of weights of the operation alone (no batch norm, no bias)
    between `p` input and `c` output channels with a k x k kernel; it grows with p and c. Every
    weight is used once per output position, so the same form times the output's area gives the
    multiply-accumulates.
    `module` names a callable "package.module:name" of (inputs, outputs, kernel, stride) that
    returns a `torch.nn.Module` with padding k // 2.
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
    if name not in OPERATIONS:
        known = ", ".join(sorted(OPERATIONS))
        raise InvalidSpace(f"An operation must be one of {known}, but got {name!r}.")
    return OPERATIONS[name]
