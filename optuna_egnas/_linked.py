"""The two linked studies of one search: create, open, compare, and read the result.

`<name>/macro` and `<name>/micro` stand in one storage and share a run id; see `_link.py`. What a
search is (spaces, dataset, seed) is stored with it, and opening it as something else is refused.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.study import StudyDirection

from ._attributes import check_study, of_trial
from ._claims import all_studies, all_trials, study_attributes
from ._core.encoding import Names
from ._core.macro import MacroSpace
from ._core.micro import MicroSpace
from ._core.proposal import Proposal
from ._core.walk import Done, Walk, follow
from ._link import ROLES as ROLES
from ._link import (
    START,
    Link,
    Role,
    check_name,
    check_plain,
    check_same_search,
    find_search,
    no_search,
    read_link,
    readable_link,
    start_of,
    write_link,
)
from ._result import Result
from ._storage import DEFAULT_URL, open_storage
from ._translate import Reader
from .errors import InvalidSpace, SearchError
from .pruners import BudgetPruner
from .samplers import MacroSampler, MicroSampler
from .samplers._walk import WalkSampler

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

PACKAGES = ("optuna-egnas", "optuna", "torch", "torchvision", "numpy")
TASK = ("input_shape", "classes", "n_valid")
SHARED = (*TASK, "policy", "level", "max_params", "max_macs", "inherit")
PATIENCE = 2.0
"""Seconds that a worker waits for another one to write what a study is."""
POLL = 0.02


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinkedStudies:
    """The macro and the micro study of one search.

    Both are ordinary Optuna studies with our samplers: optimise the macro study until it stops,
    then the micro study. The result is `result()`; `macro.best_trial` may be a trial that is off
    the walk, or within the noise of the incumbent.
    """

    name: str
    macro: Study
    micro: Study

    @property
    def link(self) -> Link:
        """What is stored of the search, as its macro study has it."""
        link = read_link(study_attributes(self.macro))
        assert link is not None
        return link

    def study(self, role: Role) -> Study:
        """The study of this role."""
        return self.macro if role == "macro" else self.micro

    def frontier(self, role: Role, k: int = 1) -> tuple[Proposal, ...] | Done:
        """The next `k` trainings of one study that nobody has; none: all left is in flight."""
        sampler: WalkSampler = MacroSampler() if role == "macro" else MicroSampler()
        return sampler.frontier(self.study(role), k)

    def reader(self, role: Role) -> Reader | None:
        """A reader of one study; None for a micro study that has no start yet."""
        study = self.study(role)
        link = read_link(study_attributes(study))
        assert link is not None
        if role == "macro":
            return Reader.of(study, link.space, Names())
        if START not in study_attributes(study) and not self._macro_is_done():
            return None
        return Reader.of(study, start_of(study, link, write=False), Names())

    def walk(self, role: Role) -> Walk | None:
        """The walk of one study; None for a micro study that has no start yet."""
        reader = self.reader(role)
        if reader is None:
            return None
        study = self.study(role)
        return follow(reader.space, reader.history(study))

    def result(self) -> Result:
        """What was found, or the best so far."""
        walks = [walk for walk in (self.walk("macro"), self.walk("micro")) if walk]
        link = self.link
        steps = [step for walk in walks for step in walk.steps]
        path = [step.proposal for step in steps if step.proposal.phase != "confirm"]
        passed = [step for step in steps if step.passed]
        best = passed[-1].proposal.candidate.architecture if passed else None
        end = walks[-1].next
        return Result(
            name=self.name,
            finished=len(walks) == 2 and isinstance(end, Done),
            architecture=best,
            params=link.space.params(best) if best else None,
            macs=link.space.macs(best) if best else None,
            valid_accuracy=_accuracy(end, passed[-1].score if passed else None),
            candidates=len(path),
            epochs=sum(proposal.candidate.epochs or 0 for proposal in path),
            seconds=sum(of_trial(trial, "seconds") or 0.0 for trial in trials_of(self)),
            studies={"macro": self.macro.study_name, "micro": self.micro.study_name},
        )

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from ._html import page  # it draws, and so stands above this module

        return page(self)

    def _macro_is_done(self) -> bool:
        walk = self.walk("macro")
        return walk is not None and isinstance(walk.next, Done) and walk.next.found is not None


def create_linked_studies(
    *,
    storage: str | BaseStorage | None = DEFAULT_URL,
    name: str,
    macro: MacroSpace | None = None,
    micro: MicroSpace | None = None,
    dataset: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> LinkedStudies:
    """Create the two studies of a search, or open them where they exist and are the same.

    Args:
        storage: a URL, an Optuna storage, or None for one in memory.
        name: the search's name; the studies are `<name>/macro` and `<name>/micro`.
        macro: the macro space; default: the published one.
        micro: the micro space; its depth and width come from the macro search; default: the
            published one for the macro space's task and limits.
        dataset: plain values that identify the data.
        seed: the search's seed.

    Raises:
        InvalidSpace: the two spaces differ in their task or limits.
        SearchError: the name belongs to another search or study; the message says what differs,
            and nothing is written.
    """
    return create_in(
        lambda: open_storage(storage),
        name=name,
        macro=macro,
        micro=micro,
        dataset=dataset,
        seed=seed,
    )


def create_in(
    open_it: Callable[[], BaseStorage],
    *,
    name: str,
    macro: MacroSpace | None,
    micro: MicroSpace | None,
    dataset: Mapping[str, Any] | None,
    seed: int,
    decide: Callable[[Link | None], Mapping[str, Any]] = lambda _: {},
    create: bool = True,
) -> LinkedStudies:
    """The same in a storage that is opened, and made, only when all else was found right.

    `decide` adds to `dataset` what is decided once for a search, given its stored link, if it
    has one. `create`: whether a search that is not there is created; else it is an error.
    """
    check_name(name)
    check_plain(dataset or {})
    macro = macro or MacroSpace()
    micro = micro or MicroSpace(**{field: getattr(macro, field) for field in SHARED})
    _check_same_task(macro, micro)
    micro = replace(micro, depth=macro.min_depth, width=macro.min_width)
    opened = open_it()
    stored = {role: link for role, (_, link) in find_search(opened, name).items()}
    if not create and set(stored) != set(ROLES):
        raise no_search(opened, name)
    decided = decide(next(iter(stored.values()), None))
    run = uuid.uuid4().hex
    spaces: dict[Role, MacroSpace | MicroSpace] = {"macro": macro, "micro": micro}
    links = {
        role: Link(
            run=run,
            role=role,
            name=name,
            space=space,
            dataset={**(dataset or {}), **decided},
            seed=seed,
            versions={package: version(package) for package in PACKAGES},
        )
        for role, space in spaces.items()
    }
    for role, link in stored.items():
        check_same_search(link, links[role])
    if set(stored) != set(ROLES):
        _check_names_are_free(opened, name)
    for role in (role for role in ROLES if role not in stored):
        known = next((link.run for link in stored.values()), None)
        stored[role] = _create(opened, replace(links[role], run=known or run), run=known)
        check_same_search(stored[role], links[role])
    return load_linked_studies(storage=opened, name=name)


def load_linked_studies(
    *, storage: str | BaseStorage | None = DEFAULT_URL, name: str
) -> LinkedStudies:
    """Open a search by its name, also after its studies were renamed.

    Raises:
        SearchError: there is none of this name, or it holds what this version cannot read; the
            message lists those that there are, or names what that is.
    """
    opened = open_storage(storage, create=False)
    found = find_search(opened, name)
    if set(found) != set(ROLES):
        raise no_search(opened, name)
    # Without a pruner named here, Optuna's default one would stop candidates at equal step. No
    # risk: the published walk knows scores only, and stays exact.
    studies = LinkedStudies(
        name=found["macro"][1].name,
        macro=optuna.load_study(
            study_name=found["macro"][0],
            storage=opened,
            sampler=MacroSampler(),
            pruner=BudgetPruner(risk=0),
        ),
        micro=optuna.load_study(
            study_name=found["micro"][0],
            storage=opened,
            sampler=MicroSampler(),
            pruner=BudgetPruner(risk=0),
        ),
    )
    for role in ROLES:
        check_study(studies.study(role), all_trials(studies.study(role)))
    return studies


def trials_of(studies: LinkedStudies) -> list[FrozenTrial]:
    """The trials of both studies; not to be changed."""
    return [*all_trials(studies.macro), *all_trials(studies.micro)]


def _check_names_are_free(storage: BaseStorage, name: str) -> None:
    """Refuse a name under which somebody else's study stands, before anything is written."""
    present = {study for study, _ in all_studies(storage)}
    for study_name in (f"{name}/{role}" for role in ROLES):
        if study_name not in present:
            continue
        study = optuna.load_study(storage=storage, study_name=study_name)
        if readable_link(study_attributes(study)) is None and not _is_bare(study):
            raise SearchError(
                f"The name {name!r} must be free, but the storage holds a study {study_name!r} "
                "that is no search of this version of the package: choose another name."
            )


