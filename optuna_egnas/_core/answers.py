"""Whether a method gives the answers that it must give; what it lacks is named in one line."""

from __future__ import annotations

from ..errors import SearchError
from . import problem
from .history import History
from .problem import Space
from .proposal import Done
from .role import Role
from .text import short

REQUIRED = ("name", "roles", "build")


def check_method(found: object, name: str, *, base: type) -> None:
    """Refuse a method, asked for by this name, that lacks an answer.

    `base` is what it would inherit the answer from.

    Raises:
        SearchError: it lacks one, or gives one that cannot be right.
    """
    lacks = [each for each in REQUIRED if getattr(type(found), each, None) in _none(base, each)]
    roles = getattr(found, "roles", ())
    if "roles" not in lacks:
        _check_roles(roles, name)
    for space in dict.fromkeys(role.space for role in roles):
        asked = [each for each in problem.REQUIRED if _is_abstract(space, each)]
        asked += [] if hasattr(space, "method") else ["method"]
        lacks += [f"{space.__name__}.{each}" for each in asked]
    if lacks:
        raise SearchError(f"The method {name!r} must answer {', '.join(lacks)}, but does not.")
    named = {"name": getattr(found, "name", None)}
    named |= {f"{role.space.__name__}.method": role.space.method for role in roles}
    for what, said in named.items():
        if said != name:
            raise SearchError(
                f"`{what}` of the method {name!r} must be {name!r}, but is {said!r}."
            )


def check_begins(space: Space) -> None:
    """Refuse a space whose rules propose nothing, or no network that could be stored.

    Raises:
        SearchError: what its method answers cannot be right.
    """
    first = space.follow(History()).next
    kind, of = type(space).__name__, space.method
    if isinstance(first, Done):
        raise SearchError(
            f"`{kind}.frontier` of the method {of!r} must propose a network at first, but is "
            "done at once."
        )
    network = first.candidate.architecture
    if not callable(getattr(network, "to_json", None)):
        raise SearchError(
            f"A network of the method {of!r} must answer `to_json`, but "
            f"{type(network).__name__} does not."
        )


def _check_roles(roles: object, name: str) -> None:
    if not isinstance(roles, (tuple, list)) or not roles:
        raise SearchError(f"`roles` of {name!r} must be one Role or more, but got {short(roles)}.")
    for role in roles:
        if not isinstance(role, Role):
            raise SearchError(f"`roles` of {name!r} must hold Role only, but got {short(role)}.")
        if not (isinstance(role.space, type) and issubclass(role.space, Space)):
            raise SearchError(
                f"`space` of the role {role.name!r} of {name!r} must be a subclass of Space, but "
                f"got {short(role.space)}."
            )


def _none(base: type, name: str) -> tuple[object, object]:
    """What an answer is that was not given."""
    return None, getattr(base, name, None)


def _is_abstract(space: type[Space], name: str) -> bool:
    return bool(getattr(getattr(space, name), "__isabstractmethod__", False))
