"""What more workers gain on recorded searches, on a simulated clock.

    python studies/workers/simulate.py FOLDER --workers 1 2 4 8 16 32

FOLDER holds traces (egnas-trace/1). Prints the speed-up of each search and the geometric mean.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import optuna

from optuna_egnas.replay import read_trace, simulate


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    traces = {file.stem: read_trace(file) for file in sorted(arguments.folder.glob("*.json"))}
    print(f"| workers | {' | '.join(traces)} | geometric mean | off the walk, trials |")
    print("|---:|" + "---:|" * (len(traces) + 2))
    for workers in arguments.workers:
        shown = [simulate(trace, workers=workers).to_json() for trace in traces.values()]
        assert all(one["match"] for one in shown)
        speedups = [one["speedup"] for one in shown]
        mean = math.prod(speedups) ** (1 / len(speedups))
        cells = " | ".join(f"{speedup:.2f}" for speedup in speedups)
        wasted = sum(one["wasted_trials"] for one in shown)
        print(f"| {workers} | {cells} | {mean:.2f} | {wasted} |", flush=True)


if __name__ == "__main__":
    main()
