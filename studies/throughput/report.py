"""The tables of this study as REPORT.md."""

from __future__ import annotations

import math
import platform
import statistics
from collections.abc import Callable, Sequence
from importlib.metadata import version

import psutil
import torch
from accuracy import ARCHITECTURE, ARMS, EPOCHS, IMAGES, VALID_FRACTION
from measure import CLASSES, VALID_SHARE, Size
from scipy.stats import t

from optuna_egnas._methods.egnas.cost import count_macs

Row = dict[str, str]
Rows = Callable[[str], list[Row]]
OURS = ("one process", "one a core")
GOALS = {"one process": 2.0, "one a core": 3.0}
WORDS = """\
# Throughput: our training loop against a plain one

    python studies/throughput/run.py --rounds {rounds} --seeds {seeds}

The plain loop (`plain.py`) is written in the style in which such networks are usually
published: PIL images, transformed one at a time, a DataLoader with two workers, batches of 64,
contiguous fp32 tensors, torch's own convolutions on all threads. Ours is `train` of the package,
in one process on all threads, and in one process of one thread a core, as `--workers` starts
them; then the images of all processes count. Both augment (crop, cutout), both validate after
each epoch, on one image for {share} training images; the time is that of an epoch with all of
this, after one epoch that is not timed. Networks of separable 3 x 3 convolutions. The arms took
turns; a ratio is that of one round, the table gives the median of {rounds} rounds, quartiles in
brackets (the deep networks: {deep} rounds). Precision is what `--precision auto` decided on this
machine for a search that begins with this network.
"""


def report(rows_of: Rows, sizes: Sequence[Size]) -> str:
    """The whole report, from the rows that were kept."""
    times = rows_of("times")
    rounds = [len({row["round"] for row in times if row["depth"] == d}) for d in ("10", "26")]
    six = [size for size in sizes if size.depth == 10]
    deep = [size for size in sizes if size.depth > 10]
    words = WORDS.format(
        rounds=rounds[0],
        deep=rounds[1],
        share=VALID_SHARE,
        seeds=len({row["seed"] for row in rows_of("accuracy")}),
    )
    parts = [
        words.strip(),
        "## In the precision that auto decides",
        *against_plain(times, rows_of("profile"), six, auto=True),
        goals(times, rows_of("profile"), six),
        "## In fp32",
        *against_plain(times, rows_of("profile"), six, auto=False),
        "## Depth 26, as auto decides",
        *against_plain(times, rows_of("profile"), deep, auto=True),
        "## Share of the machine's peak",
        *shares(times, rows_of("peaks"), rows_of("profile"), sizes),
        "## Where the time goes",
        where(rows_of("profile"), sizes),
        "## What the parts are worth",
        gradient_table(rows_of("gradients")),
        pages(rows_of("pages"), six),
        "## Accuracy",
        *accuracies(rows_of("accuracy")),
        machine(),
    ]
    return "\n\n".join(parts) + "\n"


def name_of(size: Size) -> str:
    return f"{size.side} x {size.side} x {size.channels}, width {size.width}"


def place(size: Size) -> tuple[str, ...]:
    return tuple(map(str, (size.channels, size.side, size.depth, size.width)))


def is_of(row: Row, size: Size) -> bool:
    return tuple(row[key] for key in ("channels", "side", "depth", "width")) == place(size)


def decided(profile: list[Row], size: Size) -> str:
    return next((row["precision"] for row in profile if is_of(row, size)), "fp32")


def speeds(times: list[Row], size: Size, arm: str, precision: str) -> dict[str, float]:
    """Images a second by round."""
    return {
        row["round"]: float(row["images_per_second"])
        for row in times
        if is_of(row, size) and (row["arm"], row["precision"]) == (arm, precision)
    }


def ratios(times: list[Row], size: Size, arm: str, precision: str) -> list[float]:
    plain = speeds(times, size, "plain", "fp32")
    ours = speeds(times, size, arm, precision)
    return [ours[key] / plain[key] for key in plain if key in ours]


def spread(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.2f}" if values else "-"
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{statistics.median(values):.2f} ({low:.2f}-{high:.2f})"


