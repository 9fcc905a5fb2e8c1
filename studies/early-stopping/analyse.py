"""What early stopping costs and what it misses, on the recorded chains of `record.py`.

    python studies/early-stopping/analyse.py --repetitions 100 --figure regret.png

Every method gets the recorded chains in random orders, the same for all and none twice, and may
spend so much: costs are multiply-accumulates of training, in units of the mean chain trained to
its end. What a training will cost is known before it, so none is begun that might not end within
the cost: such a chain is passed by. A method picks, by validation answers alone, the best chain
that it has trained to its end. Regret is how many points of the judge's accuracy the pick stands
below the best chain of the table; the judge is used for nothing else. Pruners are the real ones,
in real studies in memory.

Prints two Markdown tables: the mean regrets with 95 % bootstrap intervals over the orders, with
the difference from BudgetPruner in the same orders; and what each pruner does to the whole table.
The figure needs kaleido and Chromium.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import optuna
from optuna import pruners
from record import N_JUDGE, N_VALID, TABLE, Architecture, size_of

from optuna_egnas import BudgetPruner

COSTS = (3, 6, 12, 24)
OURS = "BudgetPruner"
STOPS = 20
"""Orders of the second table, at most."""
Row = dict[str, Any]
Points = tuple[float, float, float]
"""A mean, and its interval."""


def valid(row: Row, epochs: int | None = None) -> int:
    """Right answers on the validation images, at the best of so many epochs."""
    return max(row["valid_correct"][:epochs])


def whole(row: Row) -> float:
    """What a training to the end costs."""
    return row["macs"] * row["epochs"]


def size(params: Any) -> dict[str, int]:
    found = size_of(Architecture.chain(depth=params["depth"], width=params["width"]))
    return {"depth": found.depth, "params": found.params, "macs": found.macs}


class Pruned:
    """Random search whose trainings a pruner may stop."""

    def __init__(self, pruner: pruners.BasePruner) -> None:
        sampler = optuna.samplers.RandomSampler(seed=0)
        self._study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
        self.best: Row | None = None
        self.spent = 0.0

    def train(self, row: Row) -> bool:
        """Whether it came to its end."""
        self._study.enqueue_trial({"depth": row["depth"], "width": row["width"]})
        trial = self._study.ask()
        trial.suggest_int("depth", 4, 24)
        trial.suggest_int("width", 8, 64)
        budget = {"epochs": row["epochs"], "learning_rate": 0.025, "batch_size": 32}
        trial.set_user_attr("budget", budget)
        for epoch, correct in enumerate(row["valid_correct"], start=1):
            self.spent += row["macs"]
            trial.report(correct / N_VALID, epoch)
            if epoch < row["epochs"] and trial.should_prune():
                self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                return False
        self._study.tell(trial, valid(row) / N_VALID)
        if self.best is None or valid(row) > valid(self.best):
            self.best = row
        return True


def with_pruner(make: Callable[[], pruners.BasePruner]) -> Callable[[list[Row], float], Row]:
    def pick(order: list[Row], cost: float) -> Row | None:
        search = Pruned(make())
        for row in order:
            if search.spent + whole(row) <= cost:
                search.train(row)
        return search.best

    return pick


def short_first(share: Callable[[Row], int], finish: int) -> Callable[[list[Row], float], Row]:
    """A short training for as many as leave enough to finish the best `finish` of them.

    What is left then, where all were tried, finishes the next best. Chains are finished from
    where their short training ended, on the same curve, which is as well as it can be done.
    """

    def rest(row: Row) -> float:
        return (row["epochs"] - share(row)) * row["macs"]

    def best_first(rows: Iterable[Row]) -> list[Row]:
        return sorted(rows, key=lambda row: valid(row, share(row)), reverse=True)

    def pick(order: list[Row], cost: float) -> Row | None:
        spent, seen, best = 0.0, [], None
        for row in order:
            short = share(row) * row["macs"]
            if spent + short + sum(map(rest, best_first([*seen, row])[:finish])) <= cost:
                spent += short
                seen.append(row)
        for row in best_first(seen):
            if spent + rest(row) <= cost:
                spent += rest(row)
                best = row if best is None or valid(row) > valid(best) else best
        return best

    return pick


def largest(order: list[Row], cost: float) -> Row:
    """The most parameters whose one training the cost allows; no order can change it."""
    return max((row for row in order if whole(row) <= cost), key=lambda row: row["params"])


def part(row: Row, number: int) -> int:
    """One of `number` parts of a budget, a whole epoch at least."""
    return -(-row["epochs"] // number)


PRUNERS: dict[str, Callable[[], pruners.BasePruner]] = {
    "no pruning": pruners.NopPruner,
    OURS: lambda: BudgetPruner(size=size),
    "BudgetPruner, risk 0.1": lambda: BudgetPruner(size=size, risk=0.1),
    "BudgetPruner, risk 0.3": lambda: BudgetPruner(size=size, risk=0.3),
    "Median": pruners.MedianPruner,
    "Median, 3 warm-up steps": lambda: pruners.MedianPruner(n_warmup_steps=3),
    "Percentile(25)": lambda: pruners.PercentilePruner(25.0),
    "Percentile(75)": lambda: pruners.PercentilePruner(75.0),
    "SuccessiveHalving": pruners.SuccessiveHalvingPruner,
    "SuccessiveHalving, from 2, by 2": lambda: pruners.SuccessiveHalvingPruner(
        min_resource=2, reduction_factor=2
    ),
    "Hyperband": lambda: pruners.HyperbandPruner(max_resource=16),
    "Hyperband, from 2, by 2": lambda: pruners.HyperbandPruner(
        min_resource=2, max_resource=16, reduction_factor=2
    ),
    "Patient(Median, 1)": lambda: pruners.PatientPruner(pruners.MedianPruner(), 1),
    "Patient(Median, 3)": lambda: pruners.PatientPruner(pruners.MedianPruner(), 3),
}
METHODS: dict[str, Callable[[list[Row], float], Row | None]] = {
    **{name: with_pruner(make) for name, make in PRUNERS.items()},
    **{f"1 epoch, finish {n}": short_first(lambda row: 1, n) for n in (1, 3, 8)},
    **{f"a ninth, finish {n}": short_first(lambda row: part(row, 9), n) for n in (1, 3, 8)},
    **{f"a third, finish {n}": short_first(lambda row: part(row, 3), n) for n in (1, 3, 8)},
    "most parameters, no search": largest,
}


def interval(values: list[float]) -> Points:
    """The mean and its 95 % interval by the bootstrap."""
    draw, count = random.Random(0), len(values)
    means = sorted(statistics.fmean(draw.choices(values, k=count)) for _ in range(2000))
    return statistics.fmean(values), means[50], means[1949]


def regrets(rows: list[Row], repetitions: int) -> dict[str, list[list[float]]]:
    """Of every method, by cost and order."""
    mean = statistics.fmean(map(whole, rows))
    top = max(row["judge_correct"] for row in rows)
    found: dict[str, list[list[float]]] = {name: [[] for _ in COSTS] for name in METHODS}
    for repetition in range(repetitions):
        order = random.Random(repetition).sample(rows, len(rows))
        for name, pick in METHODS.items():
            for values, cost in zip(found[name], COSTS, strict=True):
                row = pick(order, cost * mean)
                assert row is not None, f"{name} has picked nothing"
                values.append(100 * (top - row["judge_correct"]) / N_JUDGE)
    return found


def print_regrets(table: dict[str, list[list[float]]]) -> None:
    print("| method | " + " | ".join(f"cost {cost}" for cost in COSTS) + " |")
    print("|---|" + "---:|" * len(COSTS))
    for name, by_cost in table.items():
        cells = []
        for values, ours in zip(by_cost, table[OURS], strict=True):
            mean, low, high = interval(values)
            cell = f"{mean:.2f} ({low:.2f} to {high:.2f})"
            if name != OURS:
                more = interval([value - base for value, base in zip(values, ours, strict=True)])
                cell += f"; {more[0]:+.2f} ({more[1]:+.2f} to {more[2]:+.2f})"
            cells.append(cell)
        print(f"| {name} | " + " | ".join(cells) + " |")


def print_stops(rows: list[Row], repetitions: int) -> None:
    """What each pruner does to all chains of the table, without a limit of cost."""
    print("\n| pruner | cost saved | stopped | of those that would have been the best so far |")
    print("|---|---:|---:|---:|")
    for name, make in PRUNERS.items():
        saved, stopped, missed, bests = [], 0, 0, 0
        for repetition in range(repetitions):
            search = Pruned(make())
            for row in random.Random(repetition).sample(rows, len(rows)):
                is_better = search.best is not None and valid(row) > valid(search.best)
                ended = search.train(row)
                stopped, bests, missed = (
                    stopped + (not ended),
                    bests + is_better,
                    missed + (is_better and not ended),
                )
            saved.append(1 - search.spent / sum(map(whole, rows)))
        share = stopped / (repetitions * len(rows))
        print(
            f"| {name} | {statistics.fmean(saved):.1%} | {share:.1%} "
            f"| {missed} of {bests} ({missed / bests:.0%}) |"
        )


def draw_figure(table: dict[str, list[list[float]]], path: Path) -> None:
    from plotly.subplots import make_subplots

    titles = [f"cost {cost}" for cost in COSTS]
    figure = make_subplots(cols=len(COSTS), shared_yaxes=True, subplot_titles=titles)
    names = [*table]
    for column, _ in enumerate(COSTS):
        points = [interval(table[name][column]) for name in names]
        figure.add_scatter(
            x=[mean for mean, _, _ in points],
            y=names,
            error_x={
                "type": "data",
                "array": [high - mean for mean, _, high in points],
                "arrayminus": [mean - low for mean, low, _ in points],
                "thickness": 1,
            },
            mode="markers",
            marker={
                "size": 8,
                "color": ["#D55E00" if OURS in name else "#0072B2" for name in names],
            },
            showlegend=False,
            row=1,
            col=column + 1,
        )
        ours = points[names.index(OURS)][0]
        figure.add_vline(x=ours, line={"color": "#D55E00", "dash": "dot"}, col=column + 1)
    figure.update_xaxes(range=[0, 6.2], title="regret, points")
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(template="plotly_white", width=1100, height=640, margin={"t": 40})
    figure.write_image(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=100)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    rows = [json.loads(line) for line in TABLE.read_text().splitlines()]
    top = max(row["judge_correct"] for row in rows)
    print(
        f"{len(rows)} chains, {arguments.repetitions} orders, best {100 * top / N_JUDGE:.2f} %\n"
    )
    table = regrets(rows, arguments.repetitions)
    print_regrets(table)
    print_stops(rows, min(arguments.repetitions, STOPS))
    if arguments.figure:
        draw_figure(table, arguments.figure)


if __name__ == "__main__":
    main()
