"""How fast networks train: our loop against a plain one, and at equal accuracy.

    python studies/throughput/run.py --rounds 5 --seeds 6

Each round measures all arms of all sizes one after another. What is measured is kept at once in
the csv files beside this one: a run that was cut off goes on where it stopped. At the end, or
with --report alone, the tables are written to REPORT.md.
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import astuple
from itertools import product as product_of
from pathlib import Path

from accuracy import ARMS, accuracy
from measure import (
    Process,
    Size,
    convolution,
    decided,
    gradients,
    peak,
    processes,
    product,
    profile,
)
from measure import throughput as measured
from report import report

FOLDER = Path(__file__).parent
INPUTS = ((1, 28), (3, 32))
SIZES = [
    Size(channels=channels, side=side, depth=depth, width=width)
    for depth in (10, 26)
    for channels, side in INPUTS
    for width in (16, 32, 64)
]
DEEP_ROUNDS = 2
"""The first rounds alone measure the deep networks, which are none of the six of the goal."""
FIELDS = {
    "times": "round channels side depth width precision arm images_per_second",
    "peaks": "round what precision arm operations_per_second",
    "profile": "channels side depth width precision group seconds",
    "pages": "round channels side depth width kept returned",
    "gradients": "kernel stride precision of torch ours",
    "accuracy": "seed arm accuracy",
}


def rows_of(name: str) -> list[dict[str, str]]:
    path = FOLDER / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def keep(name: str, *values: object) -> None:
    path, fields = FOLDER / f"{name}.csv", FIELDS[name].split()
    is_new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(fields)
        writer.writerow(values)


def known(name: str, *fields: str) -> set[tuple[str, ...]]:
    return {tuple(row[field] for field in fields) for row in rows_of(name)}


def measure_peaks(number: int, arms: dict[str, list[Process]]) -> None:
    """What the machine can do, once in a round."""
    fields = ("round", "what", "precision", "arm")
    for what, make in (("matrix product", product), ("convolution", convolution)):
        for precision, arm in product_of(("fp32", "bf16"), [*arms][1:]):
            if (str(number), what, precision, arm) in known("peaks", *fields):
                continue
            for process in arms[arm]:
                process.tell(peak, make, precision)
            speed = sum(process.pipe.recv() for process in arms[arm])
            keep("peaks", number, what, precision, arm, f"{speed:.4g}")


def measure_gradients(arms: dict[str, list[Process]]) -> None:
    """Of single depthwise convolutions, once."""
    for case in product_of((3, 5, 7), (1, 2), ("fp32", "bf16")):
        if tuple(map(str, case)) not in known("gradients", "kernel", "stride", "precision"):
            for row in arms["one a core"][0].ask(gradients, *case):
                keep("gradients", *case, *row)


def measure_pages(number: int, arms: dict[str, list[Process]], until: float) -> None:
    """Ours in fp32 where the memory of a step is kept, and where it is returned."""
    for size in SIZES:
        place = tuple(map(str, (number, *astuple(size))))
        if size.depth > 10 or place in known("pages", *FIELDS["pages"].split()[:-2]):
            continue
        if time.monotonic() > until:
            return
        # The process of the plain loop has nothing of the package's conditions.
        speeds = (measured(arms[arm], size, "fp32") for arm in ("one process", "plain"))
        keep("pages", *place, *(f"{speed:.1f}" for speed in speeds))


def measure_round(number: int, arms: dict[str, list[Process]], until: float) -> None:
    """Measure what is missing of a round, as long as there is time."""
    measure_peaks(number, arms)
    for size in SIZES:
        if size.depth > 10 and number >= DEEP_ROUNDS:
            continue
        chosen = precision_of(size, arms)
        ours = product_of(dict.fromkeys(("fp32", chosen)), [*arms][1:])
        for kind, arm in (("fp32", "plain"), *ours):
            place = (*map(str, (number, *astuple(size))), kind, arm)
            if place in known("times", *FIELDS["times"].split()[:-1]):
                continue
            if time.monotonic() > until:
                return
            speed = measured(arms[arm], size, None if arm == "plain" else kind)
            keep("times", *place, f"{speed:.1f}")


def precision_of(size: Size, arms: dict[str, list[Process]]) -> str:
    """What auto decides for this size, once; and where the time goes then."""
    place = tuple(map(str, astuple(size)))
    fields = ("channels", "side", "depth", "width", "precision")
    for *found, precision in known("profile", *fields):
        if tuple(found) == place:
            return precision
    precision = arms["one process"][0].ask(decided, size)
    for group, seconds in arms["one a core"][0].ask(profile, size, precision).items():
        keep("profile", *place, precision, group, f"{seconds:.4f}")
    return precision


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast networks train.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no timing after these")
    parser.add_argument("--root", default=None, help="folder of Fashion-MNIST's files")
    parser.add_argument("--report", action="store_true", help="write REPORT.md and no more")
    arguments = parser.parse_args()
    until = time.monotonic() + 60 * arguments.minutes
    if not arguments.report and arguments.rounds:
        with processes() as arms:
            measure_gradients(arms)
            for number in range(arguments.rounds):
                measure_pages(number, arms, until)
                measure_round(number, arms, until)
    if not arguments.report:
        for seed in range(arguments.seeds):
            for arm in ARMS:
                if (str(seed), arm) not in known("accuracy", "seed", "arm"):
                    keep("accuracy", seed, arm, f"{accuracy(arm, seed, arguments.root):.4f}")
    (FOLDER / "REPORT.md").write_text(report(rows_of, SIZES), encoding="utf-8")


if __name__ == "__main__":
    main()
