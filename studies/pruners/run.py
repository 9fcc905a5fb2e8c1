"""What pruners save on recorded searches, and at what price.

    python studies/pruners/run.py FOLDER

FOLDER holds traces (egnas-trace/1). Every depth and width candidate of every search; its recorded
walk goes on whatever the pruner says. Prints Markdown tables: each pruner with its defaults; the
trade-off of BudgetPruner over its risk, and of Optuna's pruners over their settings; the risk
chosen on all searches but one, tried on that one; what hindsight could save.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import optuna
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
)

from optuna_egnas._core.stopping import Bars, Curve, predict
from optuna_egnas._methods.egnas.replay.pruned import OPTUNAS, compared, patient, stops_of
from optuna_egnas._methods.egnas.replay.trace import Recorded
from optuna_egnas.pruners import BudgetPruner
from optuna_egnas.pruners._budget import RISK
from optuna_egnas.pruners._curves import standard_error
from optuna_egnas.replay import Trace, read_trace

RISKS = (
    0.002,
    0.005,
    0.01,
    0.015,
    0.02,
    0.025,
    0.03,
    0.04,
    0.05,
    0.07,
    0.1,
    0.15,
    0.2,
    0.3,
    0.4,
    0.5,
)
LIMIT = 3 / 130
"""The share of accepted candidates that may be stopped."""
BINS = 20
Row = tuple[Recorded, bool, list[float], list[float]]


@dataclass(frozen=True)
class Saving:
    """Over one search or several: epochs and accepted candidates, of how many."""

    saved: int
    epochs: int
    stopped: int
    accepted: int

    @classmethod
    def of(cls, trace: Trace, pruner: BasePruner) -> Saving:
        stops, accepted = stops_of(trace, pruner)
        epochs = {index: recorded.epochs for index, recorded in compared(trace)}
        return cls(
            sum(epochs[index] - trained for index, trained in stops.items()),
            sum(epochs.values()),
            len(accepted & stops.keys()),
            len(accepted),
        )

    @classmethod
    def sum(cls, parts: Iterable[Saving]) -> Saving:
        rows = [(part.saved, part.epochs, part.stopped, part.accepted) for part in parts]
        return cls(*(sum(column) for column in zip(*rows, strict=True)))

    @property
    def share_saved(self) -> float:
        return self.saved / self.epochs

    @property
    def share_stopped(self) -> float:
        return self.stopped / self.accepted

    def cells(self) -> str:
        part = f"{self.stopped} of {self.accepted} ({100 * self.share_stopped:.1f} %)"
        return f"{100 * self.share_saved:.1f} % | {part}"


def settings() -> Iterator[tuple[str, Callable[[], BasePruner]]]:
    """Settings of Optuna's pruners around their defaults."""
    yield from ((f"{name}, as replayed", make) for name, make in OPTUNAS.items())
    for patience in (1, 2, 4, 5, 6, 8):
        yield f"patient(median, {patience})", lambda p=patience: patient(p)
    for warmup in (5, 10, 15, 20, 30):
        yield f"median, {warmup} warm-up steps", lambda w=warmup: MedianPruner(n_warmup_steps=w)
    for kept in (50.0, 75.0, 90.0, 95.0):
        yield f"percentile {kept:.0f}", lambda k=kept: PercentilePruner(k)
        yield (
            f"percentile {kept:.0f}, 10 warm-up steps",
            lambda k=kept: PercentilePruner(k, n_warmup_steps=10),
        )
        yield (
            f"percentile {kept:.0f}, 20 warm-up steps",
            lambda k=kept: PercentilePruner(k, n_warmup_steps=20),
        )
    for resource in (5, 10, 20):
        yield (
            f"sha, from step {resource}",
            lambda r=resource: SuccessiveHalvingPruner(min_resource=r),
        )
    for factor in (2, 4):
        yield (
            f"hyperband, factor {factor}",
            lambda f=factor: HyperbandPruner(reduction_factor=f),
        )


def over(traces: dict[str, Trace], make: Callable[[], BasePruner]) -> list[Saving]:
    return [Saving.of(trace, make()) for trace in traces.values()]


def print_row(name: str, parts: list[Saving], more: str = "") -> None:
    each = " | ".join(f"{100 * part.share_saved:.1f}" for part in parts)
    print(f"| {name} | {Saving.sum(parts).cells()} | {each} |{more}", flush=True)


def print_head(first: str, traces: Iterable[str], more: str = "") -> None:
    names = list(traces)
    print(f"\n| {first} | epochs saved | accepted stopped | {' | '.join(names)} |{more}")
    print("|---|---:|---:|" + "---:|" * (len(names) + bool(more)))


def best_at(ours: dict[float, list[Saving]], share: float) -> float:
    """What ours saves at most where it stops no larger share; nothing where it always does."""
    totals = [Saving.sum(parts) for parts in ours.values()]
    return max((t.share_saved for t in totals if t.share_stopped <= share + 1e-9), default=0.0)


