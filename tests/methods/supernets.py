"""A search method that trains one supernet a round, and scores its paths with the weights of it.

The supernet is a perceptron of many units; a path is one of its first units only. Which units are
tried in a round is drawn by the seed of the search, from what the supernet's outcome says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Any, ClassVar

from perceptrons import Perceptrons
from torch import Generator

from optuna_egnas.methods import (
    Candidate,
    Done,
    EpochRecord,
    Found,
    History,
    Measurement,
    Method,
    Network,
    Proposal,
    Role,
    Running,
    Space,
    Step,
    Trained,
    Verdict,
)

UNITS = 16


@dataclass(frozen=True, slots=True)
class Path:
    """The first units of the supernet of a round; the supernet itself has all of them."""

    round: int
    units: int
    shared: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"round": self.round, "units": self.units, "shared": self.shared}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths(Space):
    method: ClassVar[str] = "supernets:SUPERNETS"
    seed: int = 0
    rounds: int = 2
    paths: int = 4

    def frontier(self, history: History, k: int = 1) -> tuple[Proposal, ...] | Done:
        scores: dict[Network, float] = {}
        for number in range(self.rounds):
            supernet = Candidate(architecture=Path(number, UNITS, shared=True), epochs=3)
            fit = history.outcome(supernet)
            if fit is None or isinstance(fit, Running):
                return () if fit else (_ask(supernet, "fit"),)
            if not isinstance(fit, Trained):
                break
            known = {each: history.outcome(each) for each in self.drawn(number, supernet, fit)}
            if free := [each for each, outcome in known.items() if outcome is None]:
                return tuple(_ask(each, "evaluate") for each in free[:k])
            if any(isinstance(outcome, Running) for outcome in known.values()):
                return ()
            scores |= {
                each.architecture: outcome.score
                for each, outcome in known.items()
                if isinstance(outcome, Trained)
            }
        return Done(found=_best(scores) if scores else None)

    def drawn(self, number: int, supernet: Candidate, fit: Trained) -> list[Candidate]:
        text = f"{self.seed} {number} {fit.details.get('learned')}"
        random = Random(sha256(text.encode()).hexdigest())
        units = sorted(range(1, UNITS), key=lambda _: random.random())[: self.paths]
        return [
            Candidate(architecture=Path(number, each), epochs=1, parent=supernet) for each in units
        ]

    def keeps_weights(self, candidate: Candidate, step: Step | None) -> bool:
        return candidate.parent is None

    def ranges(self, names: Any = None) -> dict[str, Any]:
        return {
            "round": range(self.rounds),
            "units": range(1, UNITS + 1),
            "shared": ("yes", "no"),
        }

    def encode(self, network: Any, names: Any = None) -> dict[str, int | str]:
        shared = "yes" if network.shared else "no"
        return {"round": network.round, "units": network.units, "shared": shared}

    def decode(self, params: Mapping[str, Any], names: Any = None) -> Path:
        return Path(int(params["round"]), int(params["units"]), params["shared"] == "yes")

    @classmethod
    def network_from_json(cls, record: Mapping[str, Any]) -> Path:
        return Path(int(record["round"]), int(record["units"]), bool(record["shared"]))


class Supernets(Method):
    name = "supernets:SUPERNETS"
    roles = (Role(name="paths", space=Paths, question="which units are best"),)

    def build(self, network: Any, *, input_shape: Any, classes: int, generator: Generator) -> Any:
        return Perceptrons().build(
            network, input_shape=input_shape, classes=classes, generator=generator
        )

    def measure(self, measurement: Measurement) -> Iterator[EpochRecord | Trained]:
        if measurement.candidate.parent is None:
            yield from self._fit(measurement)
        else:
            yield from self._evaluate(measurement)

    def _fit(self, measurement: Measurement) -> Iterator[EpochRecord | Trained]:
        best = 0.0
        for record in measurement.train():
            best = max(best, record.valid_accuracy)
            yield record
        yield Trained(score=best / 2, details={"learned": round(best, 4), "units": [1, UNITS]})

    def _evaluate(self, measurement: Measurement) -> Iterator[EpochRecord | Trained]:
        assert measurement.inherited is not None
        module = measurement.build(measurement.candidate.architecture)
        own = module.state_dict()
        for name, value in measurement.inherited.items():
            cut = tuple(slice(0, size) for size in own[name].shape)
            own[name].copy_(value[cut] if cut else value)
        right, n_valid = measurement.correct(module), len(measurement.validation.labels)
        yield EpochRecord(epoch=1, valid_correct=right, n_valid=n_valid)
        norm = round(float(next(iter(measurement.inherited.values())).norm()), 6)
        yield Trained(score=right / n_valid, details={"right": right, "weights": norm})


def _best(scores: Mapping[Network, float]) -> Found:
    best = max(scores, key=scores.__getitem__)
    return Found(architecture=best, score=scores[best], epochs=3)


def _ask(candidate: Candidate, phase: str) -> Proposal:
    return Proposal(candidate=candidate, phase=phase, bar=None, likely=Verdict.REFUSED)


SUPERNETS = Supernets()
