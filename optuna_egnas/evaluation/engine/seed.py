"""The seed of a training: a function of what is trained, never of the order."""

from __future__ import annotations

import hashlib
import json

from ..._core.history import Candidate
from ..._core.network import Network


def seed_of(search_seed: int, candidate: Candidate) -> int:
    """The seed of a candidate's training; all of its ancestors have a part in it."""
    assert candidate.epochs is not None
    parent = None if candidate.parent is None else seed_of(search_seed, candidate.parent)
    architecture, epochs = candidate.architecture, candidate.epochs
    return candidate_seed(search_seed, architecture, epochs, candidate.replicate, parent=parent)


def candidate_seed(
    search_seed: int,
    architecture: Network,
    epochs: int,
    replicate: int,
    *,
    parent: int | None = None,
) -> int:
    """The seed of a candidate's training, 0 <= seed < 2**63: a hash, equal on every machine.

    `parent` is the seed of the training whose weights it begins with, if there is one.
    """
    identity = {
        "search_seed": search_seed,
        "architecture": architecture.to_json(),
        "epochs": epochs,
        "replicate": replicate,
    }
    if parent is not None:
        identity["parent"] = parent
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
