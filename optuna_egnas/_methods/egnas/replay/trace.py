"""Recorded searches: the file format `egnas-trace/1`, read and written.

One file holds a search's thresholds, its candidates in the order of the walk with their right
answers after each epoch, and the network found. Thresholds are in points, here as there. Fields
beyond the first version of the format, all optional: the limits and choices in `config`, and
`refused` (a reason) on a candidate that was never trained to the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...._core.history import Failed, Stopped
from ...._core.problem import MOST_EPOCHS, Space
from ...._core.proposal import Done, Step
from ...._core.records import each, given, number, text, texts, value, whole, wholes
from ...._core.text import short
from ...._storage.attributes import of_trial
from ...._storage.files import read_whole
from ...._storage.private import all_trials
from ...._storage.reader import by_candidate, decisive, trials_of_step
from ...._storage.studies import trials_of
from ....errors import SearchError, TraceError
from ..architecture import Architecture
from ..space import MacroSpace, MicroSpace

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from ...._search.studies import LinkedStudies


FORMAT = "egnas-trace/1"
LARGEST_FILE = 2**24
"""Bytes of a trace; the published ones have 40 kB."""
AS_THEY_ARE = (
    "min_depth",
    "max_depth",
    "min_width",
    "max_width",
    "width_step",
    "base_epochs",
    "epochs_per_layer",
    "epochs_per_width_step",
    "depth_patience",
    "width_patience",
)
IN_POINTS = ("depth_gain", "depth_slack", "target_accuracy", "target_tolerance")
LIMITS = ("max_params", "max_macs")
RULES = ("policy", "level")
"""Written of other policies than `paper`, which the first version of the format knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One candidate of a trace; `valid_correct` is empty where it was refused untrained.

    `depth` is what the file says beside the operations: where they disagree, nothing matches.
    """

    phase: str
    depth: int
    architecture: Architecture
    epochs: int
    params: int
    seconds: float
    train_correct: tuple[int, ...]
    valid_correct: tuple[int, ...]
    refused: str | None = None

    def to_json(self) -> dict[str, Any]:
        """What a comparison of two candidates shows."""
        return {
            "phase": self.phase,
            **self.architecture.to_json(),
            "depth": self.depth,
            "epochs": self.epochs,
            "params": self.params,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A recorded search; `final` has the architecture found, as plain values, and `params`.

    Examples:
        >>> from pathlib import Path
        >>> from optuna_egnas.replay import read_trace
        >>> trace = read_trace(Path("walk.json"))  # of `egnas show digits --trace walk.json`
        >>> trace.dataset, len(trace.candidates)
        ('digits', 23)
    """

    dataset: str
    n_train: int
    n_valid: int
    macro: MacroSpace
    micro: MicroSpace
    candidates: tuple[Recorded, ...]
    final: Mapping[str, Any]

    def fingerprint(self) -> str:
        """16 hex digits that tell this record from others with the same thresholds."""
        return hashlib.sha256(repr((self.candidates, self.final)).encode()).hexdigest()[:16]


def read_trace(path: Path) -> Trace:
    """Read a trace.

    Raises:
        TraceError: the file is missing, is no trace, or is of another format.

    Examples:
        >>> from pathlib import Path
        >>> from optuna_egnas.replay import read_trace
        >>> trace = read_trace(Path("walk.json"))  # of `egnas show digits --trace walk.json`
        >>> trace.n_valid
        288
    """
    try:
        content = read_whole(path, at_most=LARGEST_FILE).decode("utf-8-sig")
        record = json.loads(content, object_pairs_hook=_each_once)
    except OSError as error:
        reason = error.strerror or error
        raise TraceError(f"Cannot read the trace {path}: {reason}.") from None
    except _Repeated as error:
        raise TraceError(f"A trace must hold each key once, but {path} has {error}.") from None
    except (ValueError, RecursionError):
        raise TraceError(f"A trace must be a JSON file, but {path} is not.") from None
    found = record.get("format") if isinstance(record, dict) else None
    if found != FORMAT:
        raise TraceError(f"A trace must be of format {FORMAT!r}, but {path} has {short(found)}.")
    try:
        return _parse(record)
    except ValueError as error:
        raise TraceError(f"The trace {path} is incomplete or damaged: {error}") from None


