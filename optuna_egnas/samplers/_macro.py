"""The macro sampler: depth, then width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.encoding import Names
from .._core.macro import MacroSpace
from ._walk import WalkSampler

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class MacroSampler(WalkSampler):
    """Searches depth, then width, by the rules of EGNAS (arXiv 2502.03553).

    Works in any single-objective study, alone or beside others: parameters that are not its own
    go to `independent_sampler`. The objective suggests the two parameters with `suggest_int` and
    ranges that hold those of the space. When the walk has ended, `optimize` stops by itself.

    The study may maximize or minimize. The thresholds of the space are in the objective's unit;
    the published ones are meant for a score from 0 to 1, such as an accuracy. For per cents give
    `MacroSpace(depth_gain=0.1, depth_slack=0.05)`. A `target_accuracy` that was not given counts
    in linked studies only.

    The study's result is the walk's, which need not be `study.best_trial`: a trial within the
    noise, or one that was trained ahead, may beat the incumbent.

    Args:
        space: what to search; default: the published space. In a linked study, the study's own.
        depth, width: names of the two integer parameters.
        independent_sampler: for all other parameters; default: Optuna's `TPESampler`.

    Raises:
        ValueError: from its hooks, in a study with several objectives.

    Warns:
        EgnasWarning: a value is no fraction, but a threshold is meant for fractions; or a target
            accuracy was given to a study that minimizes.

    Example:
        >>> import optuna
        >>> space = MacroSpace(min_depth=1, max_depth=4, min_width=8, max_width=32)
        >>> study = optuna.create_study(direction="maximize", sampler=MacroSampler(space))
        >>> study.ask().suggest_int("depth", 1, 4)
        1
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
        super().__init__(space, Names(depth=depth, width=width), independent_sampler)
