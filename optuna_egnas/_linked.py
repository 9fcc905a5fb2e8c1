"""The two linked studies of one search: create, open, compare, and read the result.

`<name>/macro` and `<name>/micro` stand in one storage and share a run id; see `_link.py`. What a
search is (spaces, dataset, seed) is stored with it, and opening it as something else is refused.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.pruners import NopPruner

from ._claims import all_trials, study_attributes
from ._core.encoding import Names
from ._core.macro import MacroSpace
from ._core.micro import MicroSpace
from ._core.proposal import Proposal
from ._core.walk import Done, Walk, follow, least_left
from ._link import START, Link, Role, linked_studies, read_link, start_of, write_link
from ._result import Result
from ._storage import DEFAULT_URL, open_storage
from ._translate import Reader
from .errors import InvalidSpace, SearchError
from .samplers import MacroSampler, MicroSampler
from .samplers._walk import WalkSampler

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

PACKAGES = ("optuna-egnas", "optuna", "torch", "torchvision", "numpy")
SHARED = ("policy", "input_shape", "classes", "n_valid", "max_params", "max_macs")
ROLES: tuple[Role, Role] = ("macro", "micro")


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
        return Reader.of(study, start_of(study, link), Names())

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
            seconds=sum(self._numbers("seconds")),
            studies={"macro": self.macro.study_name, "micro": self.micro.study_name},
        )

    def seconds_left(self) -> float | None:
        """What is likely left, in seconds of training, if nothing more is accepted."""
        epochs = sum(self._numbers("epochs_trained"))
        if not epochs:
            return None
        return self._epochs_left() * sum(self._numbers("seconds")) / epochs

    def _epochs_left(self) -> int:
        macro, micro = self.reader("macro"), self.reader("micro")
        assert macro is not None
        left = least_left(macro.space, macro.history(self.macro))
        if micro is not None:
            return left + least_left(micro.space, micro.history(self.micro))
        return left + self._micro_epochs_ahead()

    def _micro_epochs_ahead(self) -> int:
        """Epochs of a micro search that would start from the best so far and keep nothing."""
        link = read_link(study_attributes(self.micro))
        best = self.result().architecture
        assert link is not None and isinstance(link.space, MicroSpace)
        if best is None:
            return 0
        ahead = replace(link.space, depth=best.depth, width=best.width)
        return least_left(ahead, Reader.of(self.micro, ahead, Names()).history(self.micro))

    def _macro_is_done(self) -> bool:
        walk = self.walk("macro")
        return walk is not None and isinstance(walk.next, Done) and walk.next.found is not None

    def _numbers(self, attribute: str) -> list[float]:
        return [trial.user_attrs.get(attribute, 0.0) for trial in trials_of(self)]


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
    if not name:
        raise SearchError("A search must have a name of at least 1 character, but got ''.")
    macro = macro or MacroSpace()
    micro = micro or MicroSpace(**{field: getattr(macro, field) for field in SHARED})
    _check_same_task(macro, micro)
    micro = replace(micro, depth=macro.min_depth, width=macro.min_width)
    run = uuid.uuid4().hex
    spaces: dict[Role, MacroSpace | MicroSpace] = {"macro": macro, "micro": micro}
    links = {
        role: Link(
            run=run,
            role=role,
            name=name,
            space=space,
            dataset=dataset or {},
            seed=seed,
            versions={package: version(package) for package in PACKAGES},
        )
        for role, space in spaces.items()
    }
    opened = open_storage(storage)
    stored = _find(opened, name)
    for role, (_, link) in stored.items():
        _check_same_search(link, links[role])
        links = {each: replace(new, run=link.run) for each, new in links.items()}
    for role in ROLES:
        if role not in stored:
            _create(opened, links[role])
    return load_linked_studies(storage=opened, name=name)


def load_linked_studies(
    *, storage: str | BaseStorage | None = DEFAULT_URL, name: str
) -> LinkedStudies:
    """Open a search by its name, also after its studies were renamed.

    Raises:
        SearchError: there is none of this name; the message lists those that there are.
    """
    opened = open_storage(storage, create=False)
    found = _find(opened, name)
    if set(found) != set(ROLES):
        names = sorted({link.name for _, link in linked_studies(opened)})
        there = f"there are {', '.join(names)}" if names else "the storage holds none"
        raise SearchError(f"There is no search named {name!r}: {there}.")
    # Without a pruner named here, Optuna's default one would stop candidates at equal step.
    return LinkedStudies(
        name=found["macro"][1].name,
        macro=optuna.load_study(
            study_name=found["macro"][0],
            storage=opened,
            sampler=MacroSampler(),
            pruner=NopPruner(),
        ),
        micro=optuna.load_study(
            study_name=found["micro"][0],
            storage=opened,
            sampler=MicroSampler(),
            pruner=NopPruner(),
        ),
    )


def trials_of(studies: LinkedStudies) -> list[FrozenTrial]:
    """The trials of both studies; not to be changed."""
    return [*all_trials(studies.macro), *all_trials(studies.micro)]


def _find(storage: BaseStorage, name: str) -> dict[Role, tuple[str, Link]]:
    """Both studies of a search: by its name, or by the present name of either study."""
    listed = linked_studies(storage)
    runs = {
        link.run
        for study, link in listed
        if name == link.name or study in (name, *(f"{name}/{role}" for role in ROLES))
    }
    return {link.role: (study, link) for study, link in listed if link.run in runs}


def _create(storage: BaseStorage, link: Link) -> None:
    study_name = f"{link.name}/{link.role}"
    try:
        study = optuna.create_study(storage=storage, study_name=study_name, direction="maximize")
    except DuplicatedStudyError:
        study = optuna.load_study(storage=storage, study_name=study_name)
        # Without a trial it is what a crash has left between the two steps of this function.
        if all_trials(study):
            raise SearchError(
                f"The name {link.name!r} must be free, but the storage holds a study "
                f"{study_name!r} that is no search of this package: choose another name."
            ) from None
    write_link(study, link)


def _check_same_task(macro: MacroSpace, micro: MicroSpace) -> None:
    for field in SHARED:
        ours, theirs = getattr(macro, field), getattr(micro, field)
        if ours != theirs:
            raise InvalidSpace(
                f"`{field}` must be the same in both spaces, but is {ours} in the macro space "
                f"and {theirs} in the micro space."
            )


def _check_same_search(stored: Link, given: Link) -> None:
    differences = _differences(_identity(stored), _identity(given))
    if differences:
        raise SearchError(
            f"The search {stored.name!r} exists and is another one: {'; '.join(differences)}. "
            "Give the stored values, or choose another name."
        )


def _identity(link: Link) -> dict[str, Any]:
    """What makes a search the one that it is, flat."""
    space = {key: value for key, value in link.space.to_json().items() if key != "version"}
    return {
        **{f"{link.role} {key}": value for key, value in space.items()},
        **dict(link.dataset),
        "seed": link.seed,
    }


def _differences(stored: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    return [
        f"{key} is {stored.get(key)!r} there, but got {given.get(key)!r}"
        for key in sorted({*stored, *given})
        if _plain(stored.get(key)) != _plain(given.get(key))
    ]


def _plain(value: Any) -> Any:
    """A value as it comes back from JSON."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _accuracy(end: object, best: float | None) -> float | None:
    confirmed = end.found.confirmed if isinstance(end, Done) and end.found else None
    return best if confirmed is None else confirmed
