"""What a trial costs beside its training: ask and tell of MacroSampler against RandomSampler.

    python studies/workers/overhead.py --storage sqlite:///overhead.db --trials 100 1000 10000

Each study is filled with finished trials of a random sampler over the same parameters. Then both
samplers take turns in it (interleaved, so that noise hits both); beside them stands Optuna's own
reading of all trials. Prints medians with the middle half of the measurements.
"""

from __future__ import annotations

import argparse
import statistics
import time
import uuid
from collections.abc import Callable

import optuna
from optuna.distributions import IntDistribution
from optuna.samplers import BaseSampler, RandomSampler

from optuna_egnas import MacroSampler, MacroSpace

SPACE = MacroSpace(max_depth=1000, n_valid=10_000)
# Widths below the walk's, so that it is not answered by the random trials and goes on asking.
PARAMETERS = {"depth": IntDistribution(10, 1000), "width": IntDistribution(16, 63)}


def fill(storage: str, count: int) -> str:
    name = f"overhead-{count}-{uuid.uuid4().hex[:6]}"
    study = optuna.create_study(storage=storage, study_name=name, direction="maximize")
    draw = RandomSampler(seed=0)._rng.rng
    trials = []
    for number in range(count):
        params = {k: int(draw.randint(d.low, d.high + 1)) for k, d in PARAMETERS.items()}
        trials.append(
            optuna.create_trial(params=params, distributions=PARAMETERS, value=number / count / 10)
        )
    study.add_trials(trials)
    return name


def timed(study: optuna.Study, sampler: BaseSampler, value: float) -> float:
    study.sampler = sampler
    start = time.perf_counter()
    trial = study.ask()
    trial.suggest_int("depth", 10, 1000)
    trial.suggest_int("width", 16, 64)
    study.tell(trial, value)
    return time.perf_counter() - start


def measured(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(storage: str, count: int, rounds: int) -> dict[str, list[float]]:
    name = fill(storage, count)
    study = optuna.load_study(storage=storage, study_name=name)
    ours, random = MacroSampler(SPACE), RandomSampler(seed=1)
    for sampler in (ours, random):
        timed(study, sampler, 0.0)  # the first ask reads everything, for both
    taken: dict[str, list[float]] = {"ours": [], "random": [], "get_trials": []}
    for step in range(rounds):
        taken["ours"].append(timed(study, ours, 0.2 + step / 500))
        taken["random"].append(timed(study, random, 0.1))
        taken["get_trials"].append(measured(lambda: study.get_trials(deepcopy=False)))
    optuna.delete_study(storage=storage, study_name=name)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--storage", default="sqlite:///overhead.db")
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print("| finished trials | ours, ms | random, ms | ratio | get_trials, ms |")
    print("|---:|---:|---:|---:|---:|")
    for count in arguments.trials:
        taken = measure(arguments.storage, count, arguments.rounds)
        cells = []
        for values in (taken["ours"], taken["random"], taken["get_trials"]):
            low, middle, high = (1000 * value for value in statistics.quantiles(values, n=4))
            cells.append(f"{middle:.1f} ({low:.1f}-{high:.1f})")
        ratio = statistics.median(
            ours / other for ours, other in zip(taken["ours"], taken["random"], strict=True)
        )
        print(f"| {count:,} | {cells[0]} | {cells[1]} | {ratio:.2f} | {cells[2]} |")


if __name__ == "__main__":
    main()