def _is_bare(study: Study) -> bool:
    """Whether a study may be what a crash, or another worker, has left half made by `_create`."""
    bare = not all_trials(study) and not study_attributes(study)
    return bare and study.directions == [StudyDirection.MAXIMIZE]


def _create(storage: BaseStorage, link: Link, *, run: str | None) -> Link:
    """Create one study; one that another worker is about to create is taken as it is.

    `run` is that of the other study, where there is one.
    """
    study_name = f"{link.name}/{link.role}"
    try:
        study = optuna.create_study(storage=storage, study_name=study_name, direction="maximize")
    except DuplicatedStudyError:
        study = optuna.load_study(storage=storage, study_name=study_name)
        others = _await_link(study)
        if others is not None and run not in (None, others.run):
            raise SearchError(
                f"The name {link.name!r} must be free, but the study {study_name!r} belongs to "
                f"the search {others.name!r}: choose another name."
            ) from None
        if others is not None:
            return others
    write_link(study, link)
    return link


def _await_link(study: Study) -> Link | None:
    """What the creator of a study writes next; None if it does not, and so must have crashed."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        link = read_link(study_attributes(study))
        if link is not None:
            return link
        time.sleep(POLL)
    return None


def _check_same_task(macro: MacroSpace, micro: MicroSpace) -> None:
    for field in SHARED:
        ours, theirs = getattr(macro, field), getattr(micro, field)
        if ours != theirs:
            raise InvalidSpace(
                f"`{field}` must be the same in both spaces, but is {ours} in the macro space "
                f"and {theirs} in the micro space."
            )


def _accuracy(end: object, best: float | None) -> float | None:
    confirmed = end.found.confirmed if isinstance(end, Done) and end.found else None
    return best if confirmed is None else confirmed
