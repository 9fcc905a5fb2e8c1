"""The final trainings of a search: what its micro study stores of them, and their files.

Each is a user attribute of its own, so that two processes never write over each other; what does
not fit there, the weights and the confusion matrix, are two artifacts of the study, which
optuna-dashboard lists too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime, timezone
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from optuna.artifacts import get_all_artifact_meta

from ._artifacts import DEFAULT_PLACE, full_place, open_artifacts
from ._attributes import checked
from ._claims import storage_of, study_attributes, write_attribute
from ._core.text import shell_word
from ._final_records import BEGUN_RULE, FINAL_RULE
from ._final_records import Begun as Begun
from ._final_records import FinalRecord as FinalRecord
from ._final_records import FinalSettings as FinalSettings
from ._link import read_places
from ._owners import OwnedStore
from ._report import Report
from ._rules import UNREADABLE, Rule, quoted
from ._upload import upload_file
from .errors import SearchError

if TYPE_CHECKING:
    from optuna.artifacts import ArtifactMeta
    from optuna.study import Study

    from ._artifacts import Store
    from ._linked import LinkedStudies
    from .evaluation._trained import TrainedNetwork

FINAL = "egnas:final:"
"""How the attributes of final trainings begin; the digest of the settings and the seed follow."""
BEGUN = "egnas:final-begun:"
"""The same of those that have begun, with any seed; the digest follows."""
LONGEST_FILE_NAME = 150
"""Bytes of a search's name in the name of a file: file systems take 255 in all."""


def store_final(
    studies: LinkedStudies,
    trained: TrainedNetwork,
    report: Report,
    *,
    settings: FinalSettings,
    train_accuracy: float,
    seconds: float,
    device: str,
    threads: int,
    report_id: str | None = None,
    test_reads: int = 1,
) -> FinalRecord:
    """Upload a network and its test to the micro study, then write its record there.

    A crash in between leaves files that no record names, and no harm. `report_id`: of the test,
    where it is uploaded already.

    Raises:
        SearchError: the files cannot be written.
    """
    from .evaluation._trained import packed

    name = _file_name(studies, trained.seed)
    record = FinalRecord(
        seed=trained.seed,
        settings=settings,
        train_accuracy=train_accuracy,
        test_correct=report.correct,
        n_test=report.total,
        class_correct=report.class_correct,
        class_total=report.class_total,
        bins=report.bins,
        seconds=round(seconds, 3),
        device=device,
        threads=threads,
        artifact_id=upload(studies, f"{name}.egnas", packed(trained)),
        file_name=f"{name}.egnas",
        report_id=report_id or upload_report(studies, report, trained.seed),
        stored=datetime.now(timezone.utc).isoformat(),
        test_reads=test_reads,
    )
    key = f"{FINAL}{settings.digest()}:{trained.seed}"
    write_attribute(studies.micro, key, record.to_json())
    return record


def upload_report(studies: LinkedStudies, report: Report, seed: int) -> str:
    """Upload a test to the micro study; returns the artifact's id."""
    content = json.dumps(report.to_json()).encode()
    return upload(studies, f"{_file_name(studies, seed)}.json", content)


def _file_name(studies: LinkedStudies, seed: int) -> str:
    """What the files of a final training are called, but for their endings."""
    readable = re.sub(r"[^\w.-]+", "-", studies.name).encode()[:LONGEST_FILE_NAME]
    return f"{readable.decode(errors='ignore')}-seed{seed}"


def write_begun(studies: LinkedStudies, settings: FinalSettings, seeds: int) -> None:
    """Write that trainings begin, or go on: only so are their checkpoints ever found again."""
    before = [each.seeds for each in all_begun(studies) if each.settings == settings]
    record = {
        "settings": settings.to_json(),
        "seeds": max([seeds, *before]),
        "at": datetime.now(timezone.utc).isoformat(),
    }
    write_attribute(studies.micro, f"{BEGUN}{settings.digest()}", record)


def all_begun(studies: LinkedStudies) -> tuple[Begun, ...]:
    """All final trainings of a search that have ever begun, the latest last.

    Raises:
        SearchError: one of them is not stored as this version does.
    """
    found = [
        Begun(
            **{
                **_checked(studies, key, value, BEGUN_RULE),
                "settings": FinalSettings.from_json(value["settings"]),
            }
        )
        for key, value in study_attributes(studies.micro).items()
        if key.startswith(BEGUN)
    ]
    return tuple(sorted(found, key=lambda begun: begun.at))


def all_finals(studies: LinkedStudies) -> tuple[FinalRecord, ...]:
    """All final trainings of a search that have ended, the oldest first.

    Raises:
        SearchError: one of them is not stored as this version does.
    """
    attributes = study_attributes(studies.micro)
    found = [
        FinalRecord.from_json(_checked(studies, key, value, FINAL_RULE))
        for key, value in attributes.items()
        if key.startswith(FINAL)
    ]
    return tuple(sorted(found, key=lambda record: record.stored))


