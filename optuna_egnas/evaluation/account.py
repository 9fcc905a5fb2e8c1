"""What a trial says of itself: what it is, how it goes, that its worker lives, what it means."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import optuna

from .._core.history import MAX_ERRORS, Candidate, Trained
from .._core.proposal import Step
from .._core.words import verdict_words
from .._storage.attributes import DETAILS
from .._storage.claims import STOPPED, STOPPED_BY, write_sign
from .._storage.private import all_trials
from .._storage.reader import NO_VERDICT, RESUMED, Reader, forgotten

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, Trial

    from .._storage.limits import Spent
    from .._storage.link import Link, Partners


SIGN_SECONDS = 10.0
"""Signs of life are not written more often than this: each costs as much as a report."""
LONGEST_SILENCE = 40.0
"""After so many seconds of one epoch a sign is written in the middle of it; see `liveness.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a watcher of a search gets after each epoch, and at the end of each candidate.

    `score` is the best validation accuracy so far (fraction), None before the first. `verdict` is
    None until the candidate has ended, after `epoch` of its `epochs`. `worker` counts from 0.
    """

    role: str
    phase: str
    candidate: str
    epoch: int
    epochs: int
    score: float | None
    verdict: str | None = None
    worker: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class Heartbeat:
    """The signs of life of one trial, each seldom enough to cost nothing.

    While its context is open they are also written in the middle of long epochs.
    """

    trial: Trial
    patience: float | None
    _longest: float = 0.0
    _last: float = float("-inf")
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Heartbeat:
        if self.patience is not None:
            threading.Thread(target=self._show_in_epochs, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def show(self, seconds: float = 0.0) -> None:
        """Write a sign, after an epoch of so many seconds, unless the last was just before."""
        self._longest = max(self._longest, seconds)
        if self.patience is None:
            return
        if time.monotonic() - self._last >= min(SIGN_SECONDS, self.patience / 10):
            self._write()

    def _write(self) -> None:
        assert self.patience is not None
        self._last = time.monotonic()
        write_sign(self.trial, self.patience, self._longest)

    def _show_in_epochs(self) -> None:
        assert self.patience is not None
        silence = min(LONGEST_SILENCE, self.patience / 2)
        while not self._ended.wait(max(silence / 10, self._last + silence - time.monotonic())):
            if time.monotonic() - self._last >= silence:
                # A storage that is away, or a trial that has ended: not this thread's to say.
                with suppress(Exception):
                    self._write()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrialReport:
    """Says of one trial what it is, how it goes and what it means, in words.

    It holds all that is read at the beginning of a trial and handed down. `step` is its place on
    the likeliest path; None where the walk has left it behind.
    """

    trial: Trial
    reader: Reader
    candidate: Candidate
    step: Step | None
    phase: str
    link: Link
    partners: Partners
    spent: Spent
    watch: Callable[[Progress], None] | None
    life: Heartbeat

    def begin(self) -> None:
        """Write what the dashboard shows of a candidate."""
        architecture = self.candidate.architecture
        self.trial.set_user_attr("phase", self.phase)
        self.trial.set_user_attr("params", self.reader.space.params(architecture))
        self.trial.set_user_attr("macs", self.reader.space.macs(architecture))
        self.trial.set_user_attr("budget_epochs", self.candidate.epochs)
        if self.candidate.parent is not None:
            name = self.reader.space.describe(self.candidate.parent.architecture)
            self.trial.set_user_attr("inherits_from", name)
        self.life.show()
        self.notify(0, None)

    def resume(self, epoch: int) -> None:
        """Say from which whole epoch the training goes on."""
        if epoch:
            self.trial.set_user_attr(RESUMED, epoch)

    def notify(self, epoch: int, score: float | None, verdict: str | None = None) -> None:
        """Pass this state of the training on to the watcher, if there is one."""
        if self.watch is None:
            return
        space, step = self.reader.space, self.step
        self.watch(
            Progress(
                role=self.link.role,
                phase=self.phase,
                candidate=space.describe_proposal(step.proposal)
                if step
                else space.describe(self.candidate.architecture),
                epoch=epoch,
                epochs=self.candidate.epochs or 0,
                score=score,
                verdict=verdict,
            )
        )

    def judge(self, outcome: Trained) -> Step | None:
        """Write the verdict where it is decided already: attributes freeze when a trial ends.

        Returns the step of the walk with it; None where it cannot be told.
        """
        self.trial.set_user_attr("progress", 1.0)
        score = outcome.score
        if outcome.details:
            self.trial.set_user_attr(DETAILS, outcome.details)
        history = self.reader.history(self.trial.study).with_outcome(self.candidate, outcome)
        step = self.reader.space.step_of(history, self.candidate)
        if step is None or step.guessed:
            self.notify(self.candidate.epochs or 0, score, "trained ahead of the walk")
            return None
        words = verdict_words(step, self.reader.space)
        self.trial.set_user_attr("verdict", words)
        self.notify(self.candidate.epochs or 0, score, words)
        return step

    def stop(self, epoch: int) -> NoReturn:
        """End a candidate that the study's pruner has stopped."""
        self.trial.set_user_attr("progress", round(epoch / (self.candidate.epochs or epoch), 4))
        stored = self._stored()
        best = max(stored.intermediate_values.values(), default=None)
        said = stored.user_attrs.get(STOPPED)
        if said is not None or self.is_undecided():
            reason = str(said or "without a reason")
            self.notify(epoch, best, f"stopped: {reason}")
            raise optuna.TrialPruned(reason)
        reason = f"stopped by the pruner after epoch {epoch} of {self.candidate.epochs}"
        self.trial.set_user_attr(STOPPED, reason)
        self.notify(epoch, best, f"refused: {reason}")
        raise optuna.TrialPruned(reason)

    def is_undecided(self) -> bool:
        """Whether the trial was stopped for a reason that says nothing of its candidate."""
        return self._stored().user_attrs.get(STOPPED_BY) in NO_VERDICT

    def is_given_up(self) -> bool:
        """Whether the failure that was just written is the candidate's last."""
        trials = all_trials(self.trial.study)
        this = trials[self.trial.number]
        passed_over = forgotten(trials)
        failed = [
            trial
            for trial in trials
            if "error" in trial.user_attrs
            and trial.number not in passed_over
            and self.reader.candidate(trial) == self.candidate
        ]
        return bool(this.user_attrs.get("error_is_final")) or len(failed) >= MAX_ERRORS

    def copy(self, study_name: str, source: FrozenTrial) -> float:
        """Take over what another study's trial of the same candidate has measured."""
        for step, value in sorted(source.intermediate_values.items()):
            self.trial.report(value, step)
        for key in ("train_accuracy", "train_correct", "device"):
            self.trial.set_user_attr(key, source.user_attrs.get(key))
        self.trial.set_user_attr("seconds", 0.0)
        self.trial.set_user_attr("copied_from", f"{study_name}, trial {source.number}")
        assert source.value is not None
        self.judge(
            Trained(
                score=source.value,
                train_accuracy=source.user_attrs.get("train_accuracy"),
                details=source.user_attrs.get(DETAILS, {}),
            )
        )
        return source.value

    def _stored(self) -> FrozenTrial:
        # A live trial does not see what a pruner has written to its storage.
        return all_trials(self.trial.study)[self.trial.number]
