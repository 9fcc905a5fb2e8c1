"""The final trainings of a search: what its last study stores of them, and their files.

Each is a user attribute of its own, so that two processes never write over each other; what does
not fit there, the weights and the confusion matrix, are two artifacts of the study, which
optuna-dashboard lists too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from optuna.artifacts import get_all_artifact_meta

from .._core.rules import UNREADABLE, Rule, quoted
from ..errors import SearchError
from .artifacts import DEFAULT_PLACE, full_place, open_artifacts
from .attributes import checked
from .final_records import BEGUN_RULE, FINAL_RULE, Begun, FinalRecord, FinalSettings
from .link import read_places
from .owners import OwnedStore
from .private import storage_of, study_attributes, write_attribute

if TYPE_CHECKING:
    from optuna.artifacts import ArtifactMeta
    from optuna.study import Study

    from .._core.network import Network
    from .artifacts import Store
    from .studies import StoredStudies


FINAL = "egnas:final:"
"""How the attributes of final trainings begin; the digest of the settings and the seed follow."""
BEGUN = "egnas:final-begun:"
"""How the attributes of final trainings that have begun start; the digest follows."""


def write_begun(studies: StoredStudies, settings: FinalSettings, seeds: int) -> None:
    """Write that trainings begin, or go on: only so are their checkpoints ever found again."""
    before = [each.seeds for each in all_begun(studies) if each.settings == settings]
    record = {
        "settings": settings.to_json(),
        "seeds": max([seeds, *before]),
        "at": datetime.now(timezone.utc).isoformat(),
    }
    write_attribute(studies.last, f"{BEGUN}{settings.digest()}", record)


def all_begun(studies: StoredStudies) -> tuple[Begun, ...]:
    """All final trainings of a search that have ever begun, the latest last.

    Raises:
        SearchError: one of them is not stored as this version does.
    """
    found = [
        Begun(
            **{
                **_checked(studies, key, value, BEGUN_RULE),
                "settings": FinalSettings.from_json(value["settings"], studies.method),
            }
        )
        for key, value in study_attributes(studies.last).items()
        if key.startswith(BEGUN)
    ]
    return tuple(sorted(found, key=lambda begun: begun.at))


def all_finals(studies: StoredStudies) -> tuple[FinalRecord, ...]:
    """All final trainings of a search that have ended, the oldest first.

    Raises:
        SearchError: one of them is not stored as this version does.
    """
    attributes = study_attributes(studies.last)
    found = [
        FinalRecord.from_json(_checked(studies, key, value, FINAL_RULE), studies.method)
        for key, value in attributes.items()
        if key.startswith(FINAL)
    ]
    return tuple(sorted(found, key=lambda record: record.stored))


def finals(
    studies: StoredStudies,
    settings: FinalSettings | None = None,
    *,
    network: Network | None = None,
) -> tuple[FinalRecord, ...]:
    """The final trainings that have ended with the same settings, by their seeds.

    Args:
        studies: those of the search.
        settings: default: those of the one of the network that has ended last.
        network: default: the one that the search has found.
    """
    ended = all_finals(studies)
    if settings is None and ended:
        network = network or studies.network_found()
        latest = [record.settings for record in ended if record.settings.architecture == network]
        settings = latest[-1] if latest else None
    chosen = [record for record in ended if record.settings == settings]
    return tuple(sorted(chosen, key=lambda record: record.seed))


def accuracy_words(records: Sequence[FinalRecord]) -> str:
    """The test accuracy of final trainings: its mean, and its spread over several seeds."""
    accuracies = [100 * record.test_accuracy for record in records]
    if len(accuracies) == 1:
        return f"{accuracies[0]:.2f} %"
    return f"{mean(accuracies):.2f} +- {stdev(accuracies):.2f} % ({len(accuracies)} seeds)"


def artifacts_of(studies: StoredStudies) -> Store:
    """The store of a search's files, which says whose they are.

    Raises:
        SearchError: it cannot be written to.
    """
    return OwnedStore(
        store=open_artifacts(place_of_artifacts(studies)),
        run=studies.link.run,
        storage=storage_of(studies.last),
    )


def uploads_of(study: Study) -> list[ArtifactMeta]:
    """What was uploaded to a study.

    Raises:
        SearchError: another program has written what cannot be read of it.
    """
    try:
        return get_all_artifact_meta(study, storage=storage_of(study))
    except UNREADABLE as error:
        reason = f"{type(error).__name__}: {error}"
        raise SearchError(
            f"The artifacts of {quoted(study.study_name)} must be listed as Optuna does, but are "
            f"not: {reason}"
        ) from None


def place_of_artifacts(studies: StoredStudies) -> str:
    """Return the place of a search's artifacts."""
    return full_place(read_places(studies.first).get("artifacts", DEFAULT_PLACE))


def _checked(studies: StoredStudies, key: str, found: Any, rule: Rule) -> Any:
    return checked(key, found, rule, f"the study {quoted(studies.last.study_name)}")
