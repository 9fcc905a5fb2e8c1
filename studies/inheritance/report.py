"""The tables of this study as REPORT.md."""

from __future__ import annotations

import math
import platform
import statistics
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from pairs import EPOCHS, SHARES, rows_of
from scipy.stats import kendalltau, spearmanr, t
from searches import ARMS, BASE

COMPLETE = 15 * 8
"""Trainings of one seed."""
Row = dict[str, str]
Scores = dict[tuple[str, str, str, int, int], float]
"""Points by seed, child, how, epochs and replicate."""


def report(folder: Path) -> str:
    """The whole report, from the tables in the folder."""
    pairs, searches = rows_of(folder / "pairs.csv"), rows_of(folder / "searches.csv")
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("optuna-egnas", "optuna", "torch", "numpy")
    )
    names = sorted({row["data"] for row in pairs})
    datasets = [name for name in names if len(seeds_of(scores_of(pairs, name))) > 1]
    parts = [(folder / "words.md").read_text(encoding="utf-8").strip()]
    parts.append("## Order: agreement with the whole training from scratch")
    parts.append(
        table(
            "data, seeds, training, epochs, Spearman, Kendall",
            [line for data in datasets for line in agreement(data, scores_of(pairs, data))],
        )
    )
    parts.append("## Verdicts: which children are at least as good as their parent")
    parts.append(
        table(
            "data, children, epochs, from scratch, of the same verdict by an own second seed, "
            "inherited against the parent, same verdict, "
            "inherited against the parent trained on, same verdict",
            [line for data in datasets for line in verdicts(data, scores_of(pairs, data))],
        )
    )
    for data in datasets:
        parts.append(f"## Scores: {data}, validation accuracy %, means over seeds")
        parts.append(means(scores_of(pairs, data)))
    if searches:
        parts += ["## Whole searches on digits", table(*searched(searches))]
        parts += ["## The differences, paired by seed", table(*compared(searches))]
    parts.append(
        f"Machine: {platform.machine()}, 2 cores, AVX-512, with other work beside it; one thread "
        f"per training, deterministic. {packages}, Python {platform.python_version()}."
    )
    return "\n\n".join(parts) + "\n"


