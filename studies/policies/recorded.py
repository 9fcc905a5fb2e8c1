"""Both policies on recorded figures: what they train, and how good the depth is that they pick.

The world is the depth ladder of a recorded search: each depth from `min_depth` up to the last one
recorded, at the greatest width, with its right answers after each epoch. Two readings of it:
`end`: a depth scores what it reached at the end of its recorded training (which was longer than
policy `sound` asks for); `curve`: what it had reached after as many epochs as were asked for
(at most those recorded), in the middle of its recorded schedule.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optuna_egnas import MacroSpace
from optuna_egnas._core.history import Outcome
from optuna_egnas._core.walk import follow
from optuna_egnas._methods.egnas.replay.trace import Recorded
from optuna_egnas.methods import Candidate, History, Proposal, Step, Trained
from optuna_egnas.replay import Trace, read_trace

READINGS = {"paper": ("end",), "sound": ("end", "curve")}
JUDGED = "cifar10"


def run(table: Path, agreements: Path, reference: Path) -> None:
    """Every recorded search by each policy and reading, and what short budgets agree on."""
    _write(table, [row for trace in traces(reference) for row in rows_of(*trace, reference)])
    _write(agreements, agreement(reference))


def _write(table: Path, rows: list[dict[str, Any]]) -> None:
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def traces(reference: Path) -> Iterator[tuple[str, Trace]]:
    """The recorded searches by name."""
    for file in sorted((reference / "egnas-traces").glob("*.json")):
        yield file.stem, read_trace(file)


def ladder(trace: Trace) -> dict[int, Recorded]:
    """The recorded networks of the depth phase."""
    return {each.depth: each for each in trace.candidates if each.phase == "depth"}


def rows_of(name: str, trace: Trace, reference: Path) -> Iterator[dict[str, Any]]:
    known = ladder(trace)
    yield from _walks(name, trace, known, {})
    if name.startswith(JUDGED + "-"):
        full = fully_trained(reference)
        judged = {depth: each for depth, each in known.items() if depth in full}
        yield from _walks(f"{name}, depths to {max(judged)}", trace, judged, full)


def _walks(
    name: str, trace: Trace, known: Mapping[int, Recorded], full: Mapping[int, int]
) -> Iterator[dict[str, Any]]:
    best = max(points(trace, each) for each in known.values())
    for policy, readings in READINGS.items():
        space = replace(trace.macro, policy=policy, max_depth=max(known))
        for reading in readings:
            steps = depth_steps(space, trace, known, reading)
            picked = [step for step in steps if step.passed][-1].proposal.candidate
            depth = picked.architecture.depth
            near = [known[d] for d in (depth - 1, depth, depth + 1) if d in known]
            yield {
                "search": name,
                "policy": policy,
                "reading": reading,
                "trainings": len(steps),
                "epochs": sum(step.proposal.candidate.epochs or 0 for step in steps),
                "depth": depth,
                "score": round(points(trace, known[depth]), 2),
                "score_of_three": round(statistics.mean(points(trace, each) for each in near), 2),
                "best_score": round(best, 2),
                "fully_trained": full.get(depth, 0) / 100 or "",
                "best_fully_trained": max(full.values(), default=0) / 100 or "",
            }


def depth_steps(
    space: MacroSpace, trace: Trace, known: Mapping[int, Recorded], reading: str
) -> list[Step]:
    """The depth phase of a walk through the record."""
    outcomes: dict[Candidate, Outcome] = {}
    while True:
        walk = follow(space, History(outcomes))
        if not isinstance(walk.next, Proposal) or walk.next.phase != "depth":
            return list(walk.steps)
        candidate = walk.next.candidate
        recorded = known[candidate.architecture.depth]
        asked = candidate.epochs if reading == "curve" else None
        outcomes[candidate] = Trained(
            score=max(recorded.valid_correct[:asked]) / trace.n_valid,
            train_accuracy=max(recorded.train_correct[:asked]) / trace.n_train,
        )


def points(trace: Trace, recorded: Recorded) -> float:
    """The score at the end, in per cent."""
    return 100 * max(recorded.valid_correct) / trace.n_valid


def fully_trained(reference: Path) -> dict[int, int]:
    """Right answers of 10,000 after 600 epochs, of the uniform networks of width 72, by depth."""
    with (reference / "cifar10-fully-trained.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["width"] == "72"]
    return {
        int(row["depth"]): int(row["test_correct"])
        for row in rows
        if set(row["ops"].split()) == {"sep"} and set(row["kernels"].split()) == {"3"}
    }


def agreement(reference: Path) -> list[dict[str, Any]]:
    """Rank correlation of short scores with those after 600 epochs, over the depths in both.

    By the epochs that all were trained for (a prefix of their curves), and at their recorded end.
    """
    trace = dict(traces(reference))[f"{JUDGED}-t"]
    full, known = fully_trained(reference), ladder(trace)
    depths = sorted(set(full) & set(known))
    judge = [full[depth] for depth in depths]
    rows = []
    for epochs in (2, 5, 10, None):
        short = [max(known[depth].valid_correct[:epochs]) for depth in depths]
        rows.append(
            {
                "epochs": epochs or "own budget",
                "networks": len(depths),
                "rank_correlation": round(rank_correlation(short, judge), 2),
            }
        )
    return rows


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's: that of the ranks, equal values sharing their mean rank."""
    return statistics.correlation(_ranks(first), _ranks(second))


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(values)
    return [order.index(value) + (order.count(value) - 1) / 2 for value in values]
