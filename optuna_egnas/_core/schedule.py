"""The learning rate of each step of a training.

It is that of arXiv 2502.03553, except that it falls to zero at the end of the last epoch instead
of before it: every epoch learns.
"""

from __future__ import annotations

import math

from .recipe import Recipe


def rate_of(recipe: Recipe, step: int, steps: int) -> float:
    """The rate of a step, counted from 0: up to the highest, then down half a cosine to 0."""
    rising = int(recipe.warmup * steps)
    if step < rising:
        return recipe.learning_rate * (step + 1) / (rising + 1)
    half_circle = math.pi * (step - rising) / (steps - rising)
    return recipe.learning_rate * (1 + math.cos(half_circle)) / 2
