"""Speculation: which trainings the walk will probably ask for, while answers are missing.

From the walk's present position, every missing answer branches: accepted, neutral or refused, each
with its odds. The tree of these futures is searched likeliest first. Futures that ask for the same
training meet in one node, whose chance is the sum of theirs: where a phase climbs a ladder, nearly
all of them go on to the next rung, whatever the verdicts before it.

All is a function of the space and the history, and nothing of it is a decision: a wrong guess
costs work and never changes a walk.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, islice

from .history import Candidate, History, Outcome, Running, Trained
from .odds import Experience, Odds, bounded
from .proposal import Done, Position, Proposal, Prospect, Step, Verdict, judge
from .walk import Automaton, decided_steps

HAND_OUT = 0.05
"""Least chance of a training that is handed out: a worker on a rarer one would be missing
elsewhere."""
WANTED = 0.02
"""Least chance of a training that goes on; below it, its premise has failed."""
FAINT = 1e-3
"""Least chance of a single future that is followed."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class _Node:
    """All futures that next ask for one training; the most probable comes first, then the next.

    `attempt` counts the compared trainings of its phase, this one included.
    """

    doubt: float
    depth: int
    number: int
    attempt: int = field(compare=False)
    futures: Mapping[Position, float] = field(compare=False)

    @property
    def proposal(self) -> Proposal:
        return next(iter(self.futures)).proposal


def frontier(space: Automaton, history: History, k: int = 1) -> tuple[Proposal, ...] | Done:
    """The next `k` trainings that the walk will most likely ask for and that nobody has.

    What the walk asks for now comes first, unless somebody has it. Returns fewer, or none (wait),
    where all else is in flight or too improbable to be worth a worker.
    """
    ahead = prospects(space, history, k)
    return ahead if isinstance(ahead, Done) else tuple(each.proposal for each in ahead)


def prospects(space: Automaton, history: History, k: int = 1) -> tuple[Prospect, ...] | Done:
    """The trainings of `frontier`, each with the chance that the walk asks for it."""
    steps, position = decided_steps(space, history)
    if isinstance(position, Done):
        return position
    likely = _look_ahead(space, history, steps, position, at_least=HAND_OUT)
    free = (each for each in likely if _can_begin(history, each.proposal.candidate))
    return tuple(islice(free, k))


def wanted(
    space: Automaton, history: History, in_flight: Iterable[Candidate]
) -> frozenset[Candidate]:
    """The trainings in flight that are worth going on with.

    A training is not worth it where another trial has given its answer, or where its premise has
    failed: over all futures, the chance that the walk asks for it is below `WANTED`.
    """
    left = {each for each in in_flight if isinstance(history.outcome(each), Running | None)}
    steps, position = decided_steps(space, history)
    found: set[Candidate] = set()
    if not isinstance(position, Done):
        for prospect in _look_ahead(space, history, steps, position, at_least=WANTED):
            found.update(left & {prospect.proposal.candidate})
            if found == left:
                break
    return frozenset(found)


def _can_begin(history: History, candidate: Candidate) -> bool:
    """Whether nobody has it, and its parent, if it has one, is trained to its end."""
    if history.outcome(candidate) is not None:
        return False
    parent = candidate.parent
    return parent is None or isinstance(history.outcome(parent), Trained)


def _look_ahead(
    space: Automaton,
    history: History,
    steps: Iterable[Step],
    position: Position,
    *,
    at_least: float,
) -> Iterator[Prospect]:
    """All that the walk will ask for with such a chance or more, the most probable first."""
    experience = Experience.of(steps, space.priors)
    numbers, seen = count(), set[Candidate]()
    start = {position: 1.0}
    before = experience.attempts.get(position.proposal.phase, 0)
    nodes = [_node(start, depth=0, number=next(numbers), before=before)]
    while nodes:
        node = heapq.heappop(nodes)
        if 1 - node.doubt < at_least:
            return
        # Seldom two nodes ask for the same; the less probable one adds little, and is left out.
        if node.proposal.candidate not in seen:
            seen.add(node.proposal.candidate)
            yield Prospect(proposal=node.proposal, chance=1 - node.doubt)
        for futures in _branch(space, history, experience, node):
            phase = next(iter(futures)).proposal.phase
            before = node.attempt if phase == node.proposal.phase else 0
            after = _node(futures, depth=node.depth + 1, number=next(numbers), before=before)
            heapq.heappush(nodes, after)


def _node(futures: Mapping[Position, float], *, depth: int, number: int, before: int) -> _Node:
    compared = next(iter(futures)).proposal.bar is not None
    return _Node(
        # Rounded, so that sums of the same chances in another order stay equal.
        doubt=round(1 - sum(futures.values()), 9),
        depth=depth,
        number=number,
        attempt=before + compared,
        futures=futures,
    )


def _branch(
    space: Automaton, history: History, experience: Experience, node: _Node
) -> Iterable[Mapping[Position, float]]:
    """The futures after a node's answer, by the training that they ask for next."""
    outcome = history.outcome(node.proposal.candidate)
    groups: dict[Candidate, dict[Position, float]] = {}
    for position, chance in node.futures.items():
        odds = _odds(space, experience, node, position.proposal, outcome)
        for verdict, share in odds.items():
            if chance * share < FAINT:
                continue
            after = position.after(_imagine(position.proposal, outcome, verdict))
            if not isinstance(after, Done):
                group = groups.setdefault(after.proposal.candidate, {})
                group[after] = group.get(after, 0.0) + chance * share
    return groups.values()


def _odds(
    space: Automaton,
    experience: Experience,
    node: _Node,
    proposal: Proposal,
    outcome: Outcome | None,
) -> Odds:
    verdict = judge(proposal, outcome, space.n_valid)
    if verdict is not None:
        return {verdict: 1.0}
    if proposal.bar is None:
        return {proposal.likely: 1.0}
    return bounded(experience.odds(proposal.phase, node.attempt), proposal.bar, outcome)


def _imagine(proposal: Proposal, outcome: Outcome | None, verdict: Verdict) -> Step:
    """The step of a future. A score that is there is the bar of that future's next steps."""
    guessed = not isinstance(outcome, Trained)
    return Step(proposal=proposal, outcome=outcome, verdict=verdict, guessed=guessed)
