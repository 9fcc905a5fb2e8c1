"""Checkpoints of a candidate's training, and its final weights, in an artifact store.

Checkpoints alternate between two keys: a store may leave a torn file where a process dies while it
writes; the other key then still holds the checkpoint before. Final weights are kept for those that
begin with them. Nothing that is wrong with a file ever stops a training: it is read as not there,
and of what cannot be written one line is logged, until something can be written again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

from ..._core.epoch import EpochRecord
from ..._core.history import Candidate
from ..._core.recipe import Recipe
from ..._storage.artifacts import words_of
from ...errors import SearchError
from .sealed import sealed, unsealed
from .seed import seed_of

if TYPE_CHECKING:
    from torch import Tensor

    from ..._storage.artifacts import Store


logger = logging.getLogger("optuna_egnas")

KIND, WEIGHTS = "checkpoint/1", "weights/1"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """A training after some whole epochs: their records, and a snapshot of `TrainingState`."""

    records: tuple[EpochRecord, ...]
    state: Mapping[str, Any]

    @property
    def epoch(self) -> int:
        """Whole epochs that are done."""
        return len(self.records)


@dataclass(slots=True)
class WriteWarning:
    """Whether a line has said that a store cannot be written to."""

    is_given: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Place:
    """Where one candidate's checkpoints and weights are kept; without a store, nowhere.

    Args:
        store: an Optuna artifact store.
        key: what this candidate's files are called; also written inside.
        seconds: checkpoints are not written more often than this.
        warning: what all places of a store know together.
    """

    store: Store | None
    key: str
    seconds: float
    warning: WriteWarning = field(default_factory=WriteWarning)
    _pending: Checkpoint | None = field(default=None, init=False)
    _latest: Checkpoint | None = field(default=None, init=False)
    _slot: int = field(default=0, init=False)
    _last: float = field(default_factory=time.monotonic, init=False)

    def newest(self) -> Checkpoint | None:
        """The newest whole checkpoint, if there is one; the next is written to the other key."""
        if self.store is None:
            return None
        found: Checkpoint | None = None
        for slot, name in enumerate(self._names()):
            read = _read(self.store, name, self.key)
            if read is not None and (found is None or read.epoch > found.epoch):
                found, self._slot = read, 1 - slot
        self._latest = found
        return found

    def note(self, checkpoint: Checkpoint) -> None:
        """Take in how far the training is now, without writing it."""
        self._pending = self._latest = checkpoint

    def write_if_due(self) -> None:
        """Write what was noted last, unless the last writing was only just before."""
        if time.monotonic() - self._last >= self.seconds:
            self.write()

    def write(self) -> None:
        """Write what was noted last, if it is not written yet."""
        if self._pending is None or self.store is None:
            return
        content = _packed(self._pending, self.key)
        self._last = time.monotonic()
        if not _written(self.store, self._names()[self._slot], content, self.warning):
            return
        # Only now: what is torn is written anew, and never over the last whole one.
        self._slot, self._pending = 1 - self._slot, None

    def remove(self) -> None:
        """Remove the candidate's checkpoints."""
        self._pending = None
        if self.store is None:
            return
        for name in self._names():
            _remove(self.store, name)

    def latest_weights(self) -> Mapping[str, Tensor]:
        """The weights of the newest checkpoint, as it was found or noted."""
        state: Mapping[str, Any] = self._latest.state if self._latest else {}
        weights: Mapping[str, Tensor] | None = state.get("weights")
        if weights is None:
            raise SearchError(
                'A candidate whose weights are kept must note a state with "weights", but its '
                "method's `measure` notes none."
            )
        return weights

    def keep_weights(self) -> None:
        """Write the latest weights, which are the final ones, for those that begin with them."""
        if self.store is None:
            return
        content = sealed(WEIGHTS, {"key": self.key, "weights": dict(self.latest_weights())})
        _written(self.store, self._weights_name(), content, self.warning)

    def kept_weights(self) -> Mapping[str, Tensor] | None:
        """What `keep_weights` wrote; None if it is not there, or not whole."""
        if self.store is None:
            return None
        try:
            with self.store.open_reader(self._weights_name()) as file:
                record = unsealed(WEIGHTS, file.read())
        # The file may be anything, and each store has its own errors.
        except Exception:
            return None
        return record["weights"] if record.get("key") == self.key else None

    def remove_weights(self) -> None:
        """Remove the weights that are kept."""
        if self.store is not None:
            _remove(self.store, self._weights_name())

    def _weights_name(self) -> str:
        return f"{self.key}.weights"

    def _names(self) -> tuple[str, str]:
        return f"{self.key}-0.checkpoint", f"{self.key}-1.checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoints:
    """Where the checkpoints of a search are kept, and how often they are written.

    Args:
        store: an Optuna artifact store; None: there are no checkpoints.
        seconds: a checkpoint is written after each epoch, but not more often than this.
    """

    store: Store | None = None
    seconds: float = 10.0
    _warning: WriteWarning = field(default_factory=WriteWarning, init=False)

    def place(self, run: str, role: str, candidate: Candidate, recipe: Recipe, seed: int) -> Place:
        """The place of one candidate, the same for all trials and workers of a search."""
        identity = {"seed": seed_of(seed, candidate), "recipe": recipe.to_json()}
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        key = f"egnas-{run}-{role}-{digest[:16]}"
        return Place(store=self.store, key=key, seconds=self.seconds, warning=self._warning)


def _written(store: Store, name: str, content: bytes, warning: WriteWarning) -> bool:
    try:
        store.write(name, BytesIO(content))
    # A disk is full, a bucket out of reach: each store has its own errors for that.
    except Exception as error:
        if not warning.is_given:
            logger.warning(
                "Cannot write checkpoints: %s. The training goes on and tries each next "
                "checkpoint; a training that stops now resumes from its last checkpoint.",
                words_of(error),
            )
        warning.is_given = True
        return False
    if warning.is_given:
        logger.warning("Checkpoints are written again.")
    warning.is_given = False
    return True


def _remove(store: Store, name: str) -> None:
    # Most stores raise where there is nothing; what stays behind costs only its space.
    with suppress(Exception):
        store.remove(name)


def _packed(checkpoint: Checkpoint, key: str) -> bytes:
    records = [asdict(record) for record in checkpoint.records]
    return sealed(KIND, {"key": key, "records": records, "state": checkpoint.state})


def _read(store: Store, name: str, key: str) -> Checkpoint | None:
    """The checkpoint of this name; None if there is none, or it is torn or foreign."""
    try:
        with store.open_reader(name) as file:
            content = file.read()
        return _unpacked(content, key)
    # The file may be anything, and each store has its own errors.
    except Exception:
        return None


def _unpacked(content: bytes, key: str) -> Checkpoint | None:
    record = unsealed(KIND, content)
    if record["key"] != key:
        return None
    records = tuple(EpochRecord(**values) for values in record["records"])
    whole = len(records) == record["state"]["epoch"]
    return Checkpoint(records=records, state=record["state"]) if whole else None
