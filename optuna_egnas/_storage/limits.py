"""Limits of a whole search, over all of its workers: until when, and how many epochs in all.

They are in the attributes of all its studies, where every worker finds them, also one that joins
later. A search that reaches one ends with the best found so far; it goes on when it is started
again with a later limit, or with none.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from .attributes import of_study
from .link import Partners, read_link
from .private import all_trials, study_attributes, write_attribute
from .reader import RESUMED

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial


LIMITS, ENDS, EPOCHS = "egnas:limits", "ends", "max_total_epochs"
LIMIT = "limit"
"""What `stopped_by` says of a trial that a limit has stopped."""


def write_limits(study: Study, *, time_limit: float | None, max_total_epochs: int | None) -> None:
    """Store the limits of a search in one of its studies, those of an earlier run replaced.

    `time_limit`: seconds from now. None stands for no limit.
    """
    ends = None if time_limit is None else time.time() + time_limit
    limits: dict[str, Any] = {ENDS: ends, EPOCHS: max_total_epochs}
    if (of_study(study_attributes(study), LIMITS) or {ENDS: None, EPOCHS: None}) != limits:
        write_attribute(study, LIMITS, limits)


def limit_reached(study: Study, partners: Partners | None = None) -> str | None:
    """Which limit of its search has been reached, in words; None while none has.

    `partners`: the other studies of the search, for whoever asks more than once.
    """
    limits = of_study(study_attributes(study), LIMITS) or {}
    ends, most = limits.get(ENDS), limits.get(EPOCHS)
    if ends is not None and time.time() >= ends:
        return "the time limit is reached"
    if most is not None and _total_epochs(study, partners) >= most:
        return f"the limit of {most} epochs in all is reached"
    return None


def epochs_of(trial: FrozenTrial) -> int:
    """Epochs that a trial has trained itself: not those of the checkpoint it went on from."""
    if "copied_from" in trial.user_attrs:
        return 0
    done = max(trial.intermediate_values, default=0)
    return max(0, math.floor(done) - int(trial.user_attrs.get(RESUMED, 0)))


def _total_epochs(study: Study, partners: Partners | None) -> int:
    if partners is None:
        partners = Partners(study, read_link(study_attributes(study)))
    studies = [study, *partners.studies.values()]
    return sum(epochs_of(trial) for each in studies for trial in all_trials(each))
