"""Draw the walk of a recorded search: `python studies/draw_walk.py walk.json walk.png`.

Writes a PNG where kaleido and a Chromium are installed; a name that ends in .html needs neither.
"""

from __future__ import annotations

import sys
from pathlib import Path

import plotly.graph_objects as go

from optuna_egnas._core.history import History, Trained
from optuna_egnas._core.micro import MicroSpace
from optuna_egnas._core.proposal import Step, Verdict
from optuna_egnas._core.walk import Done, follow
from optuna_egnas._core.words import name_candidate
from optuna_egnas._trace import Trace, read_trace

# Okabe and Ito's colours, told apart by colour-blind people; the symbols tell them apart in print.
LOOKS = {
    Verdict.BASELINE: ("#000000", "square"),
    Verdict.ACCEPTED: ("#009E73", "circle"),
    Verdict.NEUTRAL: ("#E69F00", "diamond"),
    Verdict.REFUSED: ("#D55E00", "x"),
}


def steps_of(trace: Trace) -> list[Step]:
    """Walk both spaces with the recorded scores."""
    outcomes = {}
    macro = trace.macro
    space: object = macro
    steps: list[Step] = []
    recorded = iter(trace.candidates)
    for _ in range(2):
        outcomes = {}
        while not isinstance(end := follow(space, History(outcomes)).next, Done):
            candidate = next(recorded)
            accuracy = max(candidate.train_correct, default=0) / trace.n_train
            score = max(candidate.valid_correct) / trace.n_valid
            outcomes[end.candidate] = Trained(score=score, train_accuracy=accuracy)
        steps += follow(space, History(outcomes)).steps
        if space is macro and end.found is not None:
            start = end.found.architecture
            micro = {**trace.micro.to_json(), "depth": start.depth, "width": start.width}
            space = MicroSpace.from_json(micro)
    return steps


def bests_of(steps: list[Step]) -> list[list[tuple[int, float]]]:
    """The incumbent's score after each step, for each stretch between two baselines."""
    stretches: list[list[tuple[int, float]]] = []
    for i, step in enumerate(steps, start=1):
        if step.verdict is Verdict.BASELINE:
            stretches.append([])
        best = step.score if step.passed else stretches[-1][-1][1]
        stretches[-1].append((i, best or 0.0))
    return stretches


def draw(trace: Trace) -> go.Figure:
    """Score over candidates; colour and symbol say what became of each."""
    steps = steps_of(trace)
    figure = go.Figure()
    for bound in bests_of(steps):
        figure.add_scatter(
            x=[i for i, _ in bound],
            y=[100 * score for _, score in bound],
            mode="lines",
            line={"shape": "hv", "color": "#0072B2", "width": 2},
            name="best so far",
            showlegend=bound[0][0] == 1,
        )
    for verdict, (colour, symbol) in LOOKS.items():
        chosen = [(i, step) for i, step in enumerate(steps, start=1) if step.verdict is verdict]
        figure.add_scatter(
            x=[i for i, _ in chosen],
            y=[100 * (step.score or 0) for _, step in chosen],
            text=[name_candidate(step.proposal) for _, step in chosen],
            mode="markers",
            name=verdict.value,
            marker={"color": colour, "symbol": symbol, "size": 11},
        )
    phases = [step.proposal.phase for step in steps]
    for phase in dict.fromkeys(phases):
        first = phases.index(phase) + 1
        last = len(phases) - phases[::-1].index(phase)
        if first > 1:
            figure.add_shape(
                type="line",
                **{"x0": first - 0.5, "x1": first - 0.5, "y0": 0, "y1": 1, "yref": "paper"},
                line={"color": "#888888", "dash": "dot", "width": 1.5},
            )
        figure.add_annotation(
            x=(first + last) / 2, y=1.08, yref="paper", text=phase, showarrow=False
        )
    figure.update_layout(
        template="simple_white",
        xaxis_title="candidate, in the order of the walk",
        yaxis_title="validation accuracy, %",
        legend={"orientation": "h", "y": -0.2},
        margin={"t": 50, "r": 20},
        font={"size": 15},
    )
    return figure


def main() -> None:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    figure = draw(read_trace(source))
    if target.suffix == ".html":
        figure.write_html(target)
    else:
        figure.write_image(target, width=1000, height=460, scale=2)


if __name__ == "__main__":
    main()
