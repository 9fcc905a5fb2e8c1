"""What ties two studies into one search: the record in their user attributes, and the hand-over.

User attributes, not system attributes or names: renaming a study in optuna-dashboard gives it a
new id and drops its system attributes. The two studies share a run id and are found by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import optuna

from ._claims import all_studies, storage_of, study_attributes, write_attribute
from ._core.encoding import Names
from ._core.macro import MacroSpace
from ._core.micro import MicroSpace
from ._core.walk import Done, follow
from ._translate import Reader
from .errors import SearchError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study

Role = Literal["macro", "micro"]
RECORD, START = "egnas:search", "egnas:start"


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
    """The link in a study's user attributes; None if the study is nobody's partner."""
    record = attributes.get(RECORD)
    if record is None:
        return None
    values = dict(record)
    kind = MacroSpace if values["role"] == "macro" else MicroSpace
    values["space"] = kind.from_json(values["space"])
    return Link(**values)


def write_link(study: Study, link: Link) -> None:
    """Store the link, all at once."""
    write_attribute(study, RECORD, link.to_json())


def linked_studies(storage: BaseStorage) -> list[tuple[str, Link]]:
    """All linked studies of a storage, by their present names."""
    listed = [(name, read_link(attributes)) for name, attributes in all_studies(storage)]
    return [(name, link) for name, link in listed if link is not None]


def partner_name(storage: BaseStorage, link: Link) -> str:
    """The present name of the other study of a search."""
    for name, other in linked_studies(storage):
        if other.run == link.run and other.role != link.role:
            return name
    raise SearchError(
        f"The search {link.name!r} must have a macro and a micro study, but only its "
        f"{link.role} study is left."
    )


def start_of(study: Study, link: Link) -> MicroSpace:
    """The micro space with its start, which the ended macro search gives.

    Each worker finds it by itself and writes the same, so that a race is harmless.

    Raises:
        SearchError: the macro search has not ended, or found nothing.
    """
    assert isinstance(link.space, MicroSpace)
    start = study_attributes(study).get(START)
    if start is None:
        storage = storage_of(study)
        macro = optuna.load_study(study_name=partner_name(storage, link), storage=storage)
        start = _macro_result(macro, link)
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
            f"The macro search of {link.name!r} found nothing to start from: "
            "every network that it asked for failed."
        )
    found = walk.next.found
    assert isinstance(link.space, MicroSpace)
    confirm = link.space.confirm_epochs
    return {
        "depth": found.architecture.depth,
        "width": found.architecture.width,
        "confirm_epochs": found.epochs if confirm is None else confirm,
    }
