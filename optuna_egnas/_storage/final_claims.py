"""Who is at a final training, and at its test: one process for each seed at a time.

A claim is a user attribute of the last study. Storages have no way to write one only where there
is none yet, so a process writes its claim, waits, and goes on only if it finds its own; it looks
again before it reads the test. The claim of a process that is dead is taken over. That a test
begins is stored before its images are read, so that nobody reads them again unknowingly.
"""

from __future__ import annotations

import os
import platform
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from optuna.storages import InMemoryStorage

from .._core.rules import all_of, fields, moment, quoted, text
from ..errors import SearchError
from . import liveness as _alive
from .attributes import OWNER_RULE, checked
from .final_records import TEST_RULE, BegunTest
from .private import storage_of, study_attributes, write_attribute

if TYPE_CHECKING:
    from .final_records import FinalSettings
    from .studies import StoredStudies


CLAIM = "egnas:final-claim:"
"""How the attributes of claims begin; the seed follows."""
CLAIM_RULE = all_of(OWNER_RULE, fields({"host": text, "token": text, "since": moment}))
TEST = "egnas:final-test:"
"""How the attributes of tests that have begun start; the settings' digest and the seed follow."""
SETTLE = 0.2
"""Seconds after which the claims of processes that start together can be seen."""
PATIENCE = 900.0
"""Seconds of silence after which a process on another machine counts as dead."""
SIGN_SECONDS = 10.0
"""Signs of life are not written more often than this."""


@dataclass(slots=True, kw_only=True, eq=False)
class FinalClaim:
    """This process's claim of a final training."""

    studies: StoredStudies
    seed: int
    record: dict[str, Any]
    _longest: float = field(default=0.0, init=False)
    _last: float = field(default_factory=time.monotonic, init=False)

    def show(self, seconds: float) -> None:
        """Write a sign of life, after an epoch of so many seconds, unless the last was just now.

        Raises:
            SearchError: another process has taken the training over.
        """
        self._longest = max(self._longest, seconds)
        if time.monotonic() - self._last < SIGN_SECONDS:
            return
        self._last = time.monotonic()
        # A storage that is away for a while is no reason to end a training that needs none.
        with suppress(Exception):
            found = _stored(study_attributes(self.studies.last), self.seed)
            if _is_same(found, self.record):
                self.record |= _alive.sign_of_life(PATIENCE, self._longest)
                write_attribute(self.studies.last, _key(self.seed), self.record)
                return
        self._check_if_readable()

    def check(self) -> None:
        """See that the claim still holds.

        Raises:
            SearchError: another process has taken the training over.
        """
        found = _stored(study_attributes(self.studies.last), self.seed)
        if not _is_same(found, self.record):
            raise _refusal(self.studies.name, self.seed, found)

    def release(self) -> None:
        """Give the claim up; never raises."""
        with suppress(Exception):
            if _is_same(_stored(study_attributes(self.studies.last), self.seed), self.record):
                write_attribute(self.studies.last, _key(self.seed), None)

    def _check_if_readable(self) -> None:
        try:
            self.check()
        except SearchError:
            raise
        # As above: each storage has errors of its own for being away.
        except Exception:
            return


@contextmanager
def claimed(studies: StoredStudies, seed: int) -> Iterator[FinalClaim]:
    """Hold the claim of a final training.

    Raises:
        SearchError: another process that lives is at it; the message names it.
    """
    check_is_free(studies, seed)
    record = {
        **_alive.owner(PATIENCE),
        "token": uuid.uuid4().hex,
        "since": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    claim = FinalClaim(studies=studies, seed=seed, record=record)
    write_attribute(studies.last, _key(seed), record)
    try:
        if not isinstance(storage_of(studies.last), InMemoryStorage):
            time.sleep(SETTLE)
        claim.check()
        yield claim
    finally:
        claim.release()


def check_is_free(studies: StoredStudies, seed: int) -> None:
    """Refuse a final training that another process is at."""
    found = _stored(study_attributes(studies.last), seed)
    if found is not None and _holds(found):
        raise _refusal(studies.name, seed, found)


def at_work(attributes: Mapping[str, Any]) -> list[str]:
    """Who is at final trainings of a search, in words, by the attributes of its last study."""
    seeds = (key.removeprefix(CLAIM) for key in attributes if key.startswith(CLAIM))
    found = [record for seed in seeds if (record := _stored(attributes, seed)) is not None]
    return [who(record, record["since"]) for record in found if _alive.is_alive(record, None)]


def who(owner: Mapping[str, Any], since: object) -> str:
    """A process in words: its machine, its id, and since when it is at work."""
    return f"{owner.get('host')}, process {owner.get('pid')}, since {since}"


def begun_test(reads: int) -> BegunTest:
    """That this process begins a test now."""
    return BegunTest(
        at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        host=platform.node(),
        pid=os.getpid(),
        reads=reads,
    )


def write_test(
    studies: StoredStudies, settings: FinalSettings, seed: int, mark: BegunTest | None
) -> None:
    """Store how far the test of a final training is."""
    value = None if mark is None else asdict(mark)
    write_attribute(studies.last, f"{TEST}{settings.digest()}:{seed}", value)


def read_test(studies: StoredStudies, settings: FinalSettings, seed: int) -> BegunTest | None:
    """How far the test of a final training is; None where it has not begun.

    Raises:
        SearchError: it is not stored as this version does.
    """
    key = f"{TEST}{settings.digest()}:{seed}"
    found = study_attributes(studies.last).get(key)
    return None if found is None else BegunTest(**checked(key, found, TEST_RULE, "the last study"))


def _key(seed: int | str) -> str:
    return f"{CLAIM}{seed}"


def _stored(attributes: Mapping[str, Any], seed: int | str) -> dict[str, Any] | None:
    key = _key(seed)
    found: dict[str, Any] | None = attributes.get(key)
    return None if found is None else checked(key, found, CLAIM_RULE, "the last study")


def _holds(record: Mapping[str, Any]) -> bool:
    """Whether a claim keeps this thread out: what it left itself, it can take up again."""
    return _alive.is_alive(record, None) and not _alive.is_own(record)


def _is_same(found: Mapping[str, Any] | None, record: Mapping[str, Any]) -> bool:
    return found is not None and found["token"] == record["token"]


def _refusal(name: str, seed: int, found: Mapping[str, Any] | None) -> SearchError:
    by = who(found, found["since"]) if found else "another process, which has ended meanwhile"
    return SearchError(
        f"A final training of {quoted(name)} must have one process for each seed, but seed {seed} "
        f"belongs to {by}: wait for it, or stop it first."
    )
