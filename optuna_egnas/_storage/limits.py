"""Limits of a whole search, over all of its workers: until when, and how many epochs in all.

They are in the attributes of all its studies, where every worker finds them, also one that joins
later. A search that reaches one ends with the best found so far; it goes on when it is started
again with a later limit, or with none.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, takewhile
from typing import TYPE_CHECKING, Any

from .attributes import of_study
from .link import Partners, read_link
from .private import (
    all_trials,
    has_trial,
    key_of,
    study_attributes,
    trials_numbered,
    write_attribute,
)
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


@dataclass(slots=True)
class _Counted:
    """What is known of one study: epochs of finished trials, the other trials, and how many."""

    epochs: int = 0
    unfinished: Sequence[int] = ()
    trials: int = 0


class Spent:
    """The epochs that all studies of a search have trained; for whoever asks more than once.

    What finished trials have trained is kept: after the first look only the others are read, and
    those that are new.

    Args:
        studies: gives all studies of the search; it is not asked before an epoch is to be counted.
    """

    def __init__(self, studies: Callable[[], Iterable[Study]]) -> None:
        self._studies = studies
        self._counted: dict[tuple[Any, int], _Counted] = {}

    def epochs(self) -> int:
        """Their number now."""
        return sum(self._of(study) for study in self._studies())

    def _of(self, study: Study) -> int:
        counted = self._counted.get(key_of(study))
        if counted is None:
            counted = self._counted[key_of(study)] = _Counted()
            trials = all_trials(study)
        else:
            new = takewhile(partial(has_trial, study), count(counted.trials))
            trials = trials_numbered(study, [*counted.unfinished, *new])
        unfinished = [trial for trial in trials if not trial.state.is_finished()]
        counted.epochs += sum(epochs_of(each) for each in trials if each.state.is_finished())
        counted.unfinished = [trial.number for trial in unfinished]
        counted.trials = max([counted.trials, *(trial.number + 1 for trial in trials)])
        return counted.epochs + sum(map(epochs_of, unfinished))


def limit_reached(study: Study, spent: Spent | None = None) -> str | None:
    """Which limit of its search has been reached, in words; None while none has.

    `spent`: counts the epochs of the search, for whoever asks more than once.
    """
    limits = of_study(study_attributes(study), LIMITS) or {}
    ends, most = limits.get(ENDS), limits.get(EPOCHS)
    if ends is not None and time.time() >= ends:
        return "the time limit is reached"
    spent = spent or Spent(lambda: _studies_with(study))
    if most is not None and spent.epochs() >= most:
        return f"the limit of {most} epochs in all is reached"
    return None


def epochs_of(trial: FrozenTrial) -> int:
    """Epochs that a trial has trained itself: not those of the checkpoint it went on from."""
    if "copied_from" in trial.user_attrs:
        return 0
    done = max(trial.intermediate_values, default=0)
    return max(0, math.floor(done) - int(trial.user_attrs.get(RESUMED, 0)))


def _studies_with(study: Study) -> list[Study]:
    partners = Partners(study, read_link(study_attributes(study)))
    return [study, *partners.studies.values()]