def finals(
    studies: LinkedStudies, settings: FinalSettings | None = None
) -> tuple[FinalRecord, ...]:
    """The final trainings that have ended with these settings, by their seeds.

    `settings`: default: those of the one that has ended last.
    """
    found = all_finals(studies)
    if settings is None and found:
        settings = found[-1].settings
    chosen = [record for record in found if record.settings == settings]
    return tuple(sorted(chosen, key=lambda record: record.seed))


def load_final(studies: LinkedStudies, seed: int | None = None) -> TrainedNetwork:
    """The network of a final training, from where the search keeps its artifacts.

    `seed`: default: the lowest one that there is, not the best on the test images: to choose by
    them would be a selection, whose figures are no longer those of a test.

    Raises:
        SearchError: there is no such training yet, its file is not there, or it is damaged.
    """
    from .evaluation._trained import unpacked

    record = _chosen(studies, seed)
    content = _content(studies, record.artifact_id, record.file_name)
    return unpacked(content, record.file_name)


def load_report(studies: LinkedStudies, seed: int | None = None) -> Report:
    """The test of a final training, with its confusion matrix; see `load_final`."""
    return read_report(studies, _chosen(studies, seed))


def read_report(studies: LinkedStudies, record: FinalRecord) -> Report:
    """The test that a record stands for, with its confusion matrix."""
    report = stored_report(studies, record.report_id)
    shape = (report.correct, report.total, len(report.bins))
    if shape != (record.test_correct, record.n_test, len(record.bins)):
        raise SearchError(
            f"The report {record.report_id} must be that of seed {record.seed}, but is another."
        )
    return report


def stored_report(studies: LinkedStudies, report_id: str) -> Report:
    """A test that is among the artifacts of a search.

    Raises:
        SearchError: it is not there, or is no test.
    """
    content = _content(studies, report_id, "The report of a final training")
    try:
        report = Report.from_json(json.loads(content))
        sides = {len(report.class_names), *map(len, (report.confusion, *report.confusion))}
        good = len(sides) == 1 and report.total > 0
    except UNREADABLE:
        good = False
    if not good:
        raise SearchError(f"The report {report_id} of a final training must be whole, but is not.")
    return report


def accuracy_words(records: Sequence[FinalRecord]) -> str:
    """The test accuracy of final trainings: its mean, and its spread over several seeds."""
    accuracies = [100 * record.test_accuracy for record in records]
    if len(accuracies) == 1:
        return f"{accuracies[0]:.2f} %"
    return f"{mean(accuracies):.2f} +- {stdev(accuracies):.2f} % ({len(accuracies)} seeds)"


def artifacts_of(studies: LinkedStudies) -> Store:
    """The store of a search's files, which says whose they are.

    Raises:
        SearchError: it cannot be written to.
    """
    return OwnedStore(
        store=open_artifacts(place_of_artifacts(studies)),
        run=studies.link.run,
        storage=storage_of(studies.micro),
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


def place_of_artifacts(studies: LinkedStudies) -> str:
    """Where a search keeps its artifacts."""
    return full_place(read_places(studies.macro).get("artifacts", DEFAULT_PLACE))


def _checked(studies: LinkedStudies, key: str, found: Any, rule: Rule) -> Any:
    return checked(key, found, rule, f"the study {quoted(studies.micro.study_name)}")


def _chosen(studies: LinkedStudies, seed: int | None) -> FinalRecord:
    found = finals(studies)
    if not found:
        raise SearchError(
            f"The search {studies.name!r} has no trained network yet: run "
            f"`egnas train {shell_word(studies.name)}` first."
        )
    if seed is None:
        return found[0]
    chosen = next((record for record in found if record.seed == seed), None)
    if chosen is None:
        there = ", ".join(str(record.seed) for record in found)
        raise SearchError(
            f"`seed` must be that of a final training of {studies.name!r} (there are: {there}), "
            f"but got seed={seed}. `egnas train {shell_word(studies.name)} --seeds {seed + 1}` "
            "trains it."
        )
    return chosen


def upload(studies: LinkedStudies, file_name: str, content: bytes) -> str:
    """Upload a file to the micro study; returns the artifact's id.

    Raises:
        SearchError: it cannot be written where the search keeps its artifacts.
    """
    return upload_file(
        studies.micro,
        place_of_artifacts(studies),
        file_name,
        content,
        open_store=lambda: artifacts_of(studies),
    )


def _content(studies: LinkedStudies, artifact_id: str, file_name: str) -> bytes:
    place = place_of_artifacts(studies)
    try:
        with open_artifacts(place).open_reader(artifact_id) as file:
            return file.read()
    except SearchError:
        raise
    # As above.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SearchError(
            f"{file_name} must be in {place}, where the search keeps its artifacts, "
            f"but cannot be read there ({artifact_id}): {reason}"
        ) from None
