"""What ties studies into one search: the record in their user attributes, and the hand-over.

User attributes, not system attributes or names: renaming a study in optuna-dashboard gives it a
new id and drops its system attributes. The studies of a search share a run id and are found by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import optuna

from .._core.method import DEFAULT, method
from .._core.problem import Space
from .._core.proposal import Done
from .._core.role import Role
from .._core.rules import LONGEST_NAME, UNREADABLE, quoted
from .._core.text import clipped, short
from .._core.words import verdict_words
from ..errors import InvalidSpace, SearchError
from .attributes import LINK_RULE, checked, of_study
from .private import all_studies, storage_of, study_attributes, write_attribute
from .reader import Reader

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study


RECORD, START, PLACES = "egnas:search", "egnas:start", "egnas:places"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a linked study says of itself.

    Args:
        run: id that the studies share.
        method: the name of the search's method.
        role: which of its studies this is.
        name: the search's name.
        space: the study's space; one that begins with what another has found has no start until
            the hand-over.
        dataset: plain values that identify the data; empty where the user brings an objective.
        seed: the search's seed.
        versions: the packages that the search was created with.
    """

    run: str
    role: str
    name: str
    space: Space
    dataset: Mapping[str, Any]
    seed: int
    versions: Mapping[str, str]
    method: str = DEFAULT

    @property
    def roles(self) -> tuple[str, ...]:
        """The names of all studies of the search, in their order."""
        return tuple(role.name for role in method(self.method).roles)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a user attribute."""
        return {
            "run": self.run,
            "method": self.method,
            "role": self.role,
            "name": self.name,
            "space": self.space.to_json(),
            "dataset": dict(self.dataset),
            "seed": self.seed,
            "versions": dict(self.versions),
        }


def read_link(attributes: Mapping[str, Any]) -> Link | None:
    """The link in a study's user attributes; None if the study is nobody's partner.

    Raises:
        SearchError: it is not one of this version.
    """
    record = attributes.get(RECORD)
    if record is None:
        return None
    values = dict(checked(RECORD, record, LINK_RULE, "the study"))
    # Searches from before there were others are of the first method.
    of = method(values.setdefault("method", DEFAULT))
    try:
        values["space"] = of.space(values["role"], values["space"])
        # What is kept of a space is found by it.
        hash(values["space"])
    except (InvalidSpace, *UNREADABLE) as error:
        raise SearchError(
            f"The space of the search {quoted(values['name'])} must be one of this version, but "
            f"is not: {clipped(str(error), 120)}"
        ) from None
    return Link(**values)


def write_link(study: Study, link: Link) -> None:
    """Store the link, all at once."""
    write_attribute(study, RECORD, link.to_json())


def read_places(study: Study) -> dict[str, str]:
    """Where a search keeps what is not in its storage: `artifacts`, and `data` if it was said."""
    stored = of_study(study_attributes(study), PLACES, study.study_name) or {}
    return {key: place for key, place in stored.items() if isinstance(place, str)}


def write_places(study: Study, places: Mapping[str, str]) -> None:
    """Store these places, so that the next worker finds them."""
    if read_places(study) != dict(places):
        write_attribute(study, PLACES, dict(places))


def linked_studies(storage: BaseStorage) -> list[tuple[str, Link]]:
    """All linked studies of a storage that this version can read, by their present names."""
    listed = [(name, readable_link(attributes)) for name, attributes in all_studies(storage)]
    return [(name, link) for name, link in listed if link is not None]


def readable_link(attributes: Mapping[str, Any]) -> Link | None:
    """Read a link as `read_link` does, or return None where this version cannot read it."""
    try:
        return read_link(attributes)
    except SearchError:
        return None


def unreadable(storage: BaseStorage) -> dict[str, str]:
    """The searches that this version cannot read: why, by their names as far as they are known."""
    found = {}
    for study, attributes in all_studies(storage):
        try:
            read_link(attributes)
        except SearchError as error:
            found[_stored_name(study, attributes[RECORD])] = f"The study {quoted(study)}: {error}"
    return found


def search_names(storage: BaseStorage) -> list[str]:
    """The names of all searches of a storage, also of those that this version cannot read."""
    return sorted({link.name for _, link in linked_studies(storage)} | unreadable(storage).keys())


def no_search(storage: BaseStorage, name: str) -> SearchError:
    """Why there is no search of this name that could be opened."""
    reason = unreadable(storage).get(name)
    if reason is not None:
        return SearchError(reason)
    names = search_names(storage)
    there = f"there are {', '.join(names)}" if names else "the storage holds none"
    return SearchError(f"There is no search named {quoted(name)}: {there}.")


def _stored_name(study: str, record: Any) -> str:
    """What a search is called that cannot be read: by its record, else by its study's name."""
    stored = record.get("name") if isinstance(record, dict) else None
    if isinstance(stored, str) and stored.strip():
        return stored
    name, _, role = study.rpartition("/")
    return name if role and name else study


