"""How good the forecasts of small searches were, and the estimates while they ran.

    python studies/forecast/run.py --storage sqlite:///forecast.db

Runs each search that the storage does not hold yet; one that was cut off goes on. Prints a table:
what was forecast at the start, what it took on the clock, and the estimates of the rest at 25, 50
and 75 % of that time, as ratios to the real rest.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Iterator

import optuna

from optuna_egnas._search.forecast.estimate import review
from optuna_egnas._search.forecast.forecast import forecast_and_store
from optuna_egnas._search.run import run
from optuna_egnas._search.setup import prepare
from optuna_egnas.options import SearchOptions

NAMES = ("took / forecast", "rest at 25 %", "rest at 50 %", "rest at 75 %")
SMALL = {"min_depth": 3, "max_depth": 8, "min_width": 6, "max_width": 12, "base_epochs": 2}
MICRO = {"epochs": 2}


def searches(seeds: int) -> Iterator[tuple[str, str, SearchOptions]]:
    for seed in range(seeds):
        yield f"digits-{seed}", "digits", SearchOptions(seed=seed)
        sound = SearchOptions(seed=seed, macro={"policy": "sound"})
        yield f"digits-sound-{seed}", "digits", sound
        fashion = SearchOptions(
            seed=seed, subset=1000, profile="quick", macro=SMALL, micro=MICRO, precision="fp32"
        )
        yield f"fashion-mnist-{seed}", "fashion-mnist", fashion


def searched(storage: str, name: str, data: str, options: SearchOptions) -> list[float | None]:
    """Actual over typical forecast seconds, and estimated over real rest at three times."""
    setup = prepare(data, storage=storage, name=name, options=options)
    if not setup.resumed:
        forecast_and_store(setup, workers=1)
    run(setup)
    seen = review(setup.studies)
    assert seen.forecast is not None
    low, typical, high = seen.forecast.seconds
    inside = "yes" if low <= seen.seconds <= high else "no"
    ratio = seen.seconds / typical
    cells = " | ".join("" if each is None else f"{each:.2f}" for each in seen.rest)
    print(
        f"| {name} | {typical:.0f} ({low:.0f}-{high:.0f}) | {seen.seconds:.0f} | {ratio:.2f} "
        f"| {inside} | {cells} |",
        flush=True,
    )
    return [ratio, *seen.rest]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--storage", default="sqlite:///forecast.db")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print(
        "| search | forecast, s (range) | took, s | took / forecast | in the range "
        "| rest at 25 % | at 50 % | at 75 % |"
    )
    print("|---|---:|---:|---:|---|---:|---:|---:|")
    found = [
        searched(arguments.storage, name, data, options)
        for name, data, options in searches(arguments.seeds)
    ]
    for what, ratios in zip(NAMES, zip(*found, strict=True), strict=True):
        logs = [math.log(ratio) for ratio in ratios if ratio is not None]
        spread = math.exp(statistics.stdev(logs)) if len(logs) > 1 else 1.0
        mean = math.exp(statistics.mean(logs))
        print(f"{what}: geometric mean {mean:.2f}, spread {spread:.2f}, n {len(logs)}")


if __name__ == "__main__":
    main()
