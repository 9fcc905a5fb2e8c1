"""Uploads a file to a study; a training that has ended waits for the space that it needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from optuna.artifacts import upload_artifact

from ._artifacts import words_of
from ._outage import patiently
from ._trouble import trouble_with_artifacts
from .errors import SearchError

if TYPE_CHECKING:
    from optuna.study import Study

    from ._artifacts import Store


def upload_file(
    study: Study,
    place: str,
    file_name: str,
    content: bytes,
    *,
    open_store: Callable[[], Store],
) -> str:
    """Upload a file to a study, whose artifacts are kept at a place; returns the artifact's id.

    `open_store` opens the place, each time that it is tried.

    Inside of `_outage.waiting` a place that is full, or cannot be used, is waited for, as long as
    it takes.

    Raises:
        SearchError: it cannot be written there.
    """

    def write() -> str:
        store = open_store()
        with TemporaryDirectory() as folder:
            file = Path(folder) / file_name
            file.write_bytes(content)
            return upload_artifact(artifact_store=store, file_path=str(file), study_or_trial=study)

    try:
        return patiently(
            write,
            f"The place of artifacts {place}",
            words=words_of,
            trouble_of=trouble_with_artifacts,
            longest=math.inf,
        )
    except SearchError:
        raise
    # Each store has errors of its own, which say what is wrong there.
    except Exception as error:
        raise SearchError(f"Cannot write {file_name} to {place}: {words_of(error)}") from None
