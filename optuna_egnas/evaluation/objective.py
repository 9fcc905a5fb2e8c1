"""The objective of linked studies: has the candidate of a trial measured and tells its score.

The only module that sees both a trial and a tensor. It never sees test data: it is given the
training and the validation images, and nothing here can load others.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NoReturn, TypeVar

import optuna
import torch
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from .._core.epoch import EpochRecord
from .._core.history import Candidate, Trained
from .._core.method import method
from .._core.proposal import Step
from .._core.recipe import Recipe
from .._storage.claims import DROPPED, claimed_phase, patience_of, write_stop
from .._storage.interrupts import interruptible
from .._storage.limits import LIMIT, Spent, limit_reached
from .._storage.link import Link, Partners, read_link, start_of
from .._storage.private import all_trials, study_attributes
from .._storage.reader import Reader, by_candidate, suggest
from ..errors import EgnasError, SearchError
from .account import Heartbeat, Progress, TrialReport
from .engine.candidate import Task, Weights
from .engine.checkpoint import Checkpoint, Checkpoints, Place
from .engine.loop import NonFiniteLoss
from .engine.measuring import CandidateMeasurement, measured
from .failures import check_environment

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial

    from .data.labelled import LabelledImages


T = TypeVar("T")


class CandidateFailed(EgnasError):
    """A candidate failed by itself; the walk counts it and goes on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Objective:
    """Trains on `training`, scores on `validation`: the best accuracy over the epochs.

    Args:
        training, validation: images on the device on which to train.
        recipe: how to train.
        seed: the search's seed; each candidate derives its own from it.
        device: where to train.
        watch: is called after every epoch.
        checkpoints: where a training leaves what another trial of its candidate goes on from.

    Raises, when called:
        CandidateFailed: the training failed; the trial has the reason as its attribute `error`.
        SearchError: so it did, but not by its candidate; see `check_environment`.
    """

    training: LabelledImages
    validation: LabelledImages
    recipe: Recipe
    seed: int
    device: torch.device
    watch: Callable[[Progress], None] | None = None
    checkpoints: Checkpoints = field(default_factory=Checkpoints)

    def __call__(self, trial: Trial) -> float:
        """Train the trial's candidate; returns its validation accuracy as a fraction."""
        try:
            return self._evaluate(trial)
        except KeyboardInterrupt:
            with suppress(UpdateFinishedTrialError):
                trial.set_user_attr(DROPPED, "stopped by its user")
            raise

    def task(self, reader: Reader) -> Task:
        """What the trainings of the reader's study have in common."""
        return Task(
            training=self.training,
            validation=self.validation,
            recipe=self.recipe,
            seed=self.seed,
            device=self.device,
            method=method(reader.space.method),
            input_shape=reader.space.input_shape,
            classes=reader.space.classes,
        )

    def forget(self, study: Study) -> None:
        """Remove what is left of a study's walk, when it has ended: checkpoints and weights."""
        link, reader = _read(study)
        tried = by_candidate(all_trials(study), reader)
        inherits = any(
            candidate.parent is not None or reader.space.keeps_weights(candidate, None)
            for candidate in tried
            if candidate is not None
        )
        unfinished = (TrialState.FAIL, TrialState.PRUNED)
        for candidate, trials in tried.items():
            left = inherits or any(trial.state in unfinished for trial in trials)
            if left and candidate is not None and candidate.epochs is not None:
                place = self._place(link, candidate)
                place.remove()
                if inherits:
                    place.remove_weights()

    def _evaluate(self, trial: Trial) -> float:
        link, reader = _read(trial.study)
        suggest(trial, reader.space)
        frozen = all_trials(trial.study)[trial.number]
        # Its parameters do not say whose weights it begins with; its claim does.
        candidate = reader.candidate(frozen)
        assert candidate is not None, "all of its parameters were suggested"
        partners = Partners(trial.study, link)
        account = TrialReport(
            trial=trial,
            reader=reader,
            candidate=candidate,
            step=reader.space.step_of(reader.history(trial.study), candidate),
            phase=claimed_phase(frozen) or "enqueued",
            link=link,
            partners=partners,
            spent=Spent(lambda: [trial.study, *partners.studies.values()]),
            watch=self.watch,
            life=Heartbeat(trial=trial, patience=patience_of(frozen)),
        )
        with account.life:
            return self._score(account)

    def _score(self, account: TrialReport) -> float:
        """Measure a trial's candidate, or take over what is known of it."""
        space, candidate = account.reader.space, account.candidate
        account.begin()
        known = None
        if candidate.parent is None and not space.keeps_weights(candidate, None):
            # Where weights are inherited, there must be some in this study.
            known = _trained_elsewhere(account)
        if known is not None:
            return account.copy(*known)
        place = self._place(account.link, candidate)
        try:
            return self._train(account, place)
        except KeyboardInterrupt:
            place.write()
            raise
        except optuna.TrialPruned:
            # A stop that is no verdict leaves its work to whoever comes back to it.
            place.write() if account.is_undecided() else place.remove()
            raise
        except CandidateFailed as failure:
            try:
                check_environment(account, failure.__cause__, self.device)
            except SearchError:
                place.write()
                raise
            # The second attempt goes on from the last whole epoch; after it there is none.
            place.remove() if account.is_given_up() else place.write()
            raise

    def _train(self, account: TrialReport, place: Place) -> float:
        trial, start = account.trial, place.newest()
        account.resume(start.epoch if start else 0)
        records: list[EpochRecord] = []
        outcome: Trained | None = None
        with closing(self._measured(account, account.candidate, place, start)) as run:
            for said in _guarded(trial, run):
                if isinstance(said, Trained):
                    outcome = said
                    break
                records.append(said)
                trial.report(said.valid_accuracy, said.epoch)
                account.notify(said.epoch, max(record.valid_accuracy for record in records))
                account.life.show(said.seconds)
                if _should_stop(account, last=said.epoch == account.candidate.epochs):
                    _write_records(trial, records, self.device)
                    account.stop(said.epoch)
        _write_records(trial, records, self.device)
        outcome = outcome or _best(account, records)
        self._keep_weights(account, account.judge(outcome), place)
        place.remove()
        return outcome.score

    def _measured(
        self,
        account: TrialReport,
        candidate: Candidate,
        place: Place,
        start: Checkpoint | None,
    ) -> Generator[EpochRecord | Trained, None, None]:
        """A candidate's measurement from where it stands; from its parent's weights at first."""
        parent, inherited = candidate.parent, None
        if start is None and parent is not None:
            inherited = self._weights(account, parent)
        task = self.task(account.reader)
        measurement = CandidateMeasurement(
            task=task, candidate=candidate, start=start, place=place, inherited=inherited
        )
        return measured(measurement)

    def _weights(self, account: TrialReport, candidate: Candidate) -> Weights:
        """The final weights of a finished candidate.

        Where they are not kept, in a place that another machine does not see, say, the candidate
        is trained again: they come out the same, as far as trainings do here. No limit counts
        those epochs.
        """
        place = self._place(account.link, candidate)
        kept = place.kept_weights()
        if kept is not None:
            return kept
        account.trial.set_user_attr("parent_trained_again", True)
        try:
            with closing(self._measured(account, candidate, place, place.newest())) as run:
                for said in _guarded(account.trial, run):
                    if isinstance(said, Trained):
                        break
                    account.life.show(said.seconds)
                    if _should_stop(account, last=False):
                        account.stop(0)
        except (KeyboardInterrupt, optuna.TrialPruned):
            place.write()
            raise
        place.keep_weights()
        place.remove()
        return place.latest_weights()

    def _keep_weights(self, account: TrialReport, step: Step | None, place: Place) -> None:
        """Keep the weights of a candidate that may yet have children, until it has no more."""
        candidate, space = account.candidate, account.reader.space
        if not space.keeps_weights(candidate, step):
            return
        place.keep_weights()
        # The parent may be asked for once more, if this trial is lost; not so who came before it.
        before = candidate.parent and candidate.parent.parent
        if space.inherit is not None and step is not None and before is not None:
            self._place(account.link, before).remove_weights()

    def _place(self, link: Link, candidate: Candidate) -> Place:
        return self.checkpoints.place(link.run, link.role, candidate, self.recipe, self.seed)


