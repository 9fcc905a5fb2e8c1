"""Walks whose candidates inherit: any rules, with the incumbent's weights to begin with.

A candidate that the rules compare with an incumbent is trained from the incumbent's weights, for a
share of the epochs that the rules give it. From whom it inherits is part of what it is: a training
that was made ahead, from an incumbent that was only guessed, answers no other question.

Who begins where another one has ended has been trained for longer, and is better by that alone.
So a new incumbent is first trained on by itself, for as long as the first one that it will be
compared with, from the same weights. Later candidates have to beat what that gives; where it
fails, what the incumbent had.

Not compared, and so trained from scratch for all of their epochs: the first candidate, all before
one has been trained to its end, and the last training of a result.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .history import Candidate
from .proposal import Done, Incumbent, Position, Proposal, Step, Verdict

SHARE = 0.25
"""The share of its epochs that an inheriting candidate is trained for; see studies/inheritance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inheriting:
    """The position of the rules, and the parent of their next candidates.

    `parent` is the rules' incumbent as it was trained here; `trained_on` is what candidates are
    compared with, None until the parent has been trained on.
    """

    proposal: Proposal = field(compare=False)
    rules: Position
    share: float = field(compare=False)
    parent: Candidate | None = None
    trained_on: Incumbent | None = None

    def after(self, step: Step) -> Position | Done:
        incumbent = _compared(self.rules.proposal)
        if self.parent is not None and incumbent is not None and self.trained_on is None:
            itself = replace(incumbent, candidate=self.parent)
            trained_on = step.as_incumbent() if step.passed else itself
            return _position(self.rules, self.share, parent=self.parent, trained_on=trained_on)
        rules = self.rules.after(replace(step, proposal=self.rules.proposal))
        if step.passed:
            return _position(rules, self.share, parent=step.proposal.candidate)
        return _position(rules, self.share, parent=self.parent, trained_on=self.trained_on)


def inheriting(rules: Position, share: float | None) -> Position:
    """Return rules whose candidates inherit weights; without a share, the rules themselves.

    Examples:
        >>> from optuna_egnas import MacroSpace
        >>> from optuna_egnas.methods import inheriting
        >>> space = MacroSpace(min_depth=1, max_depth=4, min_width=8, max_width=16)
        >>> inheriting(space.begin(), 0.25).proposal.phase
        'depth'
    """
    if share is None:
        return rules
    begun = _position(rules, share)
    assert not isinstance(begun, Done)
    return begun


def _position(
    rules: Position | Done,
    share: float,
    *,
    parent: Candidate | None = None,
    trained_on: Incumbent | None = None,
) -> Position | Done:
    if isinstance(rules, Done):
        return rules
    return _Inheriting(
        proposal=_ask(rules.proposal, share, parent, trained_on),
        rules=rules,
        share=share,
        parent=parent,
        trained_on=trained_on,
    )


def _ask(
    asked: Proposal, share: float, parent: Candidate | None, trained_on: Incumbent | None
) -> Proposal:
    """What is trained for what the rules ask: their candidate, or first the parent once more."""
    epochs = asked.candidate.epochs
    if parent is None or epochs is None or asked.bar is None or asked.bar.incumbent is None:
        return asked
    epochs = max(1, round(share * epochs))
    if trained_on is None:
        same = Candidate(architecture=parent.architecture, epochs=epochs, parent=parent)
        return replace(asked, candidate=same, bar=None, likely=Verdict.BASELINE)
    return replace(
        asked,
        candidate=replace(asked.candidate, epochs=epochs, parent=parent),
        bar=replace(asked.bar, incumbent=trained_on),
    )


def _compared(asked: Proposal) -> Incumbent | None:
    return asked.bar.incumbent if asked.bar else None
