"""What early stopping costs and what it misses, on the recorded chains of `record.py`.

    python studies/early-stopping/analyse.py --repetitions 40

Every method gets the recorded chains in random orders, the same for all and none twice, and may
spend so much: costs are multiply-accumulates of training, in units of the mean chain trained to
its end. It picks a chain by validation answers alone. Regret is how many points of the judge's
accuracy the pick stands below the best chain of the table. Pruners are the real ones, in real
studies in memory. Prints a Markdown table of mean regrets with 95 % bootstrap intervals;
`--figure regret.png` draws them (needs kaleido and Chromium).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import optuna
from optuna import pruners
from record import N_JUDGE, N_VALID, TABLE, Architecture, size_of

from optuna_egnas import BudgetPruner

COSTS = (3, 6, 12, 24)
Row = dict[str, Any]
Spent = tuple[float, Row | None]
"""Cost so far, and the pick so far."""


def valid(row: Row, epochs: int | None = None) -> float:
    return max(row["valid_correct"][:epochs]) / N_VALID


def size(params: Any) -> dict[str, int]:
    found = size_of(Architecture.chain(depth=params["depth"], width=params["width"]))
    return {"depth": found.depth, "params": found.params, "macs": found.macs}


def with_pruner(make: Callable[[], pruners.BasePruner]) -> Callable[[list[Row]], Iterator[Spent]]:
    """Random search whose trainings a pruner may stop."""

    def run(order: list[Row]) -> Iterator[Spent]:
        study = optuna.create_study(
            direction="maximize", pruner=make(), sampler=optuna.samplers.RandomSampler(seed=0)
        )
        spent, best = 0.0, None
        for row in order:
            study.enqueue_trial({"depth": row["depth"], "width": row["width"]})
            trial = study.ask()
            trial.suggest_int("depth", 4, 24)
            trial.suggest_int("width", 8, 64)
            budget = {"epochs": row["epochs"], "learning_rate": 0.025, "batch_size": 32}
            trial.set_user_attr("budget", budget)
            for epoch, correct in enumerate(row["valid_correct"], start=1):
                spent += row["macs"]
                trial.report(correct / N_VALID, epoch)
                if epoch < row["epochs"] and trial.should_prune():
                    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                    break
            else:
                study.tell(trial, valid(row))
                best = row if best is None or valid(row) > valid(best) else best
            yield spent, best

    return run


def short_first(share: Callable[[Row], int], finish: int) -> Callable[..., Row | None]:
    """A short training for as many as the cost allows, then the best `finish` to their end."""

    def run(order: list[Row], cost: float, mean: float) -> Row | None:
        left, seen = cost - finish * mean, []
        for row in order:
            left -= share(row) * row["macs"]
            if left < 0:
                break
            seen.append(row)
        seen.sort(key=lambda row: valid(row, share(row)), reverse=True)
        left, best = cost - sum(share(row) * row["macs"] for row in seen), None
        for row in seen:
            # Trained on from where the short training ended, as well as it can be.
            left -= (row["epochs"] - share(row)) * row["macs"]
            if left < 0:
                break
            best = row if best is None or valid(row) > valid(best) else best
        return best

    return run


def largest(order: list[Row], cost: float, mean: float) -> Row | None:
    return max(order, key=lambda row: row["params"])


ANYTIME: dict[str, Callable[[list[Row]], Iterator[Spent]]] = {
    "no pruning": with_pruner(pruners.NopPruner),
    "BudgetPruner, risk 0.01": with_pruner(lambda: BudgetPruner(size=size)),
    "BudgetPruner, risk 0.1": with_pruner(lambda: BudgetPruner(size=size, risk=0.1)),
    "BudgetPruner, risk 0.3": with_pruner(lambda: BudgetPruner(size=size, risk=0.3)),
    "Median": with_pruner(pruners.MedianPruner),
    "Percentile(25)": with_pruner(lambda: pruners.PercentilePruner(25.0)),
    "SuccessiveHalving": with_pruner(pruners.SuccessiveHalvingPruner),
    "Hyperband": with_pruner(lambda: pruners.HyperbandPruner(max_resource=16)),
    "Patient(Median, 3)": with_pruner(lambda: pruners.PatientPruner(pruners.MedianPruner(), 3)),
}
PLANNED: dict[str, Callable[[list[Row], float, float], Row | None]] = {
    "1 epoch for all, finish the best": short_first(lambda row: 1, 1),
    "1 epoch for all, finish the best 3": short_first(lambda row: 1, 3),
    "a ninth for all, finish the best": short_first(lambda row: -(-row["epochs"] // 9), 1),
    "a ninth for all, finish the best 3": short_first(lambda row: -(-row["epochs"] // 9), 3),
    "most parameters, no search": largest,
}


def picks(order: list[Row], mean: float) -> dict[str, list[Row | None]]:
    """For every method, its pick at every cost."""
    found: dict[str, list[Row | None]] = {}
    for name, run in ANYTIME.items():
        story = []
        for spent, best in run(order):
            story.append((spent, best))
            if spent > COSTS[-1] * mean:
                break
        found[name] = [
            next((best for spent, best in reversed(story) if spent <= cost * mean), None)
            for cost in COSTS
        ]
    for name, plan in PLANNED.items():
        found[name] = [plan(order, cost * mean, mean) for cost in COSTS]
    return found


def interval(values: list[float], draw: random.Random) -> tuple[float, float]:
    means = sorted(statistics.fmean(draw.choices(values, k=len(values))) for _ in range(2000))
    return means[50], means[1949]


def draw_figure(table: dict[str, list[tuple[float, float, float]]], path: Path) -> None:
    import plotly.graph_objects as go

    marks = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star")
    colours = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
    figure = go.Figure()
    for number, (name, points) in zip(count(), table.items(), strict=False):
        figure.add_scatter(
            x=COSTS,
            y=[mean for mean, _, _ in points],
            error_y={
                "type": "data",
                "array": [high - mean for mean, _, high in points],
                "arrayminus": [mean - low for mean, low, _ in points],
                "thickness": 1,
            },
            name=name,
            mode="lines+markers",
            marker={"symbol": marks[number % 7], "size": 8},
            line={"color": colours[number % 7], "dash": "solid" if number < 7 else "dot"},
        )
    figure.update_xaxes(type="log", title="cost, mean whole trainings", tickvals=COSTS)
    figure.update_yaxes(title="regret, points of accuracy", rangemode="tozero")
    figure.update_layout(template="plotly_white", width=1000, height=560)
    figure.write_image(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=40)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    rows = [json.loads(line) for line in TABLE.read_text().splitlines()]
    mean = statistics.fmean(row["macs"] * row["epochs"] for row in rows)
    top = max(row["judge_correct"] for row in rows)
    regrets: dict[str, list[list[float]]] = {
        name: [[] for _ in COSTS] for name in (*ANYTIME, *PLANNED)
    }
    for repetition in range(arguments.repetitions):
        order = random.Random(repetition).sample(rows, len(rows))
        for name, chosen in picks(order, mean).items():
            for values, row in zip(regrets[name], chosen, strict=True):
                # Without a pick by then, a guess: a chain that was never trained.
                judged = row["judge_correct"] if row else N_JUDGE // 10
                values.append(100 * (top - judged) / N_JUDGE)
    table = {}
    print(
        f"{len(rows)} chains, {arguments.repetitions} repetitions, best {100 * top / N_JUDGE} %\n"
    )
    print("| method | " + " | ".join(f"cost {cost}" for cost in COSTS) + " |")
    print("|---|" + "---:|" * len(COSTS))
    for name, by_cost in regrets.items():
        draw = random.Random(0)
        points = [(statistics.fmean(values), *interval(values, draw)) for values in by_cost]
        table[name] = points
        cells = [f"{mean:.2f} ({low:.2f}-{high:.2f})" for mean, low, high in points]
        print(f"| {name} | " + " | ".join(cells) + " |")
    if arguments.figure:
        draw_figure(table, arguments.figure)


if __name__ == "__main__":
    main()
