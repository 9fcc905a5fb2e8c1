"""The rivals of a final training: what the last study stores of each, and all of them together.

Each is a user attribute of its own, written when the rival is tested, so that what is done stays.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .._core.comparison import Comparison, Rival
from .._core.rules import (
    all_of,
    count,
    fields,
    optional,
    positive,
    quoted,
    seconds,
    short_text,
)
from .attributes import checked
from .final_results import finals
from .private import study_attributes, write_attribute

if TYPE_CHECKING:
    from .final_records import FinalRecord, FinalSettings
    from .studies import StoredStudies


RIVAL = "egnas:rival:"
"""How the attributes of rivals begin; the digest of the settings and the rival's name follow."""


def _adds_up(found: Any) -> str | None:
    """Whether the numbers of a test fit each other."""
    right, total = found["test_correct"], found["n_test"]
    good = found["better"] <= right <= total and found["worse"] <= total - right
    return None if good else "a test whose parts add up"


RIVAL_RULE = all_of(
    fields(
        {
            "name": short_text,
            "words": short_text,
            "params": optional(count),
            "macs": optional(count),
            "seconds": seconds,
            "test_correct": count,
            "n_test": positive,
            "better": count,
            "worse": count,
        },
        others=False,
    ),
    _adds_up,
)


def write_rival(studies: StoredStudies, settings: FinalSettings, rival: Rival) -> None:
    """Store a rival of the final trainings with these settings."""
    write_attribute(studies.last, f"{RIVAL}{settings.digest()}:{rival.name}", asdict(rival))


def all_rivals(studies: StoredStudies, settings: FinalSettings) -> tuple[Rival, ...]:
    """The rivals of the final trainings with these settings, in the order of their storing.

    Raises:
        SearchError: one of them is not stored as this version does.
    """
    where = f"the study {quoted(studies.last.study_name)}"
    read = {
        key: Rival(**checked(key, value, RIVAL_RULE, where))
        for key, value in study_attributes(studies.last).items()
        if key.startswith(RIVAL)
    }
    ours = f"{RIVAL}{settings.digest()}:"
    return tuple(rival for key, rival in read.items() if key.startswith(ours))


def compared(
    studies: StoredStudies,
    settings: FinalSettings | None = None,
    *,
    left_out: tuple[str, ...] = (),
) -> Comparison | None:
    """The network found and its rivals, all by one test each; None where there are none.

    `settings`: default: those of the final training that has ended last.

    Raises:
        SearchError: one of them is not stored as this version does.
    """
    trained = finals(studies, settings)
    if not trained:
        return None
    rivals = all_rivals(studies, trained[0].settings)
    if not rivals and not left_out:
        return None
    return Comparison(found=found_beside(studies, trained[0]), rivals=rivals, left_out=left_out)


def found_beside(studies: StoredStudies, record: FinalRecord) -> Rival:
    """The network found, as a row beside its rivals."""
    space, network = studies.link.space, record.settings.architecture
    return Rival(
        name="network found",
        words=space.describe(network)[:100],
        params=space.params(network),
        macs=space.macs(network),
        seconds=record.seconds,
        test_correct=record.test_correct,
        n_test=record.n_test,
    )
