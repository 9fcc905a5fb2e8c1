"""A conformance suite for search methods: any method is tried on random answers.

`conforms(method, spaces)` walks through all studies of a method, once with one worker and once
with up to five whose trainings end in any order, and asserts what every method must keep to. An
answer is drawn for each candidate from the seed alone, so that both walks get the same answers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

import torch

from optuna_egnas.methods import (
    Candidate,
    Done,
    Failed,
    History,
    Method,
    Network,
    Proposal,
    Role,
    Running,
    Space,
    Stopped,
    Trained,
    Walk,
)

Outcome = Trained | Stopped | Failed
MOST_TRAININGS = 400
"""A study that asks for more of them counts as one that never ends."""
MOST_WORKERS = 5
MODULES = 4
"""So many different networks of each study are built."""
FRESH = 0.1
"""How often the same question is put again after all caches are dropped."""


def conforms(method: Method, spaces: Mapping[str, Space], *, seed: int = 0) -> int:
    """Try a method on random answers; returns how many trainings its studies asked for.

    Args:
        method: what is tried.
        spaces: a small space for each role.
        seed: of all answers, and of the order in which they come.

    Raises:
        AssertionError: the method breaks a promise; the message says which.
    """
    trainings, found = 0, None
    for role in method.roles:
        space = spaces[role.name]
        if role.start is not None:
            if found is None:
                break
            space = replace(space, **role.start(space, found))
        trainings += _study_conforms(method, role, space, seed)
        end = _walked_by_one(space, seed)[1].next
        found = end.found if isinstance(end, Done) else None
    return trainings


def answer(candidate: Candidate, space: Space, seed: int) -> Outcome:
    """What becomes of a training: mostly a score, seldom a refusal or a failure."""
    random = Random(f"{seed} {json.dumps(candidate.to_json(), sort_keys=True)}")
    kind = random.random()
    if kind < 0.1:
        return Failed(reason="its loss is not finite", final=True)
    if kind < 0.2:
        return Stopped(reason="it is hopeless", neutral=random.random() < 0.5)
    images = space.n_valid or 1000
    score = random.randint(images // 2, images) / images
    return Trained(score=score, train_accuracy=random.uniform(score, 1.0))


def _study_conforms(method: Method, role: Role, space: Space, seed: int) -> int:
    _is_kept_as_json(space, method, role)
    alone, walk = _walked_by_one(space, seed)
    many, proposed = _walked_by_many(space, seed)

    together = space.follow(History(many))
    assert together.steps == walk.steps, "the steps of one worker equal those of many"
    assert together.next == walk.next, "one worker and many end alike"
    assert isinstance(walk.next, Done), "the study ends"
    _steps_are_answers(space, walk, History(alone))
    networks = dict.fromkeys(each.candidate.architecture for each in proposed)
    for each in proposed:
        _is_written_and_read(each, method, space)
    for network in networks:
        _respects_limits(network, space)
    for network in [*networks][:: 1 + len(networks) // MODULES]:
        _is_built(network, method, space)
    return len(many)


def _walked_by_one(space: Space, seed: int) -> tuple[dict[Candidate, Outcome], Walk]:
    """The answers in the order in which one worker gets them, and the walk that they make."""
    known: dict[Candidate, Outcome] = {}
    while not isinstance(ahead := space.frontier(History(known), 1), Done):
        assert len(ahead) == 1, "one worker is never asked to wait, nor given two trainings"
        candidate = ahead[0].candidate
        assert candidate not in known, "no training is asked for twice"
        known[candidate] = answer(candidate, space, seed)
        assert len(known) <= MOST_TRAININGS, "the study ends"
    return known, space.follow(History(known))


def _walked_by_many(space: Space, seed: int) -> tuple[dict[Candidate, Outcome], list[Proposal]]:
    """The same of workers that come and go, and whose trainings end in any order."""
    random = Random(f"order {seed}")
    known: dict[Candidate, Outcome] = {}
    in_flight: list[Candidate] = []
    proposed: list[Proposal] = []
    while True:
        free = random.randint(1, MOST_WORKERS) - len(in_flight)
        history = _history(known, in_flight, random)
        ahead = _asked(space, history, max(1, free), random)
        if isinstance(ahead, Done):
            return known, proposed
        assert ahead or in_flight, "where nothing is in flight, there is nothing to wait for"
        taken = ahead[: max(0, free)]
        proposed += taken
        in_flight += [each.candidate for each in taken]
        _wants_only_what_is_in_flight(space, history, in_flight)
        if in_flight:
            ended = in_flight.pop(random.randrange(len(in_flight)))
            known[ended] = answer(ended, space, seed)
        assert len(known) <= MOST_TRAININGS, "the study ends"


def _history(
    known: Mapping[Candidate, Outcome], in_flight: Iterable[Candidate], random: Random
) -> History:
    """A history whose order says nothing."""
    outcomes = [*known.items(), *((each, Running()) for each in in_flight)]
    random.shuffle(outcomes)
    return History(dict(outcomes))


def _asked(space: Space, history: History, k: int, random: Random) -> tuple[Proposal, ...] | Done:
    """What the frontier answers, which is a pure function of the history."""
    ahead = space.frontier(history, k)
    assert space.frontier(history, k) == ahead, "the same history gets the same answer"
    shuffled = _history(history.outcomes, (), random)
    assert space.frontier(shuffled, k) == ahead, "the order of the answers says nothing"
    if random.random() < FRESH:
        drop_caches(type(space).__module__)
        again = _copied(space).frontier(shuffled, k)
        assert again == ahead, "the answer depends on the history alone"
    if isinstance(ahead, Done):
        return ahead
    candidates = [each.candidate for each in ahead]
    assert len(candidates) <= k, "no more is handed out than was asked for"
    assert len({*candidates}) == len(candidates), "nothing is handed out twice"
    for candidate in candidates:
        assert history.outcome(candidate) is None, "nothing is handed out that somebody has"
        parent = candidate.parent
        assert parent is None or isinstance(history.outcome(parent), Trained), (
            "weights are inherited from what is trained"
        )
    prospects = space.prospects(history, k)
    assert not isinstance(prospects, Done)
    assert [each.proposal for each in prospects] == [*ahead], "prospects are those proposals"
    assert all(0 < each.chance <= 1 for each in prospects), "a chance is above 0, at most 1"
    return ahead


def _wants_only_what_is_in_flight(
    space: Space, history: History, in_flight: Iterable[Candidate]
) -> None:
    wanted = space.wanted(history, in_flight)
    assert wanted <= {*in_flight}, "only what is in flight can be worth going on with"


def _steps_are_answers(space: Space, walk: Walk, history: History) -> None:
    for step in walk.steps:
        candidate = step.proposal.candidate
        assert step.outcome == history.outcome(candidate), "a step has the answer that came"
        assert step.proposal.phase, "a step is of a phase"
        assert space.step_of(history, candidate) is not None, "a step is found by its candidate"
    if isinstance(walk.next, Done) and walk.next.found is not None:
        networks = {step.proposal.candidate.architecture for step in walk.steps}
        assert walk.next.found.architecture in networks, "what is found was trained"


def _is_kept_as_json(space: Space, method: Method, role: Role) -> None:
    record = json.loads(json.dumps(space.to_json()))
    assert method.space(role.name, record) == space, "a space survives JSON"
    assert type(space) is role.space, "a space is of its role's class"


def _is_written_and_read(proposal: Proposal, method: Method, space: Space) -> None:
    """A proposal as a trial holds it, and as a search stores it."""
    candidate, network = proposal.candidate, proposal.candidate.architecture
    values, ranges = space.encode(network), space.ranges()
    assert {*values} <= {*ranges}, "a network is encoded into the parameters of its space"
    assert "epochs" not in ranges, "the epochs of a trial are not the network's"
    for name, value in values.items():
        assert value in ranges[name], f"`{name}` is within its range"
        assert type(value) in (int, str), f"`{name}` is a whole number or text"
    assert space.decode(values) == network, "a network is decoded as it was encoded"
    record = json.loads(json.dumps(network.to_json()))
    assert not {"epochs", "replicate", "parent", "phase"} & {*record}, "these are the trial's"
    for read in (method.network_from_json, space.network_from_json):
        again = read(record)
        assert (again, hash(again)) == (network, hash(network)), "a network survives JSON"
    stored = json.loads(json.dumps(candidate.to_json()))
    assert Candidate.from_json(stored, method.network_from_json) == candidate
    assert candidate.epochs is None or 1 <= candidate.epochs <= space.max_epochs
    for words in (space.describe(network), space.describe_proposal(proposal)):
        assert words and "\n" not in words, "a network is described on one line"


def _respects_limits(network: Network, space: Space) -> None:
    assert space.fits(network), "what is proposed fits the limits"
    if space.max_params is not None:
        assert space.params(network) <= space.max_params, "no more parameters than allowed"
    if space.max_macs is not None:
        assert space.macs(network) <= space.max_macs, "no more calculations than allowed"


def _is_built(network: Network, method: Method, space: Space) -> None:
    """A module that calculates, has the weights that are counted, and is the same each time."""
    task: dict[str, Any] = {"input_shape": space.input_shape, "classes": space.classes}

    def build() -> torch.nn.Module:
        module = method.build(network, **task, generator=torch.Generator().manual_seed(1))
        assert isinstance(module, torch.nn.Module)
        return module

    module = build()
    logits = module(torch.rand((2, *space.input_shape)))
    assert logits.shape == (2, space.classes), "two images get a logit for each class"
    weights = build().state_dict()
    assert all(torch.isfinite(each).all() for each in weights.values())
    trainable = sum(each.numel() for each in module.parameters() if each.requires_grad)
    assert trainable == space.params(network), "parameters are counted as they are built"
    assert space.macs(network) > 0
    again = build().state_dict()
    assert weights.keys() == again.keys()
    assert all(torch.equal(weights[name], again[name]) for name in weights), (
        "weights are drawn from the generator"
    )
    expected = method.expected_weights(network, **task)
    assert {name: (each.shape, each.dtype) for name, each in expected.items()} == {
        name: (each.shape, each.dtype) for name, each in weights.items()
    }, "the weights are those that a file of the network must hold"
    values, tensors = method.least_weights(network, **task)
    assert values <= sum(each.numel() for each in weights.values()) and tensors <= len(weights)


def _copied(space: Space) -> Space:
    return type(space).from_json(json.loads(json.dumps(space.to_json())))


def drop_caches(*modules: str) -> None:
    """Empty every cache of this package's functions, and of these modules."""
    for name, module in [*sys.modules.items()]:
        if name in modules or name.partition(".")[0] == "optuna_egnas":
            for value in [*vars(module).values()]:
                if callable(getattr(value, "cache_clear", None)):
                    value.cache_clear()
