"""The pruner of searches: a budget for every training, and which are not worth going on with."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from optuna.pruners import BasePruner
from optuna.study import StudyDirection
from optuna.trial import TrialState

from .._core.budget import POLICIES, REFERENCE, Budget, Policy, Size, budget_for
from .._core.stopping import Bars, Stop, stopping_decision
from .._core.text import short
from .._storage.claims import HOPELESS, PREMISE, claimed, is_ahead, write_stop
from .._storage.private import all_trials, key_of
from ..errors import EgnasWarning, InvalidSpace
from ..samplers._method import MethodSampler
from ._curves import Reading, SizeOf, best_bars, size_of, standard_error, walks_bars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from .._core.history import Candidate
    from .._storage.reader import Reader


WENT_ELSEWHERE = "the walk went another way and has no more use for this candidate"
RISK = 0.01
"""The default risk: see studies/pruners."""


class BudgetPruner(BasePruner):
    """Gives every training a budget of its own, and compares trainings at equal progress.

    Works with any sampler and any parameters. At each report, a candidate is compared with the
    finished trials as they were at the same share of their own budgets; from the whole curves
    (and the depth and parameters of the networks, where known) its final score is forecast, with
    a standard deviation. It is stopped when the chance that it still passes its bar is below
    `risk`. Under `MacroSampler` and `MicroSampler` the bar is the walk's own for this step, and a
    stop counts as an answer: neutral where its phase has neutral answers and the forecast is
    one, else a fail.
    Under other samplers the bar is the best finished score, or the `top`-th best.

    With several workers, `MacroSampler` and `MicroSampler` also hand out what the walk will
    probably ask for. Where it turns out that it will not (a layer was accepted that a later
    candidate lacks; the phase has ended), the trial is stopped, whatever the risk. Then a stop is
    no outcome: a walk that comes back to its candidate asks for it again.

    A stopped trial says why in its user attributes: `stopped_by` ("budget" or "premise") and
    `stopped` (the reason in words). In a study with one of the two samplers, trials that were
    enqueued or come from other samplers are never stopped. Everything is read from the study each
    time; values that are not finite are passed over. Report one step per epoch, from 0 or 1.

    `egnas search` uses it with `risk=0`, which keeps the published walk exact. To stop the
    hopeless there, open the search with `load_linked_studies`, and set `study.pruner =
    BudgetPruner()` on each of its studies before `optimize`.

    Two can say how long a trial is trained, and where `MacroSampler` or `MicroSampler` proposed
    it, their space decides (`base_epochs` and what is added; `epochs`): its walk compares
    networks that were trained so. Of `budget` the learning rate and the batch size count there;
    its epochs, `policy` and `size` do for trials that were enqueued or added by hand only. A
    warning says so, once, where the two differ.

    Values may be of any size, and in any unit. Finished trials that diverged, which lie far out
    of the others, are left out of the comparison.

    Args:
        budget: of the first or reference network; the others follow from it by `policy`. None:
            only the walk's trials, or those that stored a budget, are compared.
        policy: `constant`, the same for all; `cost`, by depth, parameters and multiply-accumulates
            (needs `size`); `paper`, one epoch more for every trial of the study.
        size: from a trial's parameters to a mapping of its `depth`, `params` and `macs`.
        reference: such a mapping of the network that gets `budget` by policy `cost`; default: the
            first one of the published search (depth 10, width 64, colour images of 32 x 32).
        risk: at least 0, below 1. At 0, no candidate is stopped as hopeless.
        top: how good a candidate must get, where no walk says it: among the `top` best.

    Raises:
        InvalidSpace: a value is out of its bounds.

    Warns:
        EgnasWarning: the walk of a sampler decides the epochs, and `budget` asks for others.

    Examples:
        >>> import optuna
        >>> from optuna_egnas import Budget, BudgetPruner, training_budget
        >>> pruner = BudgetPruner(Budget(epochs=4), risk=0.05)
        >>> study = optuna.create_study(direction="maximize", pruner=pruner)
        >>> def objective(trial):
        ...     x = trial.suggest_float("x", 0, 1)
        ...     for epoch in range(1, training_budget(trial).epochs + 1):
        ...         trial.report(x * epoch / 4, epoch)
        ...         if trial.should_prune():
        ...             raise optuna.TrialPruned
        ...     return x
        >>> study.optimize(objective, n_trials=10)
        >>> len(study.trials)
        10
    """

    def __init__(
        self,
        budget: Budget | None = None,
        *,
        policy: Policy = "constant",
        size: SizeOf | None = None,
        reference: Mapping[str, int] | None = None,
        risk: float = RISK,
        top: int = 1,
    ) -> None:
        if policy not in POLICIES:
            known = ", ".join(POLICIES)
            raise InvalidSpace(f"`policy` must be one of {known}, but got {short(policy)}.")
        if policy == "cost" and size is None:
            raise InvalidSpace("`size` must be given for the policy 'cost', but got size=None.")
        if not 0 <= risk < 1:
            raise InvalidSpace(f"`risk` must be at least 0 and below 1, but got risk={risk}.")
        if top < 1:
            raise InvalidSpace(f"`top` must be at least 1, but got top={top}.")
        self.budget = budget
        self._policy, self._size, self._risk, self._top = policy, size, risk, top
        self._reference = Size(**reference) if reference else REFERENCE
        self._known: tuple[object, frozenset[Candidate], frozenset[Candidate]] | None = None
        self._said: set[object] = set()

    def budget_of(self, trial: FrozenTrial) -> Budget | None:
        """The budget of a trial by this pruner's policy; None if it was given no budget."""
        if self.budget is None:
            return None
        size = size_of(self._size, trial)
        return budget_for(
            self._policy,
            self.budget,
            size=size,
            attempt=trial.number,
            reference=self._reference,
        )

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether to stop the trial now; if so, the reason is in its attributes."""
        if len(study.directions) > 1:
            return False
        self.say_who_decides(study, trial)
        if self._premise_has_failed(study, trial):
            write_stop(study, trial, PREMISE, WENT_ELSEWHERE)
            return True
        if self._risk <= 0 or trial.last_step is None:
            return False
        sign = 1.0 if study.direction is StudyDirection.MAXIMIZE else -1.0
        stop = self._judge(study, trial, sign)
        if not isinstance(stop, Stop):
            return False
        write_stop(study, trial, HOPELESS, _words(stop, sign, self._risk), below=stop.below)
        return True

    def say_who_decides(self, study: Study, trial: FrozenTrial) -> None:
        """Warn, once for each study, where the walk's epochs are not those of `budget`."""
        sampler = study.sampler
        if self.budget is None or not isinstance(sampler, MethodSampler):
            return
        if key_of(study) in self._said:
            return
        epochs = walks_epochs(study, trial)
        if epochs is None or (self._policy == "constant" and self._agrees(trial, epochs)):
            return
        self._said.add(key_of(study))
        asked = f"Budget(epochs={self.budget.epochs}), policy={self._policy!r}"
        fields = sampler.reader(study).space.epochs_in_words()
        warnings.warn(
            f"The walk of {type(sampler).__name__} decides the epochs, {epochs} for trial "
            f"{trial.number}, and not BudgetPruner({asked}): set {fields} of the space.",
            EgnasWarning,
            stacklevel=4,
        )

    def _agrees(self, trial: FrozenTrial, epochs: int) -> bool:
        own = self.budget_of(trial)
        return own is not None and own.epochs == epochs

    def _judge(self, study: Study, trial: FrozenTrial, sign: float) -> object:
        """The verdict on a trial's curve; None where it is not compared."""
        sampler = study.sampler
        reader = sampler.reader(study) if isinstance(sampler, MethodSampler) else None
        reading = Reading(sign=sign, reader=reader, size=self._size)
        trials = all_trials(study)
        complete = [
            other
            for other in trials
            if other.state is TrialState.COMPLETE and other.intermediate_values
        ]
        bars = self._bars(reader, trial, trials, sign)
        if bars is None:
            return None
        epochs = reading.epochs(trial)
        if epochs is None and (own := self.budget_of(trial)) is not None:
            epochs = own.epochs
        if epochs is None:
            return None
        from_zero = any(0 in other.intermediate_values for other in (trial, *complete))
        return stopping_decision(
            reading.curve(trial, epochs, from_zero=from_zero),
            reading.finished(complete, from_zero=from_zero),
            bars,
            risk=self._risk,
            error=standard_error(bars.accept, reader.space.n_valid) if reader else None,
        )

    def _bars(
        self, reader: Reader | None, trial: FrozenTrial, trials: Sequence[FrozenTrial], sign: float
    ) -> Bars | None:
        if reader is None:
            complete = (other for other in trials if other.state is TrialState.COMPLETE)
            return best_bars(sign, complete, self._top)
        candidate = _own(reader, trial)
        return walks_bars(reader, candidate, trials) if candidate else None

    def _premise_has_failed(self, study: Study, trial: FrozenTrial) -> bool:
        # The trial alone decides it: most times there is nothing to read.
        if not is_ahead(trial) or not isinstance(study.sampler, MethodSampler):
            return False
        reader = study.sampler.reader(study)
        candidate = _own(reader, trial)
        return candidate is not None and not self._is_wanted(study, reader, candidate)

    def _is_wanted(self, study: Study, reader: Reader, candidate: Candidate) -> bool:
        """Whether the walk has a use for it, and for all others that are in flight by now.

        The answers are kept until the next trial ends, since only an outcome can change them.
        """
        trials = all_trials(study)
        key = (key_of(study), reader.space, sum(trial.state.is_finished() for trial in trials))
        known = self._known
        if known is None or known[0] != key or candidate not in known[1]:
            running = (trial for trial in trials if trial.state is TrialState.RUNNING)
            ahead = {_own(reader, trial) for trial in running if is_ahead(trial)}
            in_flight = frozenset(each for each in ahead if each is not None) | {candidate}
            history = reader.view(trials).history
            known = (key, in_flight, reader.space.wanted(history, in_flight))
            self._known = known
        return candidate in known[2]


def walks_epochs(study: Study, trial: FrozenTrial) -> int | None:
    """The epochs that the walk of the study's sampler gives a trial; None where there is none."""
    if not isinstance(study.sampler, MethodSampler):
        return None
    candidate = study.sampler.reader(study).candidate(trial)
    return candidate.epochs if candidate else None


def _own(reader: Reader, trial: FrozenTrial) -> Candidate | None:
    """What a trial trains, if it is what it has claimed: others may have fixed a parameter."""
    candidate = reader.candidate(trial)
    return candidate if candidate == claimed(trial, reader.space) else None


def _words(stop: Stop, sign: float, risk: float) -> str:
    mean, bar = sign * stop.forecast.mean, sign * stop.bar
    return (
        f"forecast {mean:.5g} +- {stop.forecast.deviation:.2g} against {bar:.5g}: "
        f"the chance to pass is {100 * stop.chance:.2g} %, below {100 * risk:.2g} %"
    )
