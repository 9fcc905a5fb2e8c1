"""The pruner of searches: which of their trainings are not worth going on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optuna.pruners import BasePruner
from optuna.trial import TrialState

from .._claims import PREMISE, all_trials, claimed, is_ahead, key_of, write_stop
from .._core.frontier import wanted
from ..samplers._walk import WalkSampler

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from .._core.history import Candidate
    from .._translate import Reader

WENT_ELSEWHERE = "the walk went another way and has no more use for this candidate"


class BudgetPruner(BasePruner):
    """Stops work that was done ahead of a walk, once its premise has failed.

    With several workers, `MacroSampler` and `MicroSampler` hand out what the walk will probably
    ask for. Where it turns out that it will not (a layer was accepted that a later candidate
    lacks; the phase has ended), the trial is stopped at its next report. It ends PRUNED with the
    attributes `stopped_by="premise"` and `stopped` (the reason in words), and counts as no
    outcome: a walk that comes back to its candidate asks for it again.

    What the walk asks for in any case is never stopped, and neither are trials that were enqueued
    or come from other samplers; in studies without one of the two samplers it never stops any.
    """

    def __init__(self) -> None:
        self._known: tuple[object, frozenset[Candidate], frozenset[Candidate]] | None = None

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to stop the trial now; if so, the reason is in its attributes."""
        # Told by the trial alone: at most times there is nothing to read.
        if not is_ahead(trial) or not isinstance(study.sampler, WalkSampler):
            return False
        reader = study.sampler.reader(study)
        candidate = _ahead(reader, trial)
        if candidate is None or self._is_wanted(study, reader, candidate):
            return False
        write_stop(study, trial, PREMISE, WENT_ELSEWHERE)
        return True

    def _is_wanted(self, study: Study, reader: Reader, candidate: Candidate) -> bool:
        """Whether the walk has a use for it, and for all others that are in flight by now.

        The answers are kept until the next trial ends, since only an outcome can change them.
        """
        trials = all_trials(study)
        key = (key_of(study), reader.space, sum(trial.state.is_finished() for trial in trials))
        known = self._known
        if known is None or known[0] != key or candidate not in known[1]:
            running = (trial for trial in trials if trial.state is TrialState.RUNNING)
            ahead = {_ahead(reader, trial) for trial in running if is_ahead(trial)}
            in_flight = frozenset(each for each in ahead if each is not None) | {candidate}
            history = reader.view(trials).history
            known = (key, in_flight, wanted(reader.space, history, in_flight))
            self._known = known
        return candidate in known[2]


def _ahead(reader: Reader, trial: FrozenTrial) -> Candidate | None:
    """What a trial trains, if it is what it has claimed: others may have fixed a parameter."""
    candidate = reader.candidate(trial)
    return candidate if candidate == claimed(trial) else None
