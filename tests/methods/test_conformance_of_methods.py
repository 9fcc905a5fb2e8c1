"""EGNAS and a method of one file keep to what every method must keep to; broken ones do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from typing import Any, ClassVar

import pytest
from conformance import conforms
from perceptrons import PERCEPTRONS, Perceptron, Perceptrons, Population
from supernets import SUPERNETS, Paths

from optuna_egnas.methods import Done, History, Proposal, Role, Space, method

TASK = {"input_shape": (1, 6, 6), "classes": 4, "n_valid": 60}
SMALL = {
    "macro": {"min_depth": 2, "max_depth": 6, "min_width": 3, "max_width": 6, "base_epochs": 1},
    "micro": {"epochs": 1},
}
SPACES = {
    "as it is": {},
    "few parameters": {"max_params": 700},
    "few calculations": {"max_macs": 9000},
    "weights inherited": {"inherit": 0.5},
}


@pytest.mark.parametrize("policy", ["paper", "sound"])
@pytest.mark.parametrize("story", SPACES)
def test_egnas_conforms(policy: str, story: str) -> None:
    egnas = method("egnas")
    given = {**SMALL, "macro": {**SMALL["macro"], "policy": policy, **SPACES[story]}}
    spaces = egnas.spaces(TASK, profile="quick", given=given)

    trainings = [conforms(egnas, spaces, seed=seed) for seed in range(3)]

    assert sum(trainings) > 20, "there was something to try"


def test_a_method_of_one_file_conforms() -> None:
    spaces = {"population": Population(**TASK, generations=3)}

    assert sum(conforms(PERCEPTRONS, spaces, seed=seed) for seed in range(4)) > 30


def test_a_method_that_shares_weights_conforms() -> None:
    spaces = {"paths": Paths(**TASK, seed=3)}

    assert sum(conforms(SUPERNETS, spaces, seed=seed) for seed in range(4)) > 20


# Methods that break a promise


ASKED = count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembering(Population):
    """Hands out less when it was asked before."""

    def frontier(self, history: History, k: int = 1) -> tuple[Proposal, ...] | Done:
        ahead = Population.frontier(self, history, k)
        odd = next(ASKED) % 2 == 1
        return ahead if isinstance(ahead, Done) or not odd else ahead[:1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Greedy(Population):
    """Hands out again what is in flight."""

    def frontier(self, history: History, k: int = 1) -> tuple[Proposal, ...] | Done:
        ended = {each: known for each, known in history.outcomes.items() if not _runs(known)}
        return Population.frontier(self, History(ended), k)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered(Population):
    """Asks for what the order of the answers suggests."""

    def frontier(self, history: History, k: int = 1) -> tuple[Proposal, ...] | Done:
        ahead = Population.frontier(self, history, k)
        last = next(reversed(history.outcomes), None)
        turn = last is not None and last.architecture.to_json()["units"] % 8 == 0
        return ahead if isinstance(ahead, Done) or not turn else ahead[::-1]


SEEN: list[int] = []


@lru_cache
def seen(space: Space) -> int:
    """How many spaces were seen before this one: a cache that decides."""
    SEEN.append(0)
    return len(SEEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached(Population):
    """Gives other answers when a cache is dropped."""

    def frontier(self, history: History, k: int = 1) -> tuple[Proposal, ...] | Done:
        ahead = Population.frontier(self, history, k)
        return ahead if isinstance(ahead, Done) else ahead[: 1 + seen(self) % 2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow(Population):
    """Proposes what its ranges do not hold."""

    def ranges(self, names: Any = None) -> dict[str, Any]:
        return {"units": range(1, 8)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetful(Population):
    """Reads another network than was written."""

    @classmethod
    def network_from_json(cls, record: Mapping[str, Any]) -> Perceptron:
        return Perceptron(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Miscounting(Population):
    """Counts one parameter too few."""

    def params(self, network: Any) -> int:
        return Population.params(self, network) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundless(Population):
    """Proposes what does not fit: the rules of the method know no limits."""

    max_params: int | None = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Endless(Population):
    """Breeds for ever."""

    max_units: int = 10**9
    generations: int = 10**9


def _runs(outcome: object) -> bool:
    return type(outcome).__name__ == "Running"


def of(space: type[Space]) -> tuple[Perceptrons, dict[str, Space]]:
    """A method of such a space."""

    class Broken(Perceptrons):
        roles: ClassVar[tuple[Role, ...]] = (replace(PERCEPTRONS.roles[0], space=space),)

    return Broken(), {"population": space(**TASK)}


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (Remembering, "the same history gets the same answer"),
        (Greedy, "nothing is handed out that somebody has"),
        (Ordered, "the order of the answers says nothing"),
        (Cached, "the answer depends on the history alone"),
        (Narrow, "`units` is within its range"),
        (Forgetful, "a network survives JSON"),
        (Miscounting, "parameters are counted as they are built"),
        (Boundless, "what is proposed fits the limits"),
        (Endless, "the study ends"),
    ],
)
def test_a_broken_promise_is_found(space: type[Space], said: str) -> None:
    broken, spaces = of(space)

    with pytest.raises(AssertionError, match=said):
        for seed in range(10):
            conforms(broken, spaces, seed=seed)
