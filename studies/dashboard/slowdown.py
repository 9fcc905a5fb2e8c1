"""What the dashboard's notes and plots cost a search: seconds per trial with and without them.

    python studies/dashboard/slowdown.py --rounds 4

Each round runs the search on the digits twice in new SQLite files, once with all that
optuna-dashboard shows kept up to date, once with none of it; which comes first changes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import optuna

from optuna_egnas._search.run import run
from optuna_egnas._search.setup import prepare
from optuna_egnas._storage.studies import trials_of
from optuna_egnas.options import SearchOptions
from optuna_egnas.visualization._dashboard import Board


class Nothing(Board):
    """Shows nothing."""

    def update(self, *, last: bool = False) -> None:
        """Do nothing."""


def seconds_per_trial(board: type[Board], seed: int) -> float:
    import optuna_egnas._search.setup as searching

    with tempfile.TemporaryDirectory() as folder:
        searching.Board = board
        setup = prepare(
            "digits",
            storage=f"sqlite:///{folder}/egnas.db",
            options=SearchOptions(seed=seed, artifacts=str(Path(folder) / "artifacts")),
        )
        started = time.perf_counter()
        run(setup)
        return (time.perf_counter() - started) / len(trials_of(setup.studies))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=4)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rounds = parser.parse_args().rounds
    seconds_per_trial(Board, 0)  # what is loaded once, plotly say, is not the search's
    print("| round | with, s per trial | without, s per trial | difference | ratio |")
    print("|---:|---:|---:|---:|---:|")
    pairs = []
    for number in range(rounds):
        order = (Board, Nothing) if number % 2 else (Nothing, Board)
        taken = {board: seconds_per_trial(board, 0) for board in order}
        shown, plain = taken[Board], taken[Nothing]
        pairs.append((shown - plain, shown / plain))
        print(
            f"| {number} | {shown:.3f} | {plain:.3f} | {shown - plain:+.3f} "
            f"| {shown / plain:.3f} |",
            flush=True,
        )
    for what, values in zip(("difference", "ratio"), zip(*pairs, strict=True), strict=True):
        low, high = min(values), max(values)
        middle = statistics.median(values)
        print(f"{what}: median {middle:.3f} ({low:.3f} to {high:.3f}, n {len(values)})")


if __name__ == "__main__":
    main()