def find_search(storage: BaseStorage, name: str) -> dict[str, tuple[str, Link]]:
    """The studies of a search by role: by its name, or else by the present name of any of them.

    Raises:
        SearchError: it is unclear which studies are meant, since some are copies.
    """
    listed = linked_studies(storage)
    named = {link.run for _, link in listed if link.name == name}
    runs = named or {link.run for study, link in listed if study in (name, f"{name}/{link.role}")}
    if len(runs) > 1:
        raise SearchError(
            f"The name {name!r} must be that of one search, but {len(runs)} have it."
        )
    return _by_role([(study, link) for study, link in listed if link.run in runs])


def partner_names(storage: BaseStorage, link: Link) -> dict[str, str]:
    """The present names of the other studies of a search, by role.

    Raises:
        SearchError: one of them is missing.
    """
    listed = linked_studies(storage)
    found = _by_role([(study, other) for study, other in listed if other.run == link.run])
    partners = [role for role in link.roles if role != link.role]
    for role in partners:
        if role not in found:
            raise SearchError(
                f"The search {link.name!r} must have a study for each of "
                f"{', '.join(link.roles)}, but has none for {role}."
            )
    return {role: found[role][0] for role in partners}


class Partners:
    """The other studies of a study's search: found once, when they are first asked for."""

    def __init__(self, study: Study, link: Link | None) -> None:
        self._study, self._link = study, link

    @cached_property
    def studies(self) -> dict[str, Study]:
        """The partners by their roles; none where the study is not linked.

        Raises:
            SearchError: one of them is missing.
        """
        if self._link is None:
            return {}
        storage = storage_of(self._study)
        return {
            role: optuna.load_study(study_name=name, storage=storage)
            for role, name in partner_names(storage, self._link).items()
        }


def check_name(name: str) -> None:
    """Refuse a name that no search can have.

    Raises:
        SearchError: it is empty, too long, or holds what no storage keeps.
    """
    if not name.strip() or len(name) > LONGEST_NAME:
        length = f" ({len(name)})" if len(name) > LONGEST_NAME else ""
        raise SearchError(
            f"A search must have a name of 1 to {LONGEST_NAME} characters, not all of them "
            f"spaces, but got {name[:40]!r}{length}."
        )
    # Databases keep neither bytes that are no text, nor the character of code 0.
    if any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in name):
        raise SearchError(f"A search must have a name that is text, but got {quoted(name)}.")


def start_of(study: Study, link: Link, *, write: bool = True) -> Space:
    """The space of a study with its start, which the study before it gives, where it takes one.

    Each worker finds it by itself and writes the same, so that a race is harmless; who only
    looks at a search does not `write`.

    Raises:
        SearchError: the study before it has not ended, or found nothing.
    """
    role = method(link.method).role(link.role)
    if role.start is None:
        return link.space
    start = of_study(study_attributes(study), START, study.study_name)
    if start is None:
        start = dict(_handed_over(study, link, role))
        if write:
            write_attribute(study, START, start)
    try:
        begun = replace(link.space, **start)
        hash(begun)
    except (InvalidSpace, *UNREADABLE) as error:
        raise SearchError(
            f"`{START}` of {quoted(study.study_name)} must hold fields of its space, but got "
            f"{short(start)}: {clipped(str(error), 120)}"
        ) from None
    return begun


def _handed_over(study: Study, link: Link, role: Role) -> Mapping[str, Any]:
    before = link.roles[link.roles.index(role.name) - 1]
    earlier = Partners(study, link).studies[before]
    earlier_link = read_link(study_attributes(earlier))
    assert earlier_link is not None and role.start is not None
    space = start_of(earlier, earlier_link)
    walk = space.follow(Reader.of(earlier, space).history(earlier))
    if not isinstance(walk.next, Done):
        raise SearchError(
            f"The {role.name} search of {link.name!r} starts when its {before} search has ended, "
            f"but that is still under way after {len(walk.steps)} steps."
        )
    if walk.next.found is None:
        first = verdict_words(walk.steps[0], space)
        raise SearchError(
            f"The {before} search of {link.name!r} found nothing to start from: every network "
            f"that it asked for failed, the first one with: {first}."
        )
    spent = sum(step.proposal.candidate.epochs or 0 for step in walk.steps)
    return role.start(link.space, replace(walk.next.found, spent=spent))


def _by_role(studies: Sequence[tuple[str, Link]]) -> dict[str, tuple[str, Link]]:
    """The studies of one search by their roles, in the order of these."""
    found: dict[str, list[tuple[str, Link]]] = {}
    for study, link in studies:
        found.setdefault(link.role, []).append((study, link))
    roles = studies[0][1].roles if studies else ()
    return {role: _original(found[role]) for role in roles if role in found}


def _original(studies: Sequence[tuple[str, Link]]) -> tuple[str, Link]:
    """The one that is no copy, among studies of one search and one role."""
    by_name = [(study, link) for study, link in studies if study == f"{link.name}/{link.role}"]
    if len(studies) > 1 and not by_name:
        link, names = studies[0][1], ", ".join(repr(study) for study, _ in studies)
        raise SearchError(
            f"The search {link.name!r} must have one {link.role} study, but has copies: {names}. "
            f"Delete all but one, or rename one to '{link.name}/{link.role}'."
        )
    return by_name[0] if by_name else studies[0]
