"""The objective of linked studies: trains the candidate of a trial and tells its score.

The only module that sees both a trial and a tensor. It never sees test data: it is given the
training and the validation images, and nothing here can load others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn

import optuna
import torch
from optuna.trial import FrozenTrial, TrialState

from .._claims import all_trials, claimed_phase, storage_of, study_attributes
from .._core.encoding import Names
from .._core.history import Candidate, Trained
from .._core.proposal import Step
from .._core.walk import step_of
from .._core.words import name_candidate, verdict_words
from .._link import Link, Role, partner_name, read_link, start_of
from .._translate import Reader, suggest
from ..errors import EgnasError, SearchError
from ._network import build
from ._training import EpochRecord, NonFiniteLoss, Recipe, candidate_seed, train

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial

    from ._data import LabelledImages


class CandidateFailed(EgnasError):
    """A candidate failed by itself; the walk counts it and goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a watcher of a search is told after each epoch, and at the end of each candidate.

    `score` is the best validation accuracy so far (fraction). `verdict` is None until the
    candidate has ended.
    """

    role: Role
    phase: str
    candidate: str
    epoch: int
    epochs: int
    score: float
    verdict: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Objective:
    """Trains on `training`, scores on `validation`: the best accuracy over the epochs.

    Args:
        training, validation: images on the device on which to train.
        recipe: how to train.
        seed: the search's seed; each candidate derives its own from it.
        device: where to train.
        watch: is told of every epoch.

    Raises, when called:
        CandidateFailed: the training failed; the trial has the reason as its attribute `error`.
    """

    training: LabelledImages
    validation: LabelledImages
    recipe: Recipe
    seed: int
    device: torch.device
    watch: Callable[[Progress], None] | None = None

    def __call__(self, trial: Trial) -> float:
        """Train the trial's candidate; returns its validation accuracy as a fraction."""
        link, reader = _read(trial.study)
        candidate = suggest(trial, reader.space, reader.names)
        account = _Account(
            trial=trial,
            reader=reader,
            candidate=candidate,
            step=step_of(reader.space, reader.history(trial.study), candidate),
            phase=claimed_phase(all_trials(trial.study)[trial.number]) or "enqueued",
            role=link.role,
            watch=self.watch,
        )
        account.begin()
        known = _trained_elsewhere(trial.study, link, candidate)
        if known is not None:
            return account.copy(*known)
        try:
            return self._train(trial, candidate, account)
        except KeyboardInterrupt:
            trial.set_user_attr("dropped", "stopped by its user")
            raise

    def _train(self, trial: Trial, candidate: Candidate, account: _Account) -> float:
        records: list[EpochRecord] = []
        for record in _guarded(trial, self._records(account.reader, candidate)):
            records.append(record)
            trial.report(record.valid_accuracy, record.epoch)
            account.tell(record.epoch, max(record.valid_accuracy for record in records))
            if trial.should_prune():
                _write_records(trial, records, self.device)
                account.stop(record.epoch)
        _write_records(trial, records, self.device)
        score = max(record.valid_accuracy for record in records)
        account.judge(score, max(record.train_accuracy for record in records))
        return score

    def _records(self, reader: Reader, candidate: Candidate) -> Iterator[EpochRecord]:
        assert candidate.epochs is not None
        seed = candidate_seed(
            self.seed, candidate.architecture, candidate.epochs, candidate.replicate
        )
        network = build(
            candidate.architecture,
            input_shape=reader.space.input_shape,
            classes=reader.space.classes,
            generator=torch.Generator().manual_seed(seed),
        )
        yield from train(
            network,
            self.training,
            self.validation,
            epochs=candidate.epochs,
            recipe=self.recipe,
            seed=seed,
            device=self.device,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Account:
    """Says of one trial what it is, how it goes and what it means, in words.

    `step` is its place on the likeliest path; None where the walk has left it behind.
    """

    trial: Trial
    reader: Reader
    candidate: Candidate
    step: Step | None
    phase: str
    role: Role
    watch: Callable[[Progress], None] | None

    def begin(self) -> None:
        """Write what the dashboard shows of a candidate."""
        architecture = self.candidate.architecture
        self.trial.set_user_attr("phase", self.phase)
        self.trial.set_user_attr("params", self.reader.space.params(architecture))
        self.trial.set_user_attr("macs", self.reader.space.macs(architecture))
        self.tell(0, 0.0)

    def tell(self, epoch: int, score: float, verdict: str | None = None) -> None:
        """Tell the watcher, if there is one."""
        if self.watch is None:
            return
        architecture = self.candidate.architecture
        plain = f"depth {architecture.depth}, width {architecture.width}"
        self.watch(
            Progress(
                role=self.role,
                phase=self.phase,
                candidate=name_candidate(self.step.proposal) if self.step else plain,
                epoch=epoch,
                epochs=self.candidate.epochs or 0,
                score=score,
                verdict=verdict,
            )
        )

    def judge(self, score: float, train_accuracy: float | None) -> None:
        """Write the verdict where it can be told already: attributes freeze when a trial ends."""
        outcome = Trained(score=score, train_accuracy=train_accuracy)
        history = self.reader.history(self.trial.study).with_outcome(self.candidate, outcome)
        step = step_of(self.reader.space, history, self.candidate)
        if step is None or step.guessed:
            self.tell(self.candidate.epochs or 0, score, "trained ahead of the walk")
            return
        self.trial.set_user_attr("verdict", verdict_words(step))
        self.tell(self.candidate.epochs or 0, score, verdict_words(step))

    def stop(self, epoch: int) -> NoReturn:
        """End a candidate that the study's pruner has stopped."""
        reason = f"stopped by the pruner after epoch {epoch} of {self.candidate.epochs}"
        self.trial.set_user_attr("stopped", reason)
        self.tell(epoch, 0.0, f"refused: {reason}")
        raise optuna.TrialPruned(reason)

    def copy(self, study_name: str, source: FrozenTrial) -> float:
        """Take over what another study's trial of the same candidate has measured."""
        for step, value in sorted(source.intermediate_values.items()):
            self.trial.report(value, step)
        for key in ("train_accuracy", "train_correct", "device"):
            self.trial.set_user_attr(key, source.user_attrs.get(key))
        self.trial.set_user_attr("copied_from", f"{study_name}, trial {source.number}")
        assert source.value is not None
        self.judge(source.value, source.user_attrs.get("train_accuracy"))
        return source.value


def _read(study: Study) -> tuple[Link, Reader]:
    link = read_link(study_attributes(study))
    if link is None:
        raise SearchError(
            f"This objective is for linked studies only, but {study.study_name!r} is not linked."
        )
    space = start_of(study, link) if link.role == "micro" else link.space
    return link, Reader.of(study, space, Names())


def _trained_elsewhere(
    study: Study, link: Link, candidate: Candidate
) -> tuple[str, FrozenTrial] | None:
    """The macro study's finished trial of the same candidate, for a micro study.

    It would come out the same to the last bit, since its seed is derived from the candidate.
    """
    if link.role == "macro":
        return None
    storage = storage_of(study)
    name = partner_name(storage, link)
    _, reader = _read(macro := optuna.load_study(study_name=name, storage=storage))
    for trial in all_trials(macro):
        if trial.state is TrialState.COMPLETE and reader.candidate(trial) == candidate:
            return name, trial
    return None


def _guarded(trial: Trial, records: Iterator[EpochRecord]) -> Iterator[EpochRecord]:
    """The records; a training that fails by itself ends as `CandidateFailed`."""
    while True:
        try:
            record = next(records)
        except StopIteration:
            return
        except NonFiniteLoss as error:
            _fail(trial, error, kind="final")
        except Exception as error:
            _fail(trial, error, kind="again")
        yield record


def _fail(trial: Trial, error: Exception, *, kind: Literal["final", "again"]) -> NoReturn:
    reason = f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
    trial.set_user_attr("error_is_final", kind == "final")
    trial.set_user_attr("error", reason)
    raise CandidateFailed(reason) from error


def _write_records(trial: Trial, records: list[EpochRecord], device: torch.device) -> None:
    trial.set_user_attr("train_accuracy", max(record.train_accuracy for record in records))
    trial.set_user_attr("train_correct", [record.train_correct for record in records])
    trial.set_user_attr("epochs_trained", len(records))
    trial.set_user_attr("seconds", round(sum(record.seconds for record in records), 3))
    trial.set_user_attr("device", str(device))
