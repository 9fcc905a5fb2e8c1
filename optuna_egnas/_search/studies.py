"""The linked studies of one search: create, open and compare them.

They are in one storage, are called `<name>/<role>` and share a run id; see `_storage/link.py`.
What a search is (spaces, dataset, seed) is stored with it, and opening it as something else is
refused.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.study import StudyDirection

from .._core.answers import check_begins
from .._core.method import DEFAULT
from .._core.method import method as find_method
from .._core.problem import Space
from .._core.proposal import Done, Proposal
from .._storage.attributes import check_study
from .._storage.link import (
    Link,
    check_name,
    find_search,
    no_search,
    read_link,
    readable_link,
    unreadable,
    write_link,
)
from .._storage.opening import open_storage
from .._storage.private import all_studies, all_trials, study_attributes
from .._storage.rivals import compared
from .._storage.studies import StoredStudies
from .._storage.urls import DEFAULT_URL
from ..errors import InvalidSpace, SearchError
from ..pruners import BudgetPruner
from ..samplers._method import MethodSampler
from ..visualization._html import notebook_html
from .same import check_plain, check_same_method, check_same_search

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study

    from .._storage.result import Result
    from .front import Front


PACKAGES = ("optuna-egnas", "optuna", "torch", "torchvision", "numpy")
PATIENCE = 2.0
"""Seconds that a worker waits for another one to write what a study is."""
POLL = 0.02


class LinkedStudies(StoredStudies):
    """The linked studies of one search, each also an attribute of its role's name.

    All are ordinary Optuna studies with our samplers: optimise the first until it stops, then the
    next. The result is `result()`; the `best_trial` of a study may be a trial that is off the
    walk, or within the noise of the incumbent.

    Examples:
        >>> from optuna_egnas import create_linked_studies
        >>> studies = create_linked_studies(storage=None, name="mine")
        >>> studies.macro.study_name, studies.micro.study_name
        ('mine/macro', 'mine/micro')
        >>> studies.result().finished
        False
    """

    __slots__ = ()

    def frontier(self, role: str, k: int = 1) -> tuple[Proposal, ...] | Done:
        """The next `k` trainings of one study that nobody has; none: all left is in flight."""
        return MethodSampler().frontier(self.study(role), k)

    def front(self, *, device: str = "auto") -> Front:
        """The networks that no other one beats in accuracy, size, calculations and latency.

        Their latencies are measured now, on this device: `auto` takes a GPU where there is one.

        Raises:
            SearchError: nothing was trained to the end yet, or there is no such device.
        """
        # Here, not above: it loads torch.
        from .front import measured_front

        return measured_front(self, device=device)

    def result(self) -> Result:
        """What was found, or the best so far, with the rivals of its last final training.

        Raises:
            SearchError: a final training or a rival is not stored as this version does.
        """
        return replace(super().result(), rivals=compared(self))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return notebook_html(self)


def create_linked_studies(
    *,
    storage: str | BaseStorage | None = DEFAULT_URL,
    name: str,
    method: str = DEFAULT,
    dataset: Mapping[str, Any] | None = None,
    seed: int = 0,
    **spaces: Space | None,
) -> LinkedStudies:
    """Create the studies of a search, or open them where they exist and are the same.

    Args:
        storage: a URL, an Optuna storage, or None for one in memory.
        name: the search's name; its studies are called after it: `<name>/<role>`.
        method: the search's method.
        dataset: plain values that identify the data.
        seed: the search's seed.
        spaces: a space for each role of the method; default: the published ones, for one task. A
            field that a search finds by itself comes from the study before.

    Raises:
        InvalidSpace: the spaces differ in their task or limits, or a role is unknown.
        SearchError: the name belongs to another search or study; the message says what differs,
            and nothing is written.

    Examples:
        >>> from optuna_egnas import MacroSpace, create_linked_studies
        >>> space = MacroSpace(min_depth=1, max_depth=4, min_width=8, max_width=16)
        >>> studies = create_linked_studies(storage=None, name="mine", macro=space)
        >>> studies.roles
        ('macro', 'micro')
    """
    return create_in(
        lambda: open_storage(storage),
        name=name,
        method=method,
        spaces={role: space for role, space in spaces.items() if space is not None},
        dataset=dataset,
        seed=seed,
    )


def create_in(  # noqa: PLR0913 - as `create_linked_studies`
    open_it: Callable[[], BaseStorage],
    *,
    name: str,
    method: str,
    spaces: Mapping[str, Space],
    dataset: Mapping[str, Any] | None,
    seed: int,
    decide: Callable[[Link | None], Mapping[str, Any]] = lambda _: {},
    create: bool = True,
) -> LinkedStudies:
    """Create or open the studies of a search as `create_linked_studies` does.

    The storage is opened, and made, only when all else was found right.
    `decide` adds to `dataset` what is decided once for a search, given its stored link, if it
    has one. `create`: whether a search that is not there is created; else it is an error.
    """
    check_name(name)
    check_plain(dataset or {})
    of = find_method(method)
    for role, space in spaces.items():
        _check_kind(role, space, of.role(role).space)
    spaces = {role: space.with_seed(seed) for role, space in of.joined(spaces).items()}
    check_begins(spaces[of.roles[0].name])
    opened = open_it()
    stored = {role: link for role, (_, link) in find_search(opened, name).items()}
    for link in stored.values():
        check_same_method(link, method)
    if not create and set(stored) != {role.name for role in of.roles}:
        raise no_search(opened, name)
    decided = decide(next(iter(stored.values()), None))
    run = uuid.uuid4().hex
    links = {
        role: Link(
            run=run,
            method=method,
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
    if set(stored) != set(links):
        _check_names_are_free(opened, name, links)
    for role in (role for role in links if role not in stored):
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

    Examples:
        >>> from optuna_egnas import create_linked_studies, load_linked_studies
        >>> made = create_linked_studies(storage="sqlite:///made.db", name="mine")
        >>> studies = load_linked_studies(storage="sqlite:///made.db", name="mine")
        >>> studies.name
        'mine'
    """
    opened = open_storage(storage, create=False)
    found = find_search(opened, name)
    roles = next((link.roles for _, link in found.values()), ())
    if not roles or set(found) != set(roles):
        raise no_search(opened, name)
    # Without a pruner named here, Optuna's default one would stop candidates at equal step. No
    # risk: the published walk knows scores only, and stays exact.
    studies = LinkedStudies(
        name=found[roles[0]][1].name,
        studies={
            role: optuna.load_study(
                study_name=found[role][0],
                storage=opened,
                sampler=MethodSampler(),
                pruner=BudgetPruner(risk=0),
            )
            for role in roles
        },
    )
    for study in studies.studies.values():
        check_study(study, all_trials(study), studies.method.network_from_json)
    return studies


def _check_names_are_free(storage: BaseStorage, name: str, roles: Iterable[str]) -> None:
    """Refuse a name that somebody else's study has, before anything is written."""
    present = {study for study, _ in all_studies(storage)}
    for study_name in (f"{name}/{role}" for role in roles):
        if study_name not in present:
            continue
        study = optuna.load_study(storage=storage, study_name=study_name)
        if readable_link(study_attributes(study)) is None and not _is_bare(study):
            raise SearchError(
                f"The name {name!r} must be free, but the storage holds a study {study_name!r} "
                "that is no search of this version of the package: choose another name."
            )
    if name in unreadable(storage):
        raise no_search(storage, name)


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


def _check_kind(role: str, space: Space, kind: type[Space]) -> None:
    if not isinstance(space, kind):
        raise InvalidSpace(
            f"`{role}` must be a {kind.__name__}, but got a {type(space).__name__}."
        )