def middle(values: dict[str, float]) -> float:
    return statistics.median(values.values()) if values else math.nan


def geometric(
    times: list[Row], profile: list[Row], sizes: Sequence[Size], arm: str, *, auto: bool
) -> float:
    """The geometric mean of the sizes' median ratios."""
    found = []
    for size in sizes:
        precision = decided(profile, size) if auto else "fp32"
        measured = ratios(times, size, arm, precision)
        if not measured:
            return math.nan
        found.append(statistics.median(measured))
    return statistics.geometric_mean(found)


def against_plain(
    times: list[Row], profile: list[Row], sizes: Sequence[Size], *, auto: bool
) -> list[str]:
    lines = []
    cores = psutil.cpu_count() or 1
    for size in sizes:
        precision = decided(profile, size) if auto else "fp32"
        one, all_cores = (middle(speeds(times, size, arm, precision)) for arm in OURS)
        plain = middle(speeds(times, size, "plain", "fp32"))
        lines.append(
            [
                *(name_of(size), precision, f"{plain:.0f}", f"{one:.0f}", f"{all_cores:.0f}"),
                *(f"{plain / cores:.0f}", f"{all_cores / cores:.0f}"),
                *(spread(ratios(times, size, arm, precision)) for arm in OURS),
            ]
        )
    heads = (
        "network, precision, plain img/s, one process img/s, one a core img/s, plain a core, "
        "ours a core, one process: times plain, one a core: times plain"
    )
    means = " and ".join(
        f"{geometric(times, profile, sizes, arm, auto=auto):.2f} ({arm})" for arm in OURS
    )
    return [table(heads, lines), f"Geometric means of the ratios: {means}."]


def goals(times: list[Row], profile: list[Row], six: Sequence[Size]) -> str:
    said = []
    for arm, goal in GOALS.items():
        found = geometric(times, profile, six, arm, auto=True)
        met = "met" if found >= goal else "not met"
        said.append(f"{arm}: at least {goal}, found {found:.2f}, {met}")
    return f"Goals, geometric means over the six sizes: {'; '.join(said)}."


def shares(
    times: list[Row], peaks: list[Row], profile: list[Row], sizes: Sequence[Size]
) -> list[str]:
    """Operations a second of the training as a share of those of a product and a convolution."""
    best = {
        (what, precision): statistics.median(found)
        for what in ("matrix product", "convolution")
        for precision in ("fp32", "bf16")
        if (
            found := [
                float(row["operations_per_second"])
                for row in peaks
                if (row["what"], row["precision"], row["arm"]) == (what, precision, OURS[1])
            ]
        )
    }
    lines = []
    for size in sizes:
        precision = decided(profile, size)
        macs = count_macs(size.architecture, size.shape, CLASSES)
        # Backward costs twice the forward pass; validation is a forward pass.
        work = 2 * macs * (3 + 1 / VALID_SHARE)
        plain = middle(speeds(times, size, "plain", "fp32"))
        ours = middle(speeds(times, size, OURS[1], precision))
        highest = [
            best.get((what, "fp32"), math.nan) for what in ("matrix product", "convolution")
        ]
        own = [best.get((what, precision), math.nan) for what in ("matrix product", "convolution")]
        lines.append(
            [
                f"{size.depth}, {name_of(size)}",
                precision,
                f"{ours * work / 1e9:.0f}",
                *(f"{100 * ours * work / one:.0f}" for one in own),
                *(f"{100 * plain * work / one:.0f}" for one in highest),
            ]
        )
    heads = (
        "depth and network, precision, ours (one a core) GFLOP/s, % of the product, "
        "% of the convolution, plain: % of the product in fp32, plain: % of the convolution"
    )
    said = ", ".join(f"{what} in {kind} {speed / 1e9:.0f}" for (what, kind), speed in best.items())
    return [
        f"The peak is measured in the same rounds, on all cores, in GFLOP/s: {said} (a product of "
        "2048 x 2048 matrices; a 3 x 3 convolution of 64 images, 28 x 28, from 128 to 128 "
        "channels). A training image counts as three passes of twice its multiply-accumulates.",
        table(heads, lines),
    ]