def _read(study: Study) -> tuple[Link, Reader]:
    link = read_link(study_attributes(study))
    if link is None:
        raise SearchError(
            f"This objective is for linked studies only, but {study.study_name!r} is not linked."
        )
    return link, Reader.of(study, start_of(study, link))


def _trained_elsewhere(account: TrialReport) -> tuple[str, FrozenTrial] | None:
    """An earlier study's finished trial of the same candidate, with the name of that study.

    It would come out the same to the last bit, since its seed is derived from the candidate.
    """
    link = account.link
    for role in link.roles[: link.roles.index(link.role)]:
        _, reader = _read(other := account.partners.studies[role])
        for trial in all_trials(other):
            if trial.state is TrialState.COMPLETE and reader.candidate(trial) == account.candidate:
                return other.study_name, trial
    return None


def _should_stop(account: TrialReport, *, last: bool) -> bool:
    """Whether the pruner stops the trial, or a limit of its search; never at its last epoch."""
    trial = account.trial
    if trial.should_prune():
        return True
    reason = None if last else limit_reached(trial.study, account.spent)
    if reason is not None:
        write_stop(trial.study, all_trials(trial.study)[trial.number], LIMIT, reason)
    return reason is not None


def _guarded(trial: Trial, run: Iterator[T]) -> Iterator[T]:
    """What a measurement says; one that fails by itself ends as `CandidateFailed`."""
    while True:
        try:
            with interruptible():
                said = next(run)
        except StopIteration:
            return
        except NonFiniteLoss as error:
            _fail(trial, error, kind="final")
        except Exception as error:
            _fail(trial, error, kind="again")
        yield said


def _fail(trial: Trial, error: Exception, *, kind: Literal["final", "again"]) -> NoReturn:
    reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
    trial.set_user_attr("error_is_final", kind == "final")
    trial.set_user_attr("error", reason)
    raise CandidateFailed(reason) from error


def _best(account: TrialReport, records: list[EpochRecord]) -> Trained:
    """The best of the epochs."""
    if not records:
        raise SearchError(
            f"The method {account.link.method} must yield an epoch or an outcome of a candidate, "
            "but yields none."
        )
    return Trained(
        score=max(record.valid_accuracy for record in records),
        train_accuracy=_train_accuracy(records),
    )


def _train_accuracy(records: list[EpochRecord]) -> float | None:
    return max((record.train_accuracy for record in records if record.n_train), default=None)


def _write_records(trial: Trial, records: list[EpochRecord], device: torch.device) -> None:
    if any(record.n_train for record in records):
        trial.set_user_attr("train_accuracy", _train_accuracy(records))
        trial.set_user_attr("train_correct", [record.train_correct for record in records])
    trial.set_user_attr("epochs_trained", len(records))
    trial.set_user_attr("seconds", round(sum(record.seconds for record in records), 3))
    trial.set_user_attr("device", str(device))
    trial.set_user_attr("threads", torch.get_num_threads())
    divided = [record.micro_batch for record in records]
    if any(divided):
        trial.set_user_attr("micro_batch", divided)
