"""Write REPORT.md from results.csv.

python studies/recipes/report.py
"""

from __future__ import annotations

import csv
import random
import statistics
from collections import defaultdict
from pathlib import Path

from sets import CHOOSING, SETS

HERE = Path(__file__).parent
PUBLISHED = ("published", "64")
Row = dict[str, str]


def accuracy(row: Row) -> float:
    return 100 * int(row["correct"]) / int(row["n_test"])


def interval(values: list[float], draws: int = 10_000) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean."""
    chance = random.Random(0)
    means = sorted(statistics.fmean(chance.choices(values, k=len(values))) for _ in range(draws))
    return means[round(0.025 * draws)], means[round(0.975 * draws) - 1]


def table(rows: list[Row]) -> list[str]:
    """One data set: each recipe, and its difference from the published one in the same pairs."""
    found: dict[tuple[str, str], dict[tuple[str, str], Row]] = defaultdict(dict)
    for row in rows:
        found[row["recipe"], row["batch"]][row["network"], row["seed"]] = row
    base = found.get(PUBLISHED, {})
    lines = ["| recipe | batch | accuracy % | difference | n |", "|---|---:|---:|---|---:|"]
    for (recipe, batch), trained in found.items():
        pairs = sorted(set(trained) & set(base))
        mean = statistics.fmean(accuracy(row) for row in trained.values())
        words = "-"
        if (recipe, batch) != PUBLISHED and len(pairs) > 1:
            gains = [accuracy(trained[pair]) - accuracy(base[pair]) for pair in pairs]
            low, high = interval(gains)
            words = f"{statistics.fmean(gains):+.2f} ({low:+.2f} to {high:+.2f})"
        lines.append(f"| {recipe} | {batch} | {mean:.2f} | {words} | {len(trained)} |")
    return lines


def main() -> None:
    with (HERE / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    parts = [(HERE / "words.md").read_text(encoding="utf-8").rstrip()]
    for name in SETS:
        own = [row for row in rows if row["data"] == name]
        if not own:
            parts.append(f"## {name}\n\nNot measured yet.")
            continue
        use = "The rule is chosen on it" if name in CHOOSING else "It confirms the rule"
        head = (
            f"## {name}\n\n{use}. {int(own[0]['n']):,} training images, "
            f"{int(own[0]['n_test']):,} test images, {own[0]['epochs']} epochs of each training."
        )
        parts.append("\n".join([head, "", *table(own)]))
    seconds = sum(float(row["seconds"]) for row in rows)
    versions = sorted({row["torch"] for row in rows})
    machines = sorted({row["machine"] for row in rows})
    parts.append(
        f"## How it was measured\n\n{len(rows)} trainings, {seconds / 3600:.1f} hours of training "
        f"in all, on a busy machine: {', '.join(machines)}; torch {', '.join(versions)}."
    )
    (HERE / "REPORT.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
