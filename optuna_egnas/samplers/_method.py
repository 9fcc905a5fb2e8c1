"""What the samplers have in common: read the trials, ask the method, translate back.

A sampler remembers nothing that matters: all is computed from the study's trials each time.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from optuna.exceptions import TrialPruned
from optuna.samplers import BaseSampler, TPESampler

from .._core.parameters import encode
from .._core.problem import Space
from .._core.proposal import Done, Proposal, Prospect
from .._storage.claims import claimed, has_claim, wait_for_lower, write_claim, write_owner
from .._storage.link import read_link, start_of
from .._storage.private import all_trials, fail_trial, is_optimizing, key_of, study_attributes
from .._storage.reader import FIXED, Reader, distributions
from ..errors import (
    EgnasError,
    EgnasWarning,
    InvalidSpace,
    NothingToTrain,
    SearchDone,
    SearchError,
)

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial, TrialState


POLL = 0.2
"""Seconds between two looks while all that is left is in flight."""
OVERRIDDEN = (
    "The walk ends here: the trial of its next candidate has other parameters than the sampler "
    "gave. Fix none of the sampler's parameters, and suggest ranges that hold those of the space."
)


class MethodSampler(BaseSampler):
    """Proposes what a method asks for: in a linked study what that study says, else by a space.

    Args:
        space: what to search, in a study of one's own.
        names: what its parameters are called there, if not as the space calls them.
        independent_sampler: for all other parameters; default: Optuna's `TPESampler`.

    Raises:
        ValueError: from its hooks, in a study with several objectives.
        SearchError: neither the study nor the sampler has a space, or the study is one of
            another role.
    """

    default_space: ClassVar[Space | None] = None
    role: ClassVar[str | None] = None
    """The role of the linked studies that it is for; None: of any."""

    def __init__(
        self,
        space: Space | None = None,
        *,
        names: Any = None,
        independent_sampler: BaseSampler | None = None,
    ) -> None:
        if space is not None and space.inherit is not None:
            raise InvalidSpace(
                "`inherit` must be None in a study of your own, which keeps no weights, "
                f"but got inherit={space.inherit}."
            )
        self._space = space
        self._names = names
        self._independent = independent_sampler or TPESampler()
        self._known: tuple[object, Reader, bool] | None = None
        self._doubted: set[object] = set()
        self.patience: float | None = None
        """Seconds of silence after which a trial's worker counts as dead where neither its
        process nor its heartbeat is known; None: never. Who sets it gives signs of life."""

    def reseed_rng(self) -> None:
        """Reseed the independent sampler; a walk has no randomness."""
        self._independent.reseed_rng()

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Claim the next free candidate. Never raises: errors are met at the first suggestion."""
        self._independent.before_trial(study, trial)
        if len(study.directions) > 1:
            return
        try:
            if self.patience is not None:
                write_owner(study, trial, self.patience)
            # Those of higher number have claimed nothing yet, and what finished before is known:
            # of many thousand trials, a look at all would take milliseconds.
            self._claim(study, trial, self._read(study)[0].unread(trial.number))
        except Exception:
            # Raising here would leave the trial RUNNING for ever.
            return

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The parameters of the walk.

        Inside `optimize`, waits while all that is left is in flight, and stops the study when the
        walk has ended. Outside (ask and tell), the trial ends as FAIL before an error is raised.

        Raises:
            SearchDone: the walk has ended (ask and tell only).
            NothingToTrain: all that is left is in flight (ask and tell only).
            SearchError: the study before this one has not ended, or the study is of another role.
        """
        if len(study.directions) > 1:
            return {}
        try:
            return self._search_space(study, trial)
        except EgnasError:
            if not is_optimizing(study):
                fail_trial(study, trial)
            raise

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The values of the claimed candidate; other names go to the independent sampler."""
        self._raise_error_if_multi_objective(study)
        reader, linked = self._read(study)
        candidate = claimed(trial, reader.space)
        values: dict[str, Any] = {}
        if candidate is not None:
            values = dict(encode(candidate, reader.space, self._names, linked=linked))
        return {
            name: values[name]
            if name in values
            else self.sample_independent(study, trial, name, distribution)
            for name, distribution in search_space.items()
        }

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Values of parameters that are not the walk's."""
        self._raise_error_if_multi_objective(study)
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Pass the end of a trial on to the independent sampler.

        Warns, once for each study, where the value can hardly be in the unit of the thresholds.
        """
        self._independent.after_trial(study, trial, state, values)
        if values is None or len(values) != 1 or key_of(study) in self._doubted:
            return
        words = self._doubt(study, values[0])
        if words is not None:
            self._doubted.add(key_of(study))
            warnings.warn(words, EgnasWarning, stacklevel=2)

    def frontier(self, study: Study, k: int = 1) -> tuple[Proposal, ...] | Done:
        """The next `k` proposals that nobody has; none: wait, all that is likely is in flight."""
        ahead = self._ahead(study, all_trials(study), k)
        return ahead if isinstance(ahead, Done) else tuple(each.proposal for each in ahead)

    def reader(self, study: Study) -> Reader:
        """What reads the study's trials as a history of this sampler's space."""
        return self._read(study)[0]

    def _search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        reader, linked = self._read(study)
        if _is_given(reader, trial):
            return {}
        if not has_claim(trial):
            self._claim(study, trial)
        while claimed(trial, reader.space) is None:
            self._end_or_wait(study)
            self._claim(study, trial)
        return distributions(reader.space, self._names, linked=linked)

    def _ahead(
        self, study: Study, trials: Sequence[FrozenTrial], k: int = 1
    ) -> tuple[Prospect, ...] | Done:
        reader, _ = self._read(study)
        view = reader.view(trials)
        ahead = reader.space.prospects(view.history, k + len(view.overridden))
        if isinstance(ahead, Done):
            return ahead
        free = [each for each in ahead if each.proposal.candidate not in view.overridden]
        # What the walk asks for in all its futures comes first: without it there is no going on.
        if ahead and ahead[0].is_certain and ahead[0] not in free:
            return Done(found=None, cut_short=OVERRIDDEN)
        return tuple(free[:k])

    def _claim(
        self, study: Study, trial: FrozenTrial, unread: Sequence[int] | None = None
    ) -> None:
        trials = wait_for_lower(study, trial, unread)
        reader, _ = self._read(study)
        if _is_given(reader, trial):
            write_claim(study, trial, None)
            return
        ahead = self._ahead(study, trials)
        if isinstance(ahead, Done) or not ahead:
            write_claim(study, trial, None)
            return
        write_claim(study, trial, ahead[0].proposal, ahead=not ahead[0].is_certain)

    def _end_or_wait(self, study: Study) -> None:
        ahead = self.frontier(study)
        if not isinstance(ahead, Done):
            if not is_optimizing(study):
                raise NothingToTrain(
                    "Other workers are training all remaining candidates: ask again later."
                )
            time.sleep(0 if ahead else POLL)
            return
        if ahead.cut_short:
            warnings.warn(ahead.cut_short, EgnasWarning, stacklevel=2)
        if not is_optimizing(study):
            raise SearchDone("The walk has ended: no candidate is left to ask for.")
        study.stop()
        raise TrialPruned("The walk has ended: no candidate is left to train.")

    def _doubt(self, study: Study, value: float) -> str | None:
        try:
            reader, _ = self._read(study)
        except EgnasError:
            return None
        if reader.sign > 0:
            return reader.space.doubt(value, minimizes=False)
        # As it was given: the reader's own has no target any more.
        return (self._space or reader.space).doubt(value, minimizes=True)

    def _read(self, study: Study) -> tuple[Reader, bool]:
        """A reader for the study's space, and whether the study is linked.

        Kept for the study of last time: neither can change once it is known.
        """
        key = key_of(study)
        if self._known is None or self._known[0] != key:
            space, linked = self._resolve(study)
            self._known = (key, Reader.of(study, space, self._names), linked)
        return self._known[1:]

    def _resolve(self, study: Study) -> tuple[Space, bool]:
        link = read_link(study_attributes(study))
        if link is None:
            space = self._space or self.default_space
            if space is None:
                raise SearchError(
                    "A sampler must have a space in a study that is not linked, but got none."
                )
            return space.for_own_study(), False
        if self.role not in (None, link.role):
            raise SearchError(
                f"The {link.role} study of {link.name!r} needs a {link.role} sampler, "
                f"but got {type(self).__name__}."
            )
        return start_of(study, link), True


def _is_given(reader: Reader, trial: FrozenTrial) -> bool:
    """Whether the trial was enqueued with parameters of the walk."""
    return not reader.owned.isdisjoint(trial.system_attrs.get(FIXED, {}))