def table(heads: str, rows: Sequence[Sequence[str]]) -> str:
    """A table; its heads are divided by commas."""
    lines = [heads.split(", "), ["---"] * len(heads.split(", ")), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def interval(values: Sequence[float], words: Callable[[float], str]) -> str:
    """The mean and its 95 % interval by Student's t."""
    if len(values) < 2:
        return words(values[0])
    mean = statistics.mean(values)
    half = t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return f"{words(mean)} ({words(mean - half)} to {words(mean + half)})"


def scores_of(rows: Sequence[Row], data: str) -> Scores:
    """The scores of a data set's seeds that are complete."""
    found: Scores = {}
    for row in (row for row in rows if row["data"] == data):
        key = (row["seed"], row["child"], row["how"], int(row["epochs"]), int(row["replicate"]))
        found[key] = 100 * int(row["valid_correct"]) / int(row["n_valid"])
    counts = {seed: sum(key[0] == seed for key in found) for seed, *_ in found}
    return {key: score for key, score in found.items() if counts[key[0]] == COMPLETE}


def seeds_of(scores: Scores) -> list[str]:
    return sorted({key[0] for key in scores})


def children_of(scores: Scores) -> list[str]:
    return [*dict.fromkeys(key[1] for key in scores if key[1] != "same")]


def whole(scores: Scores, seed: str, child: str) -> float:
    """The mean of both whole trainings from scratch."""
    return statistics.mean(scores[seed, child, "scratch", EPOCHS, each] for each in (0, 1))


def arms() -> Iterator[tuple[str, int]]:
    yield "scratch", EPOCHS
    for how in ("scratch", "inherited"):
        yield from ((how, epochs) for epochs in SHARES)


def agreement(data: str, scores: Scores) -> Iterator[list[str]]:
    """Each way of training against the whole trainings of the other seeds, child by child."""
    children, seeds = children_of(scores), seeds_of(scores)
    for how, epochs in arms():
        rho, tau = [], []
        for seed in seeds:
            truth = [
                statistics.mean(whole(scores, other, child) for other in seeds if other != seed)
                for child in children
            ]
            found = [scores[seed, child, how, epochs, 0] for child in children]
            rho.append(float(spearmanr(truth, found).statistic))
            tau.append(float(kendalltau(truth, found).statistic))
        agreed = [interval(values, "{:+.2f}".format) for values in (rho, tau)]
        yield [data, str(len(seeds)), how, f"{epochs} of {EPOCHS}", *agreed]


def verdicts(data: str, scores: Scores) -> Iterator[list[str]]:
    """How many children pass, and for how many that is the verdict of the whole trainings."""
    pairs = [(seed, child) for seed in seeds_of(scores) for child in children_of(scores)]
    truth = [whole(scores, s, child) >= whole(scores, s, "same") for s, child in pairs]
    twice = [
        [scores[s, child, "scratch", EPOCHS, r] >= scores[s, "same", "scratch", EPOCHS, r]]
        for r in (0, 1)
        for s, child in pairs
    ]
    half = len(pairs)
    itself = share([one == two for one, two in zip(twice[:half], twice[half:], strict=True)])
    for epochs in SHARES:
        ours = [scores[s, child, "inherited", epochs, 0] for s, child in pairs]
        parent = [scores[s, "same", "scratch", EPOCHS, 0] for s, _ in pairs]
        on = [scores[s, "same", "inherited", epochs, 0] for s, _ in pairs]
        line = [data, str(half), f"{epochs} of {EPOCHS}", share(truth), itself]
        for bar in (parent, on):
            passed = [own >= other for own, other in zip(ours, bar, strict=True)]
            line += [share(passed)]
            line += [share([one == two for one, two in zip(passed, truth, strict=True)])]
        yield line


def share(flags: Sequence[bool]) -> str:
    return f"{100 * sum(flags) / len(flags):.0f} %"


def means(scores: Scores) -> str:
    """Every child by every way of training."""
    rows, seeds = [], seeds_of(scores)
    for child in ("same", *children_of(scores)):
        columns = [[whole(scores, seed, child) for seed in seeds]]
        for how, epochs in [*arms()][1:]:
            columns.append([scores[seed, child, how, epochs, 0] for seed in seeds])
        rows.append([child, *(f"{statistics.mean(column):.1f}" for column in columns)])
    return table(", ".join(["child", *(f"{how} {epochs}" for how, epochs in arms())]), rows)


def searched(rows: Sequence[Row]) -> tuple[str, list[list[str]]]:
    """Each search and its final training."""
    plain = ["seed", "arm", "depth", "width", "conv", "large_kernels"]
    lines = [
        [
            *(row[name] for name in plain),
            f"{int(row['params']):,}",
            row["trainings"],
            row["epochs"],
            f"{int(row['passes']):,}",
            f"{100 * float(row['valid_accuracy']):.2f}",
            f"{100 * accuracy(row):.2f}",
        ]
        for row in sorted(rows, key=lambda row: (int(row["seed"]), [*ARMS].index(row["arm"])))
    ]
    heads = [*plain, "params", "trainings", "epochs", "passes", "valid %", "test %"]
    return ", ".join(heads), lines


def accuracy(row: Row) -> float:
    """Of the test images, as a fraction."""
    return int(row["test_correct"]) / int(row["n_test"])


def compared(rows: Sequence[Row]) -> tuple[str, list[list[str]]]:
    """Each inheriting arm against the search from scratch of the same seed."""
    lines = []
    for arm, against in BASE.items():
        base = {row["seed"]: row for row in rows if row["arm"] == against}
        both = [(r, base[r["seed"]]) for r in rows if r["arm"] == arm and r["seed"] in base]
        line = [f"{arm} against {against}", str(len(both))]
        for name in ("passes", "trainings", "params"):
            logs = [math.log(float(ours[name]) / float(theirs[name])) for ours, theirs in both]
            line.append(interval(logs, lambda log: f"{math.exp(log):.2f}"))
        points = [100 * (accuracy(ours) - accuracy(theirs)) for ours, theirs in both]
        lines.append([*line, interval(points, "{:+.2f}".format)])
    heads = "arms, pairs, passes: times, trainings: times, parameters: times, test: points more"
    return heads, lines