def where(profile: list[Row], sizes: Sequence[Size]) -> str:
    def seconds(row: Row) -> float:
        return float(row["seconds"])

    groups = [*dict.fromkeys(row["group"] for row in profile)]
    lines = []
    for size in sizes:
        found = {row["group"]: seconds(row) for row in profile if is_of(row, size)}
        if found:
            whole = sum(found.values())
            cells = (f"{100 * found.get(group, 0.0) / whole:.0f}" for group in groups)
            lines.append([f"{size.depth}, {name_of(size)}", decided(profile, size), *cells])
    text = (
        "Processor time of an epoch on one thread, in %; each operation forward and backward, in "
        "training and in validation. Depthwise convolutions, batch norms and ReLU move memory and "
        "calculate little: what they take is what keeps the whole from the peak."
    )
    return f"{text}\n\n" + table(f"depth and network, precision, {', '.join(groups)}", lines)


def gradient_table(rows: list[Row]) -> str:
    found: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        key = (row["kernel"], row["stride"], row["precision"])
        found.setdefault(key, []).extend((row["torch"], row["ours"]))
    text = (
        "Gradients of single depthwise convolutions of 64 images of 64 channels, 28 x 28, "
        "channels last, on one thread: processor time in ms, medians of 7."
    )
    heads = (
        "kernel, stride, precision, of the images: torch, of the images: ours, "
        "of the weights: torch, of the weights: ours"
    )
    return f"{text}\n\n" + table(heads, [[*key, *cells] for key, cells in found.items()])


def pages(rows: list[Row], six: Sequence[Size]) -> str:
    cells = []
    for size in six:
        gained = [float(row["kept"]) / float(row["returned"]) for row in rows if is_of(row, size)]
        cells.append(f"{name_of(size)}: {spread(gained)}")
    return (
        "One process in fp32 that keeps the memory that a step frees, against the same where "
        f"malloc returns its pages to the kernel, times as fast: {'; '.join(cells)}."
    )


def accuracies(rows: list[Row]) -> list[str]:
    found = {
        arm: {row["seed"]: 100 * float(row["accuracy"]) for row in rows if row["arm"] == arm}
        for arm in ARMS
    }
    lines = []
    for arm, values in found.items():
        shared = sorted(values.keys() & found["plain"].keys())
        if len(shared) < 2:
            continue
        gains = [values[seed] - found["plain"][seed] for seed in shared]
        half = t.ppf(0.975, len(gains) - 1) * statistics.stdev(gains) / math.sqrt(len(gains))
        lines.append(
            [
                "plain" if arm == "plain" else f"ours, {arm}",
                str(len(shared)),
                f"{statistics.mean(values[seed] for seed in shared):.2f}",
                f"{statistics.stdev(values[seed] for seed in shared):.2f}",
                "" if arm == "plain" else f"{statistics.mean(gains):+.2f} +- {half:.2f}",
            ]
        )
    valid = round(IMAGES * VALID_FRACTION)
    text = (
        f"Fashion-MNIST, {IMAGES - valid:,} training and {valid:,} validation images, depth "
        f"{ARCHITECTURE.depth}, width {ARCHITECTURE.width}, {EPOCHS} epochs, accuracy after the "
        "last; images, first weights and the rate of each step are the same in all arms. Ours "
        "averages the batch norms' statistics from the first step on, and draws crops and cutouts "
        "of its own. Differences are paired by seed, with 95 % "
        "intervals (t)."
    )
    heads = "loop, seeds, validation accuracy %, standard deviation, points more than plain"
    return [text, table(heads, lines)]


def table(heads: str, lines: Sequence[Sequence[object]]) -> str:
    names = heads.split(", ")
    rows = [names, ["---", *["---:"] * (len(names) - 1)], *lines]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def machine() -> str:
    told = getattr(torch.cpu, "get_capabilities", dict)()
    kind = told.get("cpu_name", platform.machine())
    packages = ", ".join(f"{name} {version(name)}" for name in ("optuna-egnas", "torch", "numpy"))
    return (
        f"Machine: {kind}, {psutil.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}, "
        "virtual and shared: other work ran beside it at a lower priority, so that single rounds "
        f"are noisy. {packages}, Python {platform.python_version()}."
    )
