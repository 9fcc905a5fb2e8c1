"""Keeps what optuna-dashboard shows of a search up to date: names, notes, plots.

It only ever writes beside the search: what fails here, a missing package or a storage that is
away, leaves the dashboard as it was, and the search as it is.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from optuna.exceptions import ExperimentalWarning
from optuna.storages import InMemoryStorage

from .._storage.final_results import finals
from .._storage.private import all_trials, key_of, reopened, storage_of
from ._entries import RUNNING, Entry, entries
from ._notes import merged, study_note, trial_note

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import Trial

    from .._storage.studies import StoredStudies


METRIC = "validation accuracy"
SECONDS, SHARE = 5.0, 20.0
"""Seconds between two updates, and so many times the duration of the last one, at least."""


@dataclass(slots=True, kw_only=True, eq=False)
class DashboardWriter:
    """What the dashboard shows of one search, as far as this process knows.

    Args:
        studies: the search.
        storage: the URL of its storage, as it may be shown.
        times: returns the time of a search, as rows of a name and words, for its notes.
    """

    studies: StoredStudies
    storage: str
    times: Callable[[StoredStudies], Sequence[tuple[str, str]]] = lambda _: ()
    _due: float = field(default=float("-inf"), init=False)
    _drawn: object = field(default=None, init=False)
    _noted: dict[tuple[str, int], str] = field(default_factory=dict, init=False)

    def update(self, *, last: bool = False) -> None:
        """Write what is new, unless that was done just before; `last`: in any case.

        Never raises, but for an interruption.
        """
        if not last and time.monotonic() < self._due:
            return
        began = time.monotonic()
        # Whatever is wrong with the storage or the dashboard is not wrong with the search.
        with suppress(Exception):
            if self._is_possible():
                self._update()
        ended = time.monotonic()
        self._due = ended + max(SECONDS, SHARE * (ended - began))

    def _is_possible(self) -> bool:
        # A search in memory ends with its process: nobody can look at it from elsewhere.
        in_memory = isinstance(storage_of(self.studies.first), InMemoryStorage)
        return not in_memory and find_spec("optuna_dashboard") is not None

    def _update(self) -> None:
        listed = entries(self.studies)
        for role in self.studies.roles:
            name_metric(self.studies.study(role))
            self._note_trials(role, listed)
        result = self.studies.result()
        phases = tuple(dict.fromkeys(entry.phase for entry in listed if entry.place is not None))
        state = (result.finished, result.architecture, phases, len(finals(self.studies)))
        if state != self._drawn:
            times = self.times(self.studies)
            write_study_notes(self.studies, listed, storage=self.storage, times=times)
            if result.architecture is not None:
                write_plots(self.studies)
            self._drawn = state

    def _note_trials(self, role: str, listed: tuple[Entry, ...]) -> None:
        notes: dict[int, str] = {}
        for entry in listed:
            if entry.role == role and entry.number is not None and entry.fate != RUNNING:
                # One training may answer two steps of the walk.
                before = f"{notes[entry.number]}\n\n" if entry.number in notes else ""
                notes[entry.number] = before + trial_note(entry)
        new = {
            number: note
            for number, note in notes.items()
            if self._noted.get((role, number)) != note
        }
        if not new:
            return
        study = self.studies.study(role)
        trials = [all_trials(study)[number] for number in new]
        for trial, (number, note) in zip(reopened(study, trials), new.items(), strict=True):
            write_note(trial, note)
            self._noted[role, number] = note


def name_metric(study: Study) -> None:
    """Say what the values of a study are."""
    if study.metric_names is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names([METRIC])


def write_note(owner: Study | Trial, ours: str) -> None:
    """Renew our part of a note; what users have written stays."""
    from optuna_dashboard import get_note, save_note

    body = merged(ours, get_note(owner))
    if body is not None:
        save_note(owner, body)


def write_study_notes(
    studies: StoredStudies,
    listed: tuple[Entry, ...],
    *,
    storage: str,
    times: Sequence[tuple[str, str]],
) -> None:
    """Write the notes of all studies, each with links to the others."""
    places = {
        role: f"/dashboard/studies/{key_of(study)[1]}" for role, study in studies.studies.items()
    }
    for role in studies.roles:
        note = study_note(
            studies, role, listed=listed, places=places, storage=storage, times=times
        )
        write_note(studies.study(role), note)


def write_plots(studies: StoredStudies) -> None:
    """Save the plots of a search that has trained something into its studies."""
    from optuna_dashboard import save_plotly_graph_object

    from ._files import plots_of

    figures: dict[str, Any] = {}
    plots = plots_of(studies)
    for role in studies.roles:
        for name in studies.method.role(role).plots:
            if name not in figures:
                figures[name] = plots[name](studies)
            save_plotly_graph_object(
                studies.study(role), figures[name], graph_object_id=f"egnas-{name}"
            )
