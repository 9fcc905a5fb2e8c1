"""Whether a stored search is the one that is asked for: what identifies both is compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .._core.text import short
from .._storage.link import Link
from ..errors import SearchError


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


def check_same_method(stored: Link, method: str) -> None:
    """Refuse to open a search of one method as one of another."""
    if stored.method != method:
        raise SearchError(
            f"The search {stored.name!r} must be of its method {stored.method}, but got {method}: "
            "give that one or none, or choose another name."
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


def _identity(link: Link) -> dict[str, Any]:
    """What makes a search the one that it is, flat."""
    space = {key: value for key, value in link.space.to_json().items() if key != "version"}
    return {
        **{f"{link.role} {key}": value for key, value in space.items()},
        **dict(link.dataset),
        "seed": link.seed,
    }
