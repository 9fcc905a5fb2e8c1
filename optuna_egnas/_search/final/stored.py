"""The trained networks and the reports of a search, stored and loaded as artifacts.

`_storage/final_results.py` holds what fits into the attributes of the last study.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ..._core.report import Report
from ..._core.rules import UNREADABLE
from ..._core.text import shell_word
from ..._storage.artifacts import open_artifacts
from ..._storage.final_records import FinalRecord, FinalSettings
from ..._storage.final_results import (
    FINAL,
    all_finals,
    artifacts_of,
    finals,
    place_of_artifacts,
)
from ..._storage.private import write_attribute
from ..._storage.upload import upload_file
from ...errors import SearchError
from ..named import named_network

if TYPE_CHECKING:
    from ...evaluation.trained.network_file import TrainedNetwork
    from ..studies import LinkedStudies


LONGEST_FILE_NAME = 150
"""Bytes of a search's name in the name of a file: file systems take 255 in all."""


def store_final(  # noqa: PLR0913 - one attribute of the trial each
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
    """Upload a network and its test to the last study, then write its record there.

    A crash in between leaves files that no record names, and no harm. `report_id`: of the test,
    where it is uploaded already.

    Raises:
        SearchError: the files cannot be written.
    """
    from ...evaluation.trained.network_file import packed

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
    write_attribute(studies.last, key, record.to_json())
    return record


def load_final(
    studies: LinkedStudies, seed: int | None = None, *, network: str | None = None
) -> TrainedNetwork:
    """The network of a final training, from where the search keeps its artifacts.

    Args:
        studies: those of the search.
        seed: default: the lowest one that there is, not the best on the test images: to choose by
            them would be a selection, whose figures are no longer those of a test.
        network: its name, as `named_network` reads it; default: what the search found.

    Raises:
        SearchError: there is no such network or training yet, its file is not there, or it is
            damaged.
    """
    return load_network(studies, _chosen(studies, seed, network))


def load_network(studies: LinkedStudies, record: FinalRecord) -> TrainedNetwork:
    """Read the network of a record.

    Raises:
        SearchError: its file is not there, or it is damaged.
    """
    from ...evaluation.trained.network_file import unpacked

    content = _content(studies, record.artifact_id, record.file_name)
    return unpacked(content, record.file_name)


def load_report(studies: LinkedStudies, seed: int | None = None) -> Report:
    """The test of a final training, with its confusion matrix; see `load_final`."""
    return read_report(studies, _chosen(studies, seed))


def read_report(studies: LinkedStudies, record: FinalRecord) -> Report:
    """Read the test of a record, with its confusion matrix."""
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


def upload_report(studies: LinkedStudies, report: Report, seed: int) -> str:
    """Upload a test to the last study; returns the artifact's id."""
    content = json.dumps(report.to_json()).encode()
    return upload(studies, f"{_file_name(studies, seed)}.json", content)


def _file_name(studies: LinkedStudies, seed: int) -> str:
    """What the files of a final training are called, but for their endings."""
    readable = re.sub(r"[^\w.-]+", "-", studies.name).encode()[:LONGEST_FILE_NAME]
    return f"{readable.decode(errors='ignore')}-seed{seed}"


def _chosen(studies: LinkedStudies, seed: int | None, network: str | None = None) -> FinalRecord:
    named = None if network is None else named_network(studies, network)
    found = finals(studies, network=named)
    train = f"egnas train {shell_word(studies.name)}"
    if network is not None:
        train = f"{train} --network {shell_word(network)}"
    if not found:
        raise SearchError(_untrained(studies, network, train))
    if seed is None:
        return found[0]
    chosen = next((record for record in found if record.seed == seed), None)
    if chosen is None:
        there = ", ".join(str(record.seed) for record in found)
        raise SearchError(
            f"`seed` must be that of a final training of {studies.name!r} (there are: {there}), "
            f"but got seed={seed}. `{train} --seeds {seed + 1}` trains it."
        )
    return chosen


def _untrained(studies: LinkedStudies, network: str | None, train: str) -> str:
    """One line on a network that must be trained first."""
    if network is not None:
        return (
            f"`network` must be one that is finally trained, but got network={network!r}: run "
            f"`{train}` first."
        )
    others = dict.fromkeys(record.settings.architecture for record in all_finals(studies))
    listed = ", ".join(studies.link.space.describe(each) for each in others)
    other = f" of what it found, but others ({listed})" if others else ""
    return f"The search {studies.name!r} has no trained network yet{other}: run `{train}` first."


def upload(studies: LinkedStudies, file_name: str, content: bytes) -> str:
    """Upload a file to the last study; returns the artifact's id.

    Raises:
        SearchError: it cannot be written where the search keeps its artifacts.
    """
    return upload_file(
        studies.last,
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
