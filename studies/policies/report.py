"""The tables of this study as REPORT.md."""

from __future__ import annotations

import math
import platform
import statistics
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from blocks import worth
from order import agreement
from order import rows_of as order_rows
from real import ARMS, REPEATED, rows_of
from scipy.stats import t, ttest_ind

Row = dict[str, str]
BASE = "paper"


def report(folder: Path) -> str:
    """The whole report, from the tables in the folder."""
    real, tried = rows_of(folder / "real.csv"), rows_of(folder / "tried.csv")
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("optuna-egnas", "optuna", "torch", "numpy")
    )
    parts = [
        (folder / "words.md").read_text(encoding="utf-8").strip(),
        "## Whole searches",
        table(
            "data seed arm depth width conv large_kernels params trainings epochs passes "
            "cpu_seconds valid % test %",
            [searched(row) for row in sorted(real, key=place)],
        ),
        "## The differences, paired by seed",
        table(
            "data, arm, pairs, passes: times fewer, CPU seconds: times fewer, parameters: times, "
            "test accuracy: points more",
            [line for name, rows in groups(real) for line in compared(rows, name)],
        ),
        "## Rules that were tried and not kept",
        table(
            "data seed arm depth width conv large_kernels params trainings epochs passes "
            "cpu_seconds valid % test %",
            [searched(row) for row in sorted(tried, key=place)],
        ),
        table(
            "seeds of paper, seeds by the rules tried, passes: times fewer, "
            "test accuracy: points more",
            [unpaired(real, tried)],
        ),
        "## What blocks and depth are worth",
        table(
            "network, width, parameters, splits, judge %, points more, standard deviation",
            worth(rows_of(folder / "blocks.csv")),
        ),
        "## The recorded depth ladders",
        table(
            "search, policy, reading, trainings, epochs, depth, score %, mean of three %, "
            "best %, fully trained %, best of them %",
            [list(row.values()) for row in rows_of(folder / "recorded.csv")],
        ),
        "## Short trainings and the order of candidates",
        table(
            "recipe; rank correlation; conv in 1 of 3; in 2 of 3; in 3 of 3; kernel 5 in 1 of 3",
            agreement(order_rows(folder / "order.csv")),
        ),
        "## Recorded scores and 600 epochs",
        table(
            "epochs, networks, rank correlation",
            [list(row.values()) for row in rows_of(folder / "agreement.csv")],
        ),
        f"Machine: {platform.machine()}, 2 cores, AVX-512, with other work beside it; one thread "
        f"per training, deterministic. {packages}, Python {platform.python_version()}.",
    ]
    return "\n\n".join(parts) + "\n"


def table(heads: str, rows: Sequence[Sequence[str]]) -> str:
    """A table; heads are divided by semicolons, by commas, or else by spaces."""
    mark = next((each for each in ("; ", ", ") if each in heads), None)
    names = heads.split(mark) if mark else heads.replace(" %", "_%").split()
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines).replace("_%", " %")


def place(row: Row) -> tuple[str, int, int]:
    """By data set and seed, the arms side by side."""
    return row["data"], int(row["seed"]), [*ARMS].index(row["arm"])


def searched(row: Row) -> list[str]:
    """A line of the first table."""
    plain = ["data", "seed", "arm", "depth", "width", "conv", "large_kernels"]
    return [
        *(row[name] for name in plain),
        f"{int(row['params']):,}",
        row["trainings"],
        row["epochs"],
        f"{int(row['passes']):,}",
        f"{float(row['cpu_seconds']):.0f}",
        f"{100 * float(row['valid_accuracy']):.2f}",
        f"{100 * accuracy(row):.2f}",
    ]


def datasets(rows: Sequence[Row]) -> list[str]:
    return sorted({row["data"] for row in rows})


def accuracy(row: Row) -> float:
    """Of the test images, as a fraction."""
    return int(row["test_correct"]) / int(row["n_test"])


def groups(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """What is compared: each data set, the repetition by itself, and all."""
    named = [(data, [row for row in rows if row["data"] == data]) for data in datasets(rows)]
    data, seeds = "fashion-mnist", [str(seed) for seed in REPEATED]
    again = [row for row in rows if row["data"] == data and row["seed"] in seeds]
    return [*named, (f"{data} seeds {seeds[0]} to {seeds[-1]}", again), ("all", [*rows])]


def compared(rows: Sequence[Row], name: str) -> list[list[str]]:
    """Each arm against the published one, in these rows."""
    lines = []
    for arm in (arm for arm in ARMS if arm != BASE):
        pairs = paired(rows, arm)
        if len(pairs) < 2:
            continue
        times = [
            factors(pairs, name, fewer=fewer)
            for name, fewer in (("passes", True), ("cpu_seconds", True), ("params", False))
        ]
        points = [100 * (accuracy(ours) - accuracy(theirs)) for ours, theirs in pairs]
        lines.append([name, arm, str(len(pairs)), *times, interval(points, "{:+.2f}".format)])
    return lines


def paired(rows: Sequence[Row], arm: str) -> list[tuple[Row, Row]]:
    """The rows of an arm, each with the published one of its data set and seed."""
    known = {(row["data"], row["seed"], row["arm"]): row for row in rows}
    return [
        (row, known[row["data"], row["seed"], BASE])
        for row in rows
        if row["arm"] == arm and (row["data"], row["seed"], BASE) in known
    ]


def unpaired(real: Sequence[Row], tried: Sequence[Row]) -> list[str]:
    """The rules tried against all published searches of that data set, by Welch's interval."""
    data = {row["data"] for row in tried}
    theirs = [row for row in (*real, *tried) if row["arm"] == BASE and row["data"] in data]
    ours = [row for row in tried if row["arm"] != BASE]
    fewer = [[-math.log(float(row["passes"])) for row in rows] for rows in (ours, theirs)]
    points = [[100 * accuracy(row) for row in rows] for rows in (ours, theirs)]
    return [
        str(len(theirs)),
        str(len(ours)),
        welch(*fewer, lambda log: f"{math.exp(log):.2f}"),
        welch(*points, "{:+.2f}".format),
    ]


def welch(ours: Sequence[float], theirs: Sequence[float], words: Callable[[float], str]) -> str:
    """The difference of two means and its 95 % interval, their variances taken as unequal."""
    result = ttest_ind(ours, theirs, equal_var=False)
    low, high = result.confidence_interval(0.95)
    mean = statistics.fmean(ours) - statistics.fmean(theirs)
    return f"{words(mean)} ({words(low)} to {words(high)})"


def factors(pairs: Sequence[tuple[Row, Row]], name: str, *, fewer: bool) -> str:
    """The geometric mean of a ratio, with its interval."""
    logs = [math.log(float(ours[name]) / float(theirs[name])) for ours, theirs in pairs]
    return interval(
        [-each if fewer else each for each in logs], lambda log: f"{math.exp(log):.2f}"
    )


def interval(values: Sequence[float], words: Callable[[float], str]) -> str:
    """The mean and its 95 % interval by Student's t."""
    mean = statistics.mean(values)
    half = t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return f"{words(mean)} ({words(mean - half)} to {words(mean + half)})"
