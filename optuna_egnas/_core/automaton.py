"""Spaces whose rules are an automaton: one question after the other, each with its answer.

Such a walk is searched ahead of its answers (`frontier.py`), and its possible continuations are
drawn by the odds of its verdicts (`continuation.py`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from random import Random

from . import continuation, frontier, walk
from .history import Candidate, History
from .odds import Prior
from .problem import Space
from .proposal import Continuation, Done, Position, Proposal, Prospect, Step, Walk


class AutomatonSpace(Space):
    """A space that begins an automaton; all other answers follow from that.

    Examples:
        >>> from optuna_egnas import MacroSpace
        >>> from optuna_egnas.methods import AutomatonSpace
        >>> space = MacroSpace(min_depth=1, max_depth=4, min_width=8, max_width=16)
        >>> isinstance(space, AutomatonSpace), space.begin().proposal.phase
        (True, 'depth')
    """

    __slots__ = ()

    @abstractmethod
    def begin(self) -> Position:
        """The automaton at its start."""

    @property
    def priors(self) -> Mapping[str, Prior]:
        """What is expected of each phase; of one that is not named, any verdict alike."""
        return {}

    def chance_of_perfect_fit(self, phase: str) -> float:
        """The chance that a network kept in this phase fits its training data perfectly."""
        return 0.0

    def frontier(self, history: History, k: int = 1) -> tuple[Proposal, ...] | Done:
        """The next `k` trainings that the walk will most likely ask for and that nobody has."""
        return frontier.frontier(self, history, k)

    def prospects(self, history: History, k: int = 1) -> tuple[Prospect, ...] | Done:
        """The next `k` trainings with the chance that the walk asks for each."""
        return frontier.prospects(self, history, k)

    def wanted(self, history: History, in_flight: Iterable[Candidate]) -> frozenset[Candidate]:
        """The trainings in flight that the walk will probably ask for."""
        return frontier.wanted(self, history, in_flight)

    def follow(self, history: History) -> Walk:
        """The walk as far as it is decided."""
        return walk.follow(self, history)

    def step_of(self, history: History, candidate: Candidate) -> Step | None:
        """The first step on the likeliest path that trains this candidate; None: it is off it."""
        return walk.step_of(self, history, candidate)

    def continuations(self, history: History, generator: Random) -> Iterator[Continuation]:
        """Possible continuations of the walk; missing verdicts are drawn by their odds."""
        return continuation.continuations(self, history, generator)
