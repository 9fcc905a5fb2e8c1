"""Write REPORT.md from results.csv.

python studies/photos/report.py
"""

from __future__ import annotations

import csv
import random
import statistics
from pathlib import Path

HERE = Path(__file__).parent


def interval(values: list[float], draws: int = 10_000) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean."""
    chance = random.Random(0)
    means = sorted(statistics.fmean(chance.choices(values, k=len(values))) for _ in range(draws))
    return means[round(0.025 * draws)], means[round(0.975 * draws) - 1]


def main() -> None:
    with (HERE / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [
        (HERE / "words.md").read_text(encoding="utf-8"),
        "| seed | found % | parameters | search s | final training s | plain CNN % | parameters | "
        "logistic regression % |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    gains, over = [], []
    for row in rows:
        total = int(row["n_test"])
        found, plain, linear = (
            100 * int(row[name]) / total for name in ("found", "plain", "regression")
        )
        gains.append(found - plain)
        over.append(found - linear)
        lines.append(
            f"| {row['seed']} | {found:.2f} | {int(row['found_params']):,} | "
            f"{row['search_seconds']} | {row['train_seconds']} | {plain:.2f} | "
            f"{int(row['plain_params']):,} | {linear:.2f} |"
        )
    for words, values in (("the plain CNN", gains), ("logistic regression", over)):
        low, high = interval(values)
        lines.append(
            f"\nAgainst {words}: {statistics.fmean(values):+.2f} points ({low:+.2f} to "
            f"{high:+.2f}; mean of paired differences, 95 % bootstrap interval, n={len(values)})."
        )
    versions = sorted({row["torch"] for row in rows})
    lines.append(
        "\nThe goal is a difference of at least -0.5 points to the plain CNN over ten seeds, with "
        f"its 95 % bound above -1.0, within five minutes. {len(rows)} of ten seeds are measured. "
        f"torch {', '.join(versions)}, two x86-64 cores; the machine was busy with other work, so "
        "the seconds are upper bounds. `python studies/photos/run.py` goes on with the others."
    )
    (HERE / "REPORT.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
