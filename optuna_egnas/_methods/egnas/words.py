"""Steps in words: what a person reads in a table, a log or a note."""

from __future__ import annotations

from ..._core.proposal import Incumbent, Proposal
from .architecture import chain_of
from .bounds import ChainSpace


def name_candidate(proposal: Proposal) -> str:
    """The candidate by what is new in it: "depth 14, width 64", "layer 3: conv, width 58"."""
    architecture = chain_of(proposal.candidate)
    width = f"width {architecture.width}"
    if proposal.candidate.is_trained_on:
        return f"depth {architecture.depth}, {width}, trained on"
    incumbent = proposal.bar.incumbent if proposal.bar else None
    if proposal.phase in ("ops", "kernels") and incumbent:
        return f"{_change(proposal.phase, proposal, incumbent)}, {width}"
    return f"depth {architecture.depth}, {width}"


def name_incumbent(phase: str, incumbent: Incumbent) -> str:
    """What is compared with in a phase: "depth 14", "the best so far"."""
    architecture = chain_of(incumbent.candidate)
    if phase == "depth":
        return f"depth {architecture.depth}"
    if phase == "width":
        return f"width {architecture.width}"
    return "the best so far"


def _change(phase: str, proposal: Proposal, incumbent: Incumbent) -> str:
    new, old = chain_of(proposal.candidate), chain_of(incumbent.candidate)
    now, before = (new.ops, old.ops) if phase == "ops" else (new.kernels, old.kernels)
    pairs = enumerate(zip(now, before, strict=True))
    changed = [layer for layer, (value, previous) in pairs if value != previous]
    if not changed:
        return "no change"
    first, last = changed[0], changed[-1]
    layers = f"layer {first}" if first == last else f"layers {first} to {last}"
    what = f"{now[first]}" if phase == "ops" else f"kernel {now[first]}"
    return f"{layers}: {what}"


def fields_of(space: ChainSpace, *names: str) -> str:
    """Fields of a space with their values: "epochs=2, confirm_epochs=0"."""
    return ", ".join(f"{name}={getattr(space, name)}" for name in names)
