"""`egnas retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.commands import STORAGE, YES
from ._arguments import GivenName, Storage, Yes, checked_name
from ._output import agreed, errors, quiet_optuna

if TYPE_CHECKING:
    from .._search.catalogue import Failures


SHOWN = 100
"""Characters of an error that are shown."""


def retry(
    name: GivenName,
    storage: Storage = STORAGE.default,
    yes: Yes = YES.default,
) -> None:
    """Forget a search's failures, so that it trains these networks again; asks first."""
    from .._search.catalogue import failures, forget_failures
    from .._storage.opening import open_storage
    from . import _show_search as _show

    quiet_optuna()
    with _show.storage_trouble(storage):
        opened = open_storage(storage, create=False)
        found = failures(opened, checked_name(name))
        if not found:
            errors.print("Nothing was forgotten: there is no failure to try again.")
            return
        for each in found:
            errors.print(_line(each))
        if not yes and not agreed("Forget them, so that these networks are trained again?"):
            errors.print("Nothing was forgotten.")
            return
        for each in found:
            forget_failures(opened, each)
    total = sum(len(each.numbers) for each in found)
    errors.print(f"Forgot {total}. The command that began the search goes on from here.")


def _line(found: Failures) -> str:
    count, others = len(found.numbers), len(found.errors) - 1
    more = f", and {others} other error{'s' if others > 1 else ''}" if others else ""
    failed = f"{count} failure{'s' if count > 1 else ''}"
    return f"{failed} in {found.study}: {found.errors[0][:SHOWN]}{more}"
