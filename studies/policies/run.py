"""Policy `sound` against `paper`: on real data, and on recorded figures. Writes REPORT.md.

    python studies/policies/run.py --reference ../shared/reference

Whole searches take some three hours on one core. A run that was cut off goes on where it stopped:
the searches in the storage, the rest from real.csv. `--only digits` runs one data set and writes
no report, so that two processes can share the work. Without `--reference` the recorded figures
stay as recorded.csv has them. `order.py` records order.csv, `blocks.py` blocks.csv. `--tried` runs
the seeds on which other rules were tried, those of `tried.patch`: `git apply` it before.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import optuna
import real
import recorded
from report import report

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--storage", default="sqlite:///policies.db")
    parser.add_argument("--only", help="one data set of the real ones")
    parser.add_argument("--tried", action="store_true", help="the seeds of tried.csv instead")
    parser.add_argument("--reference", type=Path, help="the folder of recorded searches")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if arguments.tried:
        real.run(HERE / "tried.csv", arguments.storage, tasks=real.TRIED)
    else:
        real.run(HERE / "real.csv", arguments.storage, arguments.only)
    if arguments.only:
        return
    if arguments.reference:
        recorded.run(HERE / "recorded.csv", HERE / "agreement.csv", arguments.reference)
    (HERE / "REPORT.md").write_text(report(HERE), encoding="utf-8")


if __name__ == "__main__":
    main()