def leave_one_out(ours: dict[float, list[Saving]], count: int) -> Saving:
    """Each search at the risk that saves most on all others within the limit."""
    chosen = []
    for out in range(count):
        others = {
            risk: Saving.sum(part for index, part in enumerate(parts) if index != out)
            for risk, parts in ours.items()
        }
        within = [risk for risk, total in others.items() if total.share_stopped <= LIMIT]
        risk = max(within, key=lambda each: others[each].saved)
        print(f"- without search {out}: risk {risk}, on it {ours[risk][out].cells()}")
        chosen.append(ours[risk][out])
    return Saving.sum(chosen)


def margins(trace: Trace) -> Iterator[Row]:
    """Each candidate that is forecast: whether it is accepted, its margins and its errors.

    After each epoch but the last: how far the forecast is above the bar, and how far the score
    came out above the forecast, in standard deviations; given all earlier candidates.
    """
    accepted = stops_of(trace, optuna.pruners.NopPruner())[1]
    finished: list[Curve] = []
    incumbent = None
    for index, recorded in compared(trace):
        values = tuple(correct / trace.n_valid for correct in recorded.valid_correct)
        progress = tuple((epoch + 1) / recorded.epochs for epoch in range(len(values)))
        score = max(values)
        phase = recorded.phase
        whole = Curve(progress=progress, values=values, phase=phase, score=score)
        if incumbent is not None:
            gain = trace.macro.depth_gain if recorded.phase == "depth" else 0.0
            bars = Bars(accept=incumbent + gain)
            error = standard_error(bars.accept, trace.n_valid)
            above, errors = [], []
            for epoch in range(1, len(values)):
                so_far = Curve(progress=progress[:epoch], values=values[:epoch], phase=phase)
                seen = predict(so_far, finished, error=error)
                if seen is None:
                    break
                passed = max(values[:epoch]) >= bars.accept
                above.append(99.0 if passed else (seen.mean - bars.accept) / seen.deviation)
                errors.append((score - seen.mean) / seen.deviation)
            yield recorded, index in accepted, above, errors
        finished.append(whole)
        incumbent = score if index in accepted else incumbent


def calibration(rows: list[Row]) -> str:
    """How forecasts after 60 % of the budget came out, in their own standard deviations."""
    errors = [
        error
        for recorded, _, _, row in rows
        for epoch, error in enumerate(row, start=1)
        if epoch > 0.6 * recorded.epochs
    ]
    spread = (sum(error**2 for error in errors) / len(errors)) ** 0.5
    above = sum(error > NormalDist().inv_cdf(1 - RISK) for error in errors) / len(errors)
    return f"{spread:.2f} | {100 * above:.1f} % | {len(errors)}"


def hindsight(rows: list[Row]) -> int:
    """Epochs saved if the margin below which no accepted candidate ever falls were known.

    One such margin for each twentieth of the budget.
    """
    lowest = [99.0] * BINS
    for recorded, accepted, row, _ in rows:
        for epoch, margin in enumerate(row, start=1):
            if accepted:
                place = int(BINS * epoch / recorded.epochs)
                lowest[place] = min(lowest[place], margin)
    saved = 0
    for recorded, accepted, row, _ in rows:
        for epoch, margin in enumerate(row, start=1):
            bar = lowest[int(BINS * epoch / recorded.epochs)]
            if not accepted and margin < bar < 99.0:
                saved += recorded.epochs - epoch
                break
    return saved


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    files = sorted(parser.parse_args().folder.glob("*.json"))
    traces = {file.stem: read_trace(file) for file in files}
    ours = {risk: over(traces, lambda r=risk: BudgetPruner(risk=r)) for risk in RISKS}
    print_head("BudgetPruner, risk", traces)
    for risk, parts in ours.items():
        print_row(f"{risk}", parts)
    print_head("Optuna's", traces, " ours at the same share stopped |")
    for name, make in settings():
        parts = over(traces, make)
        same = best_at(ours, Saving.sum(parts).share_stopped)
        print_row(name, parts, f" {100 * same:.1f} % |")
    print("\nThe risk chosen on the other searches, within 3 of 130 stopped:\n")
    print(f"- together: {leave_one_out(ours, len(traces)).cells()}")
    found = {name: list(margins(trace)) for name, trace in traces.items()}
    epochs = sum(parts.epochs for parts in ours[RISKS[0]])
    refused = sum(
        r.epochs - 1 for rows in found.values() for r, accepted, _, _ in rows if not accepted
    )
    pooled = hindsight([row for rows in found.values() for row in rows])
    apart = sum(hindsight(rows) for rows in found.values())
    print("\n| search | spread of errors | above the risk's quantile | forecasts |")
    print("|---|---:|---:|---:|")
    for name, rows in found.items():
        print(f"| {name} | {calibration(rows)} |")
    print("\nBounds, with no accepted candidate stopped:\n")
    print(f"- all that is not accepted stopped after one epoch: {100 * refused / epochs:.1f} %")
    print(f"- margins known in hindsight, one table for each search: {100 * apart / epochs:.1f} %")
    print(f"- margins known in hindsight, one table for all: {100 * pooled / epochs:.1f} %")


if __name__ == "__main__":
    main()
