"""The macro sampler: depth, then width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._methods.egnas.encoding import Names
from .._methods.egnas.space import MacroSpace
from ._method import MethodSampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class MacroSampler(MethodSampler):
    """Searches depth, then width, by the rules of EGNAS (arXiv 2502.03553).

    Works in any single-objective study, alone or beside others: parameters that are not its own
    go to `independent_sampler`. The objective suggests the two parameters with `suggest_int` and
    ranges that hold those of the space. When the walk has ended, `optimize` stops by itself.

    The study's result is the walk's, which need not be `study.best_trial`: a trial within the
    noise, or one that was trained ahead, may beat the incumbent.

    Args:
        space: what to search; default: the published space. In a linked study, the study's own.
        depth, width: names of the two integer parameters.
        independent_sampler: for all other parameters; default: Optuna's `TPESampler`.

    Raises:
        ValueError: from its hooks, in a study with several objectives.
    """

    default_space = MacroSpace()
    role = "macro"

    def __init__(
        self,
        space: MacroSpace | None = None,
        *,
        depth: str = "depth",
        width: str = "width",
        independent_sampler: BaseSampler | None = None,
    ) -> None:
        names = Names(depth=depth, width=width)
        super().__init__(space, names=names, independent_sampler=independent_sampler)
