"""An invented objective for the samplers, and the walk that it makes."""

from __future__ import annotations

import optuna
from optuna.trial import Trial, TrialState
from walking import macro, walk_with

from optuna_egnas import MacroSpace
from optuna_egnas.methods import Proposal

MACRO = macro(max_depth=6, max_width=8)


def score_macro(depth: int, width: int) -> float:
    """Invented right answers of 1,000: best at depth 5, nearly flat in width."""
    return (900 - 7 * abs(depth - 5) - (8 - width) // 3) / 1000


def macro_objective(trial: Trial) -> float:
    depth, width = trial.suggest_int("depth", 1, 50), trial.suggest_int("width", 1, 99)
    return score_macro(depth, width)


def asked(study: optuna.Study, *names: str) -> list[tuple[object, ...]]:
    complete = [trial for trial in study.trials if trial.state is TrialState.COMPLETE]
    return [tuple(trial.params.get(name) for name in names) for trial in complete]


def walked(space: MacroSpace) -> list[tuple[int, int]]:
    def answer(proposal: Proposal) -> int:
        architecture = proposal.candidate.architecture
        return round(1000 * score_macro(architecture.depth, architecture.width))

    steps = walk_with(space, answer).steps
    networks = [step.proposal.candidate.architecture for step in steps]
    return [(network.depth, network.width) for network in networks]
