"""The report of this study, from what its parts have left."""

from __future__ import annotations

import json
import math
import platform
import statistics
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import psutil

from optuna_egnas import LinkedStudies
from optuna_egnas._storage.final_results import finals
from optuna_egnas._storage.studies import trials_of

WORDS = Path(__file__).parent / "words.md"
Rows = list[dict[str, str]]


def report(studies: LinkedStudies, times: Rows, rivals: Rows) -> str:
    found, link, records = studies.result(), studies.link, finals(studies)
    assert found.architecture is not None and found.params is not None and records
    trials = trials_of(studies)
    epochs = sum(trial.user_attrs.get("epochs_trained", 0) for trial in trials)
    seconds: dict[str, float] = defaultdict(float)
    for row in times:
        seconds[row["part"]] += float(row["seconds"])
    network = found.architecture
    ours = [record.test_correct / record.n_test for record in records]
    return "\n".join(
        [
            "# Fashion-MNIST, all of it: search, final training, export",
            "",
            "    python studies/fashion-mnist-full/run.py",
            "",
            f"60,000 training images: {link.dataset['n_train']:,} to search on and "
            f"{link.space.n_valid:,} to validate on, all of them for the final training. The test "
            "set (10,000) was read once for each network below, at the end of its final training. "
            f"Budget: 90 minutes for search, final training and export; they took "
            f"**{sum(seconds.values()) / 60:.1f} minutes** by the clock.",
            "",
            "| part | minutes |",
            "|---|---:|",
            *(f"| {part} | {taken / 60:.1f} |" for part, taken in seconds.items()),
            "",
            f"The search ([study.toml](study.toml), policy `{link.space.policy}`, two workers): "
            f"{found.candidates} candidates on the walk, {epochs} epochs in all, those of "
            f"look-ahead trials among them: {epochs * link.dataset['n_train']:,} image-passes. "
            f"{'Both walks ended.' if found.finished else 'It ended at its time limit.'}",
            "",
            f"Found: depth {network.depth}, width {network.width}, "
            f"{network.ops.count('conv')} full convolutions, "
            f"{sum(size > 3 for size in network.kernels)} kernels above 3, "
            f"{found.params:,} parameters of at most {link.space.max_params:,}, {found.macs:,} "
            f"multiply-accumulates; validation accuracy {100 * (found.valid_accuracy or 0):.2f} % "
            "in the search.",
            "",
            f"Final trainings, all alike: {records[0].epochs} epochs, "
            + ", ".join(
                f"{name.replace('_', ' ')} {value}"
                for name, value in records[0].settings.recipe.items()
            )
            + ".",
            "",
            "| network | depth | width | conv | parameters | multiply-accumulates | train % "
            "| test % | training, s |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
            *(
                f"| **found**, seed {record.seed} | {network.depth} | {network.width} "
                f"| {network.ops.count('conv')} | {found.params:,} | {found.macs:,} "
                f"| {100 * record.train_accuracy:.2f} | **{100 * record.test_accuracy:.2f}** "
                f"| {record.seconds:.0f} |"
                for record in records
            ),
            *(_line(row) for row in rivals),
            "",
            *_comparison(ours, rivals),
            "",
            WORDS.read_text(encoding="utf-8"),
            f"Machine: {platform.machine()}, {psutil.cpu_count()} cores, with other work beside "
            "it: the minutes are an upper bound. "
            + ", ".join(
                f"{name} {version(name)}" for name in ("optuna-egnas", "optuna", "torch", "numpy")
            )
            + f", Python {platform.python_version()}.",
            "",
        ]
    )


def _line(row: dict[str, str]) -> str:
    network = json.loads(row["architecture"])
    shape = (
        f"{network['depth']} | {network['width']} | {network['ops'].count('conv')}"
        if network
        else "6 |  | 6"
    )
    accuracy = 100 * int(row["test_correct"]) / int(row["n_test"])
    return (
        f"| {row['name']}, seed {row['seed']} | {shape} | {int(row['params']):,} "
        f"| {int(row['macs']):,} | {100 * float(row['train_accuracy']):.2f} | {accuracy:.2f} "
        f"| {float(row['seconds']):.0f} |"
    )


def _comparison(ours: list[float], rivals: Rows) -> list[str]:
    """The differences, in points, and what chance alone gives."""
    mean = 100 * statistics.fmean(ours)
    kinds: dict[str, list[float]] = defaultdict(list)
    for row in rivals:
        kind = "random" if row["name"].startswith("random") else row["name"]
        kinds[kind].append(100 * int(row["test_correct"]) / int(row["n_test"]))
    error = 100 * math.sqrt(2 * mean / 100 * (1 - mean / 100) / 10_000)
    lines = [
        f"- against {kind}: {mean - statistics.fmean(values):+.2f} points"
        + (
            f" (their mean {statistics.fmean(values):.2f}, standard deviation "
            f"{statistics.stdev(values):.2f}, best {max(values):.2f}, n = {len(values)})"
            if len(values) > 1
            else f" (n = {len(values)})"
        )
        for kind, values in kinds.items()
    ]
    return [
        "The found network:",
        "",
        *lines,
        "",
        f"The difference of two such accuracies has a standard error of {error:.2f} points from "
        "the 10,000 test images alone, and the seeds add to it.",
    ]
