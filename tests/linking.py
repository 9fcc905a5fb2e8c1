"""Linked studies with invented scores, for tests."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial
from walking import macro, micro

from optuna_egnas import LinkedStudies, create_linked_studies
from optuna_egnas._storage.reader import suggest
from optuna_egnas.methods import Candidate, Done

ROLES = ("macro", "micro")

MACRO = macro(max_depth=6)
MICRO = micro(confirm_epochs=None)
ROLES: tuple[str, str] = ("macro", "micro")


def score(candidate: Candidate) -> float:
    """Invented right answers of 1,000: best at depth 4 and width 6, better with each conv."""
    architecture = candidate.architecture
    answers = 900 - 9 * abs(architecture.depth - 4) + 4 * architecture.ops.count("conv")
    return (answers - 2 * abs(architecture.width - 6) - architecture.kernels.count(5)) / 1000


def create(storage: BaseStorage | str | None = None, **changes: Any) -> LinkedStudies:
    values: dict[str, Any] = {"name": "s", "macro": MACRO, "micro": MICRO, "seed": 7}
    values |= {"storage": storage, "dataset": {"dataset": "bars", "classes": [1, 2]}}
    return create_linked_studies(**{**values, **changes})


def train(studies: LinkedStudies, role: str, most: int = 100) -> LinkedStudies:
    """Ask, train and tell, so many times or to the end of the walk."""
    study = studies.study(role)
    for _ in range(most):
        if isinstance(studies.frontier(role), Done):
            break
        trial = study.ask()
        reader = studies.reader(role)
        assert reader is not None
        study.tell(trial, score(suggest(trial, reader.space)))
    return studies


def story(studies: LinkedStudies) -> list[object]:
    """Every candidate and score of both walks."""
    walks = [studies.walk(role) for role in ROLES]
    return [(s.proposal, s.outcome) for walk in walks if walk is not None for s in walk.steps]


def trials_of(studies: LinkedStudies) -> list[FrozenTrial]:
    """The trials of both studies."""
    return [trial for study in both(studies) for trial in study.trials]


def contents(storage: BaseStorage) -> object:
    """All that a storage holds."""
    return [
        (study.study_name, study.directions, study.user_attrs, study.system_attrs, trials)
        for study in storage.get_all_studies()
        for trials in [
            [(t.number, t.state, t.params, t.user_attrs) for t in trials_in(storage, study)]
        ]
    ]


def trials_in(storage: BaseStorage, study: Any) -> list[FrozenTrial]:
    return storage.get_all_trials(study._study_id)


def rename(storage: BaseStorage, old: str, new: str) -> None:
    """What optuna-dashboard does: a new study with the trials and user attributes, no old one."""
    source = optuna.load_study(study_name=old, storage=storage)
    target = optuna.create_study(study_name=new, storage=storage, directions=source.directions)
    target.add_trials(source.get_trials(deepcopy=False))
    for key, value in source.user_attrs.items():
        target.set_user_attr(key, value)
    optuna.delete_study(study_name=old, storage=storage)


def both(studies: LinkedStudies) -> tuple[Study, Study]:
    return studies.macro, studies.micro
