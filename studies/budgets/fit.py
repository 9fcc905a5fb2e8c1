"""How the epochs that a network needs follow from its depth, parameters and multiply-accumulates.

    python studies/budgets/fit.py FOLDER

FOLDER holds traces (egnas-trace/1). For every depth and width candidate: the epochs until its
validation accuracy is within 15 % of its plateau (85 % of its best), by linear interpolation. So
early in the schedule the rate is still high, and the length of the budget itself hardly matters;
the fit shows that. Fits log(epochs) = exponents * log(depth, size) + one constant per search,
where size = sqrt(parameters * multiply-accumulates): the two cannot be told apart on these chains.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from optuna_egnas._core.budget import DEPTH_EXPONENT, SIZE_EXPONENT
from optuna_egnas._methods.egnas.replay.trace import Recorded
from optuna_egnas.replay import Trace, read_trace

LEVEL = 0.85


def epochs_to_reach(curve: tuple[int, ...], share: float) -> float:
    """Epochs until a curve first reaches this share of its best; linear between epochs."""
    level = share * max(curve)
    after = next(index for index, correct in enumerate(curve) if correct >= level)
    if after == 0:
        return level / curve[0]
    return after + (level - curve[after - 1]) / (curve[after] - curve[after - 1])


def row(trace: Trace, candidate: Recorded) -> tuple[float, float, float, float]:
    """Depth, size, own budget, and the epochs that were needed."""
    size = (candidate.params * trace.macro.macs(candidate.architecture)) ** 0.5
    needed = epochs_to_reach(candidate.valid_correct, LEVEL)
    return candidate.depth, size, candidate.epochs, needed


def centred(table: np.ndarray, searches: np.ndarray) -> np.ndarray:
    """Each column without its mean over a search: what a constant per search leaves."""
    means = np.array([table[searches == search].mean(axis=0) for search in searches])
    return table - means


def fit(table: np.ndarray, columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Exponents and their standard errors."""
    x, y = table[:, columns], table[:, -1]
    exponents = np.linalg.lstsq(x, y, rcond=None)[0]
    variance = ((y - x @ exponents) ** 2).sum() / (len(y) - len(columns) - 5)
    return exponents, np.sqrt(np.diag(np.linalg.inv(x.T @ x)) * variance)


def explained(table: np.ndarray, exponents: np.ndarray) -> tuple[float, float]:
    """Share of the variance within searches, and the standard deviation of what is left."""
    left = table[:, -1] - table[:, : len(exponents)] @ exponents
    return 1 - float(left.var() / table[:, -1].var()), float(left.std())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    rows, searches = [], []
    for number, file in enumerate(sorted(parser.parse_args().folder.glob("*.json"))):
        trace = read_trace(file)
        macro = [each for each in trace.candidates if each.phase in ("depth", "width")]
        rows += [row(trace, candidate) for candidate in macro]
        searches += [number] * len(macro)
    ids = np.array(searches)
    table = centred(np.log(np.array(rows)), ids)
    for names, columns in (("depth, size", [0, 1]), ("depth, size, own budget", [0, 1, 2])):
        exponents, errors = fit(table, columns)
        words = [
            f"{value:+.2f} +- {error:.2f}" for value, error in zip(exponents, errors, strict=True)
        ]
        print(f"n = {len(table)}, {names}: {', '.join(words)}")
    for label, exponents in (
        ("fitted", fit(table, [0, 1])[0]),
        ("as used", np.array([DEPTH_EXPONENT, SIZE_EXPONENT])),
    ):
        share, left = explained(table, exponents)
        print(f"{label}: R2 within searches {share:.2f}, residual factor {np.exp(left):.2f}")
    for out in sorted(set(searches)):
        exponents = fit(table[ids != out], [0, 1])[0]
        left = explained(table[ids == out], exponents)[1]
        words = f"{exponents[0]:+.2f}, {exponents[1]:+.2f}"
        print(f"without search {out}: {words}; residual factor on it {np.exp(left):.2f}")


if __name__ == "__main__":
    main()
