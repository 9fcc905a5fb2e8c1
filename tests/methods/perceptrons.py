"""A search method of its own, in one file: perceptrons, bred in generations of five."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Generator, nn

from optuna_egnas.methods import (
    Candidate,
    Done,
    Found,
    History,
    Method,
    Proposal,
    Role,
    Running,
    Space,
    Trained,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Perceptron:
    units: int

    def to_json(self) -> dict[str, Any]:
        return {"units": self.units}


@dataclass(frozen=True, slots=True, kw_only=True)
class Population(Space):
    method: ClassVar[str] = "perceptrons:PERCEPTRONS"
    generations: int = 2
    max_units: int = 64

    def frontier(self, history: History, k: int = 1) -> tuple[Proposal, ...] | Done:
        parent, best = 4, None
        for number in range(self.generations):
            sizes = dict.fromkeys(min(self.max_units, parent + 4 * step) for step in range(5))
            members = [
                Candidate(architecture=Perceptron(each), epochs=2 + number) for each in sizes
            ]
            known = {each: history.outcome(each) for each in members}
            free = [each for each, outcome in known.items() if outcome is None]
            if free:
                phase = f"generation {number}"
                return tuple(
                    Proposal(candidate=each, phase=phase, bar=None, likely=Verdict.REFUSED)
                    for each in free[:k]
                )
            if any(isinstance(outcome, Running) for outcome in known.values()):
                return ()
            for each, outcome in known.items():
                if isinstance(outcome, Trained) and (best is None or outcome.score > best[0]):
                    best = (outcome.score, each)
            if best is None:
                return Done(found=None)
            parent = int(best[1].architecture.to_json()["units"])
        assert best is not None
        score, found = best
        return Done(found=Found(architecture=found.architecture, score=score, epochs=2))

    def ranges(self, names: Any = None) -> dict[str, Any]:
        return {"units": range(1, self.max_units + 1)}

    def encode(self, network: Any, names: Any = None) -> dict[str, int | str]:
        return {"units": network.units}

    def decode(self, params: Mapping[str, Any], names: Any = None) -> Perceptron:
        return Perceptron(int(params["units"]))

    @classmethod
    def network_from_json(cls, record: Mapping[str, Any]) -> Perceptron:
        return Perceptron(int(record["units"]))


class Perceptrons(Method):
    name = "perceptrons:PERCEPTRONS"
    roles = (Role(name="population", space=Population, question="how many units are best"),)

    def build(self, network: Any, *, input_shape: Any, classes: int, generator: Generator) -> Any:
        channels, height, width = input_shape
        module = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * height * width, network.units),
            nn.BatchNorm1d(network.units),
            nn.ReLU(),
            nn.Linear(network.units, classes),
        )
        for each in module.modules():
            if isinstance(each, nn.Linear):
                nn.init.kaiming_uniform_(each.weight, generator=generator)
                nn.init.zeros_(each.bias)
        return module


PERCEPTRONS = Perceptrons()
