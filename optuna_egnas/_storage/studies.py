"""The linked studies of one search, to be read: what it is, how far it is, what it has found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .._core.method import Method, method
from .._core.problem import Space
from .._core.proposal import CONFIRM, Done, Walk
from .attributes import of_trial
from .link import START, Link, read_link, start_of
from .private import all_trials, study_attributes
from .reader import Reader
from .result import Result

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from .._core.network import Network


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredStudies:
    """The studies of one search by role, each also an attribute of its role's name.

    All are ordinary Optuna studies with our samplers. The result is `result()`; the `best_trial`
    of a study may be one that is off the walk, or within the noise of the incumbent.
    """

    name: str
    studies: Mapping[str, Study]
    _links: dict[str, Link] = field(default_factory=dict, init=False, repr=False)

    def __getattr__(self, role: str) -> Study:
        if role.startswith("_") or role not in self.studies:
            raise AttributeError(f"The search {self.name!r} has no {role!r}.")
        return self.studies[role]

    @property
    def roles(self) -> tuple[str, ...]:
        """The names of the studies, in their order."""
        return tuple(self.studies)

    @property
    def first(self) -> Study:
        """The study that begins, which holds what belongs to the search as a whole."""
        return self.studies[self.roles[0]]

    @property
    def last(self) -> Study:
        """The study that ends with what the search has found, which holds what comes of it."""
        return self.studies[self.roles[-1]]

    @property
    def link(self) -> Link:
        """What is stored of the search, as its first study has it."""
        return self.link_of(self.roles[0])

    @property
    def method(self) -> Method:
        """The method of the search."""
        return method(self.link.method)

    def link_of(self, role: str) -> Link:
        """What one of the studies has stored of itself; read once, since it never changes."""
        if role not in self._links:
            link = read_link(study_attributes(self.studies[role]))
            assert link is not None
            self._links[role] = link
        return self._links[role]

    def study(self, role: str) -> Study:
        """The study of this role."""
        return self.studies[role]

    def spaces(self) -> dict[str, Space]:
        """The spaces by role, as they are stored: without the starts that are handed over."""
        return {role: self.link_of(role).space for role in self.roles}

    def reader(self, role: str) -> Reader | None:
        """A reader of one study; None for one that has no start yet."""
        study, link = self.study(role), self.link_of(role)
        if self.method.role(role).start is None:
            return Reader.of(study, link.space)
        before = self.roles[self.roles.index(role) - 1]
        if START not in study_attributes(study) and not self._has_found(before):
            return None
        return Reader.of(study, start_of(study, link, write=False))

    def walk(self, role: str) -> Walk | None:
        """The walk of one study; None for one that has no start yet."""
        reader = self.reader(role)
        if reader is None:
            return None
        return reader.space.follow(reader.history(self.study(role)))

    def network_found(self) -> Network | None:
        """The network that the search has found, or its best so far; None before the first."""
        return self._best([walk for role in self.roles if (walk := self.walk(role))])

    def _best(self, walks: Sequence[Walk]) -> Network | None:
        end = walks[-1].next
        if len(walks) == len(self.roles) and isinstance(end, Done) and end.found is not None:
            return end.found.architecture
        passed = [step for walk in walks for step in walk.steps if step.passed]
        return passed[-1].proposal.candidate.architecture if passed else None

    def result(self) -> Result:
        """What was found, or the best so far."""
        walks = [walk for role in self.roles if (walk := self.walk(role))]
        link, best = self.link, self._best(walks)
        steps = [step for walk in walks for step in walk.steps]
        path = [step.proposal for step in steps if step.proposal.phase != CONFIRM]
        passed = [step for step in steps if step.passed]
        end = walks[-1].next
        finished = len(walks) == len(self.roles) and isinstance(end, Done)
        return Result(
            name=self.name,
            method=link.method,
            finished=finished,
            architecture=best,
            params=link.space.params(best) if best else None,
            macs=link.space.macs(best) if best else None,
            valid_accuracy=_accuracy(end, passed[-1].score if passed else None),
            candidates=len(path),
            epochs=sum(proposal.candidate.epochs or 0 for proposal in path),
            seconds=sum(of_trial(trial, "seconds") or 0.0 for trial in trials_of(self)),
            studies={role: study.study_name for role, study in self.studies.items()},
        )

    def _has_found(self, role: str) -> bool:
        walk = self.walk(role)
        return walk is not None and isinstance(walk.next, Done) and walk.next.found is not None


def trials_of(studies: StoredStudies) -> list[FrozenTrial]:
    """The trials of all studies; not to be changed."""
    return [trial for study in studies.studies.values() for trial in all_trials(study)]


def _accuracy(end: object, best: float | None) -> float | None:
    found = end.found if isinstance(end, Done) else None
    if found is None:
        return best
    return found.score if found.confirmed is None else found.confirmed
