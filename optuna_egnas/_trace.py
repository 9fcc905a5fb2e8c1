"""Recorded searches: the file format `egnas-trace/1`, read and written.

One file holds a search's thresholds, its candidates in the order of the walk with their right
answers after each epoch, and the network found. Thresholds are in points, here as there. Fields
beyond the first version of the format, all optional: the limits and choices in `config`, and
`refused` (a reason) on a candidate that was never trained to the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._claims import all_trials
from ._core.architecture import Architecture
from ._core.history import Failed, Stopped
from ._core.macro import MacroSpace
from ._core.micro import MicroSpace
from ._core.proposal import Step
from ._core.walk import Done
from .errors import InvalidSpace, SearchError, TraceError

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from ._linked import LinkedStudies

FORMAT = "egnas-trace/1"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One candidate of a trace; `valid_correct` is empty where it was refused untrained."""

    phase: str
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
            "epochs": self.epochs,
            "params": self.params,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A recorded search."""

    dataset: str
    n_train: int
    n_valid: int
    macro: MacroSpace
    micro: MicroSpace
    candidates: tuple[Recorded, ...]
    final: Architecture


def read_trace(path: Path) -> Trace:
    """Read a trace.

    Raises:
        TraceError: the file is missing, is no trace, or is of another format.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or error
        raise TraceError(f"Cannot read the trace {path}: {reason}.") from None
    except ValueError:
        raise TraceError(f"A trace must be a JSON file, but {path} is not.") from None
    found = record.get("format") if isinstance(record, dict) else None
    if found != FORMAT:
        raise TraceError(f"A trace must be of format {FORMAT!r}, but {path} has {found!r}.")
    try:
        return _parse(record)
    except InvalidSpace as error:
        raise TraceError(f"The trace {path} holds an impossible value: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise TraceError(f"The trace {path} is incomplete or damaged: {what}.") from None


def write_trace(studies: LinkedStudies) -> dict[str, Any]:
    """A finished search as a trace.

    Raises:
        SearchError: the search has not ended, or its trials do not hold what a trace needs.
    """
    walks = [studies.walk("macro"), studies.walk("micro")]
    ends = [walk.next for walk in walks if walk]
    if len(ends) < 2 or not all(isinstance(end, Done) for end in ends):
        raise SearchError(
            f"A trace must be of a search that has ended, but {studies.name!r} is under way."
        )
    link = studies.link
    macro, reader = link.space, studies.reader("micro")
    assert isinstance(macro, MacroSpace) and reader and isinstance(reader.space, MicroSpace)
    result = studies.result()
    assert result.architecture is not None
    return {
        "format": FORMAT,
        "dataset": link.dataset.get("dataset", link.name),
        "input_shape": list(macro.input_shape),
        "classes": macro.classes,
        "n_train": link.dataset.get("n_train"),
        "n_valid": macro.n_valid,
        "config": _config(macro, reader.space),
        "candidates": [*_written(studies, "macro"), *_written(studies, "micro")],
        "final": {
            **result.architecture.to_json(),
            "params": result.params,
            "epochs": _macro_epochs(ends[0]),
            "search_seconds": round(result.seconds, 1),
        },
    }


def _parse(record: Mapping[str, Any]) -> Trace:
    config, shape = record["config"], [int(size) for size in record["input_shape"]]
    task: dict[str, Any] = {
        "input_shape": tuple(shape),
        "classes": int(record["classes"]),
        "n_valid": int(record["n_valid"]),
        **{name: config[name] for name in LIMITS if config.get(name) is not None},
    }
    thresholds: dict[str, Any] = {name: _fraction(config[name]) for name in IN_POINTS}
    sizes: dict[str, Any] = {name: int(config[name]) for name in AS_THEY_ARE}
    macro = MacroSpace(**task, **sizes, **thresholds)
    micro = MicroSpace(
        **task,
        depth=macro.min_depth,
        width=macro.min_width,
        epochs=int(config["micro_epochs"]),
        param_slack=int(config["param_slack"]),
        operations=tuple(config.get("operations", ("sep", "conv"))),
        kernels=tuple(config.get("kernels", (3, 5))),
    )
    return Trace(
        dataset=str(record["dataset"]),
        n_train=int(record["n_train"]),
        n_valid=int(record["n_valid"]),
        macro=macro,
        micro=micro,
        candidates=tuple(_candidate(item) for item in record["candidates"]),
        final=Architecture.from_json(record["final"]),
    )


def _candidate(item: Mapping[str, Any]) -> Recorded:
    refused = item.get("refused")
    valid = tuple(int(count) for count in item["valid_correct"])
    if not valid and refused is None:
        raise ValueError("a candidate has neither right answers nor a reason why it was refused")
    return Recorded(
        phase=str(item["phase"]),
        architecture=Architecture.from_json(item),
        epochs=int(item["epochs"]),
        params=int(item["params"]),
        seconds=float(item["seconds"]),
        train_correct=tuple(int(count) for count in item["train_correct"]),
        valid_correct=valid,
        refused=refused,
    )


def _config(macro: MacroSpace, micro: MicroSpace) -> dict[str, Any]:
    limits = {name: getattr(macro, name) for name in LIMITS}
    return {
        **{name: getattr(macro, name) for name in AS_THEY_ARE},
        **{name: _points(getattr(macro, name)) for name in IN_POINTS},
        "micro_epochs": micro.epochs,
        "param_slack": micro.param_slack,
        "operations": list(micro.operations),
        "kernels": list(micro.kernels),
        **{name: limit for name, limit in limits.items() if limit is not None},
    }


def _written(studies: LinkedStudies, role: Any) -> list[dict[str, Any]]:
    walk, reader = studies.walk(role), studies.reader(role)
    assert walk is not None and reader is not None
    trials = {reader.candidate(trial): trial for trial in all_trials(studies.study(role))}
    steps = [step for step in walk.steps if step.proposal.phase != "confirm"]
    return [_row(step, reader.space, trials[step.proposal.candidate]) for step in steps]


def _row(step: Step, space: MacroSpace | MicroSpace, trial: FrozenTrial) -> dict[str, Any]:
    architecture = step.proposal.candidate.architecture
    values = [value for _, value in sorted(trial.intermediate_values.items())]
    row = {
        "phase": step.proposal.phase,
        **architecture.to_json(),
        "epochs": step.proposal.candidate.epochs,
        "params": space.params(architecture),
        "seconds": trial.user_attrs.get("seconds", 0.0),
        "train_correct": trial.user_attrs.get("train_correct", []),
        "valid_correct": [round(value * (space.n_valid or 0)) for value in values],
    }
    if isinstance(step.outcome, (Stopped, Failed)):
        return {**row, "refused": step.outcome.reason}
    return row


def _macro_epochs(end: object) -> int | None:
    return end.found.epochs if isinstance(end, Done) and end.found else None


def _fraction(points: float) -> float:
    """Points as a fraction, as exactly as they were written."""
    return float(Fraction(str(points)) / 100)


def _points(fraction: float | None) -> float | None:
    return None if fraction is None else float(Fraction(str(fraction)) * 100)
