"""The micro sampler: each layer's operation, then its kernel size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.encoding import Names
from .._core.micro import MicroSpace
from ._walk import WalkSampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class MicroSampler(WalkSampler):
    """Searches every layer's operation, then its kernel size (EGNAS, arXiv 2502.03553).

    Works in any single-objective study that maximizes or minimizes a value in any unit: what is
    strictly better is accepted. Parameters that are not its own go to `independent_sampler`. The
    objective suggests `width` with `suggest_int`, and for each layer an operation and a kernel
    size with `suggest_categorical` and the space's choices. In a linked study it starts from what
    the macro study found, else from the space's depth and width.

    Args:
        space: what to search; default: the published choices from depth 10 and width 64. In a
            linked study, the study's own.
        depth, width: names of the two integer parameters; the depth is constant here.
        op, kernel: names of a layer's parameters, with a place for the layer's index.
        independent_sampler: for all other parameters; default: Optuna's `TPESampler`.

    Raises:
        ValueError: from its hooks, in a study with several objectives.
        SearchError: in a linked study whose macro search has not ended.
    """

    default_space = MicroSpace()
    role = "micro"

    def __init__(
        self,
        space: MicroSpace | None = None,
        *,
        depth: str = "depth",
        width: str = "width",
        op: str = "op_{:02d}",
        kernel: str = "kernel_{:02d}",
        independent_sampler: BaseSampler | None = None,
    ) -> None:
        names = Names(depth=depth, width=width, op=op, kernel=kernel)
        super().__init__(space, names, independent_sampler)