class _Repeated(Exception):
    """A name that an object has twice: the first value would be lost in silence."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in record if names.count(name) > 1)
        raise _Repeated(f"{short(repeated)} more than once in an object")
    return record


def write_trace(studies: LinkedStudies) -> dict[str, Any]:
    """A finished search as a trace.

    Raises:
        SearchError: the search has not ended, or its trials do not hold what a trace needs.

    Examples:
        >>> from optuna_egnas import load_linked_studies
        >>> from optuna_egnas.replay import write_trace
        >>> write_trace(load_linked_studies(name="digits"))["dataset"]
        'digits'
    """
    walks = [studies.walk("macro"), studies.walk("micro")]
    ends = [walk.next for walk in walks if walk]
    if len(ends) < 2 or not all(isinstance(end, Done) for end in ends):
        raise SearchError(
            f"A trace must be of a search that has ended, but {studies.name!r} is under way."
        )
    link, reader, result = studies.link, studies.reader("micro"), studies.result()
    macro, found = link.space, result.architecture
    assert isinstance(macro, MacroSpace) and reader and isinstance(reader.space, MicroSpace)
    assert found is not None
    if macro.inherit is not None:
        raise SearchError(
            "A trace must be of trainings from scratch, but got a search with `inherit`: the "
            "format does not say who inherits from whom."
        )
    if macro.n_valid is None:
        raise SearchError("A trace must say how many validation images there are: `n_valid`.")
    return {
        "format": FORMAT,
        "dataset": str(link.dataset.get("dataset", link.name)),
        "input_shape": list(macro.input_shape),
        "classes": macro.classes,
        "n_train": _n_train(studies),
        "n_valid": macro.n_valid,
        "config": _config(macro, reader.space),
        "candidates": [row for role in studies.roles for row in _written(studies, role)],
        "final": {
            **found.to_json(),
            "params": result.params,
            "epochs": _macro_epochs(ends[0]),
            "search_seconds": round(result.seconds, 1),
        },
    }


def _parse(record: Any) -> Trace:
    config, n_train = value(record, "config"), whole(record, "n_train", at_least=1)
    task: dict[str, Any] = {
        "input_shape": tuple(wholes(record, "input_shape")),
        "classes": whole(record, "classes"),
        "n_valid": whole(record, "n_valid", at_least=1),
    }
    limits: dict[str, Any] = {name: whole(config, name) for name in LIMITS if given(config, name)}
    if given(config, "policy"):
        task |= {"policy": text(config, "policy"), "level": number(config, "level")}
    thresholds: dict[str, Any] = {name: _fraction(config, name) for name in IN_POINTS}
    sizes: dict[str, Any] = {name: whole(config, name) for name in AS_THEY_ARE}
    choices: dict[str, Any] = {
        name: tuple(read(config, name))
        for name, read in (("operations", texts), ("kernels", wholes))
        if given(config, name)
    }
    macro = MacroSpace(**task, **limits, **sizes, **thresholds)
    micro = MicroSpace(
        **task,
        **limits,
        **choices,
        depth=macro.min_depth,
        width=macro.min_width,
        epochs=whole(config, "micro_epochs"),
        param_slack=whole(config, "param_slack"),
    )
    final, n_valid = value(record, "final"), task["n_valid"]
    return Trace(
        dataset=text(record, "dataset"),
        n_train=n_train,
        n_valid=n_valid,
        macro=macro,
        micro=micro,
        candidates=tuple(
            _candidate(item, index, n_train=n_train, n_valid=n_valid)
            for index, item in enumerate(each(record, "candidates"))
        ),
        final={
            **_architecture(final).to_json(),
            "depth": whole(final, "depth"),
            "params": whole(final, "params"),
        },
    )


def _candidate(item: Any, index: int, *, n_train: int, n_valid: int) -> Recorded:
    try:
        refused = text(item, "refused") if given(item, "refused") else None
        recorded = Recorded(
            phase=text(item, "phase"),
            depth=whole(item, "depth"),
            architecture=_architecture(item),
            epochs=whole(item, "epochs", at_least=1, at_most=MOST_EPOCHS),
            params=whole(item, "params"),
            seconds=number(item, "seconds"),
            train_correct=tuple(wholes(item, "train_correct", at_most=n_train)),
            valid_correct=tuple(wholes(item, "valid_correct", at_most=n_valid)),
            refused=refused,
        )
    except ValueError as error:
        raise ValueError(f"candidate {index} (from 0): {error}") from None
    if not recorded.valid_correct and refused is None:
        raise ValueError(
            f"candidate {index} (from 0): `valid_correct` must hold a count per epoch, "
            "or `refused` a reason, but both are empty."
        )
    return recorded


def _architecture(item: Any) -> Architecture:
    return Architecture(
        width=whole(item, "width"),
        ops=tuple(texts(item, "ops")),
        kernels=tuple(wholes(item, "kernels")),
    )


def _config(macro: MacroSpace, micro: MicroSpace) -> dict[str, Any]:
    limits: dict[str, Any] = {name: getattr(macro, name) for name in LIMITS}
    return {
        **{name: getattr(macro, name) for name in AS_THEY_ARE},
        **{name: _points(getattr(macro, name)) for name in IN_POINTS},
        "micro_epochs": micro.epochs,
        "param_slack": micro.param_slack,
        "operations": list(micro.operations),
        "kernels": list(micro.kernels),
        **{name: limit for name, limit in limits.items() if limit is not None},
        **{name: getattr(macro, name) for name in RULES if macro.policy != "paper"},
    }


def _written(studies: LinkedStudies, role: str) -> list[dict[str, Any]]:
    walk, reader = studies.walk(role), studies.reader(role)
    assert walk is not None and reader is not None
    tried = by_candidate(all_trials(studies.study(role)), reader)
    rows = []
    for step in (step for step in walk.steps if step.proposal.phase != "confirm"):
        trial = decisive(trials_of_step(step, tried), step.outcome)
        rows.append(_row(step, reader.space, trial, role))
    return rows


def _row(step: Step, space: Space, trial: FrozenTrial, role: str) -> dict[str, Any]:
    architecture, n_valid = step.proposal.candidate.architecture, space.n_valid or 0
    shares = [share for _, share in sorted(trial.intermediate_values.items())]
    counts = [round(share * n_valid) for share in shares if 0 <= share <= 1]
    row = {
        "phase": step.proposal.phase,
        **architecture.to_json(),
        "epochs": step.proposal.candidate.epochs,
        "params": space.params(architecture),
        "seconds": of_trial(trial, "seconds") or 0.0,
        "train_correct": of_trial(trial, "train_correct") or [],
        "valid_correct": counts,
    }
    if isinstance(step.outcome, (Stopped, Failed)):
        return {**row, "refused": step.outcome.reason}
    score = step.score
    if score is None or not 0 <= score <= 1 or max(counts, default=-1) != round(score * n_valid):
        raise SearchError(
            "A trace must hold each trial's right answers after each epoch, the best of them its "
            f"score, but trial {trial.number} of the {role} study did not report them."
        )
    return row


def _n_train(studies: LinkedStudies) -> int:
    """Images that were trained on, as its trials counted them: a last batch of one is left out."""
    for trial in trials_of(studies):
        correct = of_trial(trial, "train_correct")
        accuracy = of_trial(trial, "train_accuracy")
        if correct and accuracy and accuracy > 1e-9:
            images: int = round(max(correct) / accuracy)
            return images
    n_train = studies.link.dataset.get("n_train")
    if not isinstance(n_train, int):
        raise SearchError(
            "A trace must say how many images were trained on: `n_train` of dataset."
        )
    return n_train


def _macro_epochs(end: object) -> int | None:
    return end.found.epochs if isinstance(end, Done) and end.found else None


def _fraction(record: Any, key: str) -> float | None:
    """Points as a fraction, as exactly as they were written; None where there is no bound."""
    if key == "target_accuracy" and value(record, key) is None:
        return None
    return float(Fraction(str(number(record, key))) / 100)


def _points(fraction: float | None) -> float | None:
    return None if fraction is None else float(Fraction(str(fraction)) * 100)
