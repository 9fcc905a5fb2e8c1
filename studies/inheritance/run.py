"""Inherited weights: the same order as from scratch, at what cost? Writes REPORT.md.

    python studies/inheritance/run.py

About 40 minutes on one core. A run that was cut off goes on where it stopped: the searches in the
storage, the rest from the tables. `--only` runs one part and writes no report, so that several
processes can share the work: digits or fashion-mnist (pairs), or an arm of the searches.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import optuna
import pairs
import searches
from report import report

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--storage", default="sqlite:///inheritance.db")
    parser.add_argument("--only", help="one part of the work")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if arguments.only not in searches.ARMS:
        pairs.run(HERE / "pairs.csv", arguments.only)
    if arguments.only in (None, *searches.ARMS):
        searches.run(HERE / "searches.csv", arguments.storage, arguments.only)
    if arguments.only is None:
        (HERE / "REPORT.md").write_text(report(HERE), encoding="utf-8")


if __name__ == "__main__":
    main()
