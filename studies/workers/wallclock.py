"""What a second worker gains on this machine: whole searches by 1 and by 2, taking turns.

    python studies/workers/wallclock.py digits --rounds 3
    python studies/workers/wallclock.py fashion-mnist --rounds 3 --profile quick --subset 2000

Each search is a command of its own in an empty folder, start-up included, and deterministic: one
thread per worker. All must find the same network. Prints seconds, and the rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time


def timed(data: str, workers: int, options: list[str]) -> tuple[float, dict[str, object]]:
    command = [sys.executable, "-m", "optuna_egnas", "search", data, "--json", "--deterministic"]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        ran = subprocess.run(
            [*command, "--workers", str(workers), *options],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
        return time.perf_counter() - start, json.loads(ran.stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--rounds", type=int, default=3)
    arguments, options = parser.parse_known_args()  # the rest goes to `egnas search`
    seconds: dict[int, list[float]] = {1: [], 2: []}
    found = set()
    for _ in range(arguments.rounds):
        for workers, taken in seconds.items():
            took, result = timed(arguments.data, workers, options)
            taken.append(took)
            found.add(json.dumps(result["architecture"]))
            print(f"{workers} worker(s): {took:.1f} s", flush=True)
    ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    print(f"{arguments.data} {' '.join(options)}".strip())
    for workers, taken in seconds.items():
        spread = f"{min(taken):.1f}-{max(taken):.1f}"
        print(f"{workers} worker(s): {statistics.median(taken):.1f} s ({spread})")
    print(f"ratio: {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")
    print(f"n = {arguments.rounds}; networks found: {len(found)}")


if __name__ == "__main__":
    main()
