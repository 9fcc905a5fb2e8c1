"""Coarse to fine along one line of sizes: large steps while they pass, then ever smaller ones.

A ladder is climbed from `at`, the last place that passed. While all pass, the step grows by a
factor. From the first refusal on the step is halved after every answer, whatever it says, so that
no place is tried twice and the number of tries grows with the logarithm of the line's length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The state of a climb. `at` and `step` count layers or channels; a step of 0 is its end."""

    at: int
    step: int
    refining: bool = False

    @property
    def next(self) -> int:
        """The place to try."""
        return self.at + self.step

    def after(self, *, passed: bool, growth: int = 1) -> Ladder:
        """The ladder after the answer to `next`."""
        at = self.next if passed else self.at
        if passed and not self.refining:
            return Ladder(at=at, step=self.step * growth)
        return Ladder(at=at, step=self.step // 2, refining=True)

    def below(self, top: int) -> Ladder:
        """Return the ladder with a step that does not lead above `top`."""
        return replace(self, step=max(0, min(self.step, top - self.at)))
