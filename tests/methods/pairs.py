"""A search method of two studies: perceptrons, and then perceptrons again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from perceptrons import Perceptrons, Population

from optuna_egnas.methods import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Twice(Population):
    method: ClassVar[str] = "pairs:PAIRS"
    generations: int = 1


class Pairs(Perceptrons):
    name = "pairs:PAIRS"
    roles = (
        Role(name="a", space=Twice, question="how many units are best"),
        Role(name="b", space=Twice, question="how many units are best once more"),
    )


PAIRS = Pairs()
