"""What ties two studies into one search: the record in their user attributes, and the hand-over.

User attributes, not system attributes or names: renaming a study in optuna-dashboard gives it a
new id and drops its system attributes. The two studies share a run id and are found by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import optuna

from ._attributes import LINK_RULE, checked, of_study
from ._claims import all_studies, storage_of, study_attributes, write_attribute
from ._core.encoding import Names
from ._core.macro import MacroSpace
from ._core.micro import MicroSpace
from ._core.proposal import Found
from ._core.sound_micro import epochs_after
from ._core.text import clipped, short
from ._core.walk import Done, follow
from ._core.words import verdict_words
from ._rules import LONGEST_NAME, UNREADABLE, quoted
from ._translate import Reader
from .errors import InvalidSpace, SearchError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study

Role = Literal["macro", "micro"]
ROLES: tuple[Role, Role] = ("macro", "micro")
RECORD, START, PLACES = "egnas:search", "egnas:start", "egnas:places"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a linked study says of itself.

    Args:
        run: id that both studies share.
        role: which of the two this is.
        name: the search's name.
        space: the study's space; that of the micro study has no start until the hand-over.
        dataset: plain values that identify the data; empty where the user brings an objective.
        seed: the search's seed.
        versions: the packages that the search was created with.
    """

    run: str
    role: Role
    name: str
    space: MacroSpace | MicroSpace
    dataset: Mapping[str, Any]
    seed: int
    versions: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a user attribute."""
        return {
            "run": self.run,
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
    kind = MacroSpace if values["role"] == "macro" else MicroSpace
    try:
        values["space"] = kind.from_json(values["space"])
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
    """The same as `read_link`, but None also for what another version, or a hand, has written."""
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
            found[_told_name(study, attributes[RECORD])] = f"The study {quoted(study)}: {error}"
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


def _told_name(study: str, record: Any) -> str:
    """What a search is called that cannot be read: by its record, else by its study's name."""
    told = record.get("name") if isinstance(record, dict) else None
    if isinstance(told, str) and told.strip():
        return told
    name, _, role = study.rpartition("/")
    return name if role in ROLES and name else study


def find_search(storage: BaseStorage, name: str) -> dict[Role, tuple[str, Link]]:
    """Both studies of a search: by its name, or else by the present name of either study.

    Raises:
        SearchError: it cannot be told which studies are meant, since some are copies.
    """
    listed = linked_studies(storage)
    present = (name, *(f"{name}/{role}" for role in ROLES))
    named = {link.run for _, link in listed if link.name == name}
    runs = named or {link.run for study, link in listed if study in present}
    if len(runs) > 1:
        raise SearchError(
            f"The name {name!r} must be that of one search, but {len(runs)} have it."
        )
    found: dict[Role, tuple[str, Link]] = {}
    for role in ROLES:
        studies = [(s, link) for s, link in listed if link.run in runs and link.role == role]
        if studies:
            found[role] = _original(studies)
    return found


def partner_name(storage: BaseStorage, link: Link) -> str:
    """The present name of the other study of a search."""
    studies = [
        (study, other)
        for study, other in linked_studies(storage)
        if other.run == link.run and other.role != link.role
    ]
    if studies:
        return _original(studies)[0]
    raise SearchError(
        f"The search {link.name!r} must have a macro and a micro study, but only its "
        f"{link.role} study is left."
    )


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


def check_plain(dataset: Mapping[str, Any]) -> None:
    """Refuse what does not come back from JSON as it was.

    Raises:
        SearchError: there is such a value.
    """
    try:
        same = json.loads(json.dumps(dict(dataset))) == plain(dataset)
    except (TypeError, ValueError):
        same = False
    if not same:
        raise SearchError(
            f"`dataset` must hold plain values only, but got {short(dict(dataset))}."
        )


def check_same_search(stored: Link, given: Link) -> None:
    """Refuse to open a search as something else, and say exactly what differs."""
    there, here = _identity(stored), _identity(given)
    names = sorted({*there, *here})
    others = [name for name in names if plain(there.get(name)) != plain(here.get(name))]
    # How many images are on either side follows from the rest, where that differs.
    decisive = [name for name in others if name.split()[-1] not in ("n_train", "n_valid")]
    differences = [
        f"{name} is {short(there.get(name))} there, but got {short(here.get(name))}"
        for name in decisive or others
    ]
    if differences:
        raise SearchError(
            f"The search {stored.name!r} exists and is another one: {'; '.join(differences)}. "
            "Give the stored values, or choose another name."
        )


def plain(value: Any) -> Any:
    """A value as it comes back from JSON."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value


def start_of(study: Study, link: Link, *, write: bool = True) -> MicroSpace:
    """The micro space with its start, which the ended macro search gives.

    Each worker finds it by itself and writes the same, so that a race is harmless; who only
    looks at a search does not `write`.

    Raises:
        SearchError: the macro search has not ended, or found nothing.
    """
    assert isinstance(link.space, MicroSpace)
    start = of_study(study_attributes(study), START, study.study_name)
    if start is None:
        storage = storage_of(study)
        macro = optuna.load_study(study_name=partner_name(storage, link), storage=storage)
        start = _macro_result(macro, link)
        if write:
            write_attribute(study, START, start)
    return replace(link.space, **start)


def _macro_result(macro: Study, link: Link) -> dict[str, int]:
    macro_link = read_link(study_attributes(macro))
    assert macro_link is not None
    walk = follow(macro_link.space, Reader.of(macro, macro_link.space, Names()).history(macro))
    if not isinstance(walk.next, Done):
        raise SearchError(
            f"The micro search of {link.name!r} starts when its macro search has ended, "
            f"but that is still under way after {len(walk.steps)} steps."
        )
    if walk.next.found is None:
        raise SearchError(
            f"The macro search of {link.name!r} found nothing to start from, since every network "
            f"that it asked for failed, the first one so: {verdict_words(walk.steps[0])}."
        )
    assert isinstance(link.space, MicroSpace)
    return start_from(link.space, walk.next.found)


def start_from(space: MicroSpace, found: Found) -> dict[str, Any]:
    """The fields of a micro space that a macro result sets."""
    confirm = space.confirm_epochs
    start = {"depth": found.architecture.depth, "width": found.architecture.width}
    if space.policy == "sound":
        # Only scores of inherited weights do not compare with those of a training from scratch.
        epochs = epochs_after(found.epochs)
        default = 0 if space.inherit is None else epochs
        confirm = default if confirm is None else confirm
        return {**start, "epochs": epochs, "confirm_epochs": confirm}
    return {**start, "confirm_epochs": found.epochs if confirm is None else confirm}


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


def _identity(link: Link) -> dict[str, Any]:
    """What makes a search the one that it is, flat."""
    space = {key: value for key, value in link.space.to_json().items() if key != "version"}
    return {
        **{f"{link.role} {key}": value for key, value in space.items()},
        **dict(link.dataset),
        "seed": link.seed,
    }
