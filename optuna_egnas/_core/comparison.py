"""What a found network is compared with, on the same test images, and whether its search paid.

All intervals are of 95 %. They hold the chance of which test images were drawn, for one training
each; another seed moves an accuracy, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

Z = NormalDist().inv_cdf(0.975)
PLACE = "on these images"
EQUAL = 1.1
"""Up to so many times the parameters of the network found, a rival is no larger."""
COLUMNS = ("", "accuracy", "95 %", "difference", "95 %", "parameters", "MACs", "seconds")
"""The columns of the table; differences are to the network found, in points."""
CAUTION = (
    "This is a report: whoever chooses a network by it has selected by the test images, and its "
    "figures are then no longer those of a test."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """What else could answer the same images, after its training and its test.

    Args:
        name: what it is; those of one kind end with a number.
        words: more of it, such as its size; may be empty.
        params: trainable parameters; None where that says nothing, as of trees.
        macs: multiply-accumulates for an image; None likewise.
        seconds: of training.
        test_correct: right answers on the test images.
        n_test: test images.
        better: images that it alone answered right, not the network found.
        worse: images that the network found alone answered right.

    Examples:
        >>> from optuna_egnas._core.comparison import Rival
        >>> size = {"words": "", "params": 900, "macs": 9000, "seconds": 1.0}
        >>> rival = Rival(name="plain CNN", **size, test_correct=8, n_test=10, better=1, worse=0)
        >>> rival.accuracy, rival.difference
        (0.8, 0.1)
    """

    name: str
    words: str
    params: int | None
    macs: int | None
    seconds: float
    test_correct: int
    n_test: int
    better: int = 0
    worse: int = 0

    @property
    def accuracy(self) -> float:
        """Fraction of right answers on the test images."""
        return self.test_correct / self.n_test

    @property
    def interval(self) -> tuple[float, float]:
        """The bounds of `accuracy`."""
        return wilson(self.test_correct, self.n_test)

    @property
    def difference(self) -> float:
        """Its accuracy less that of the network found, a fraction."""
        return (self.better - self.worse) / self.n_test

    @property
    def difference_interval(self) -> tuple[float, float]:
        """The bounds of `difference`."""
        return paired(self.better, self.worse, self.n_test)

    def to_json(self) -> dict[str, Any]:
        """Plain values, also those that follow from others."""
        return {
            **asdict(self),
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "difference": self.difference,
            "difference_interval": list(self.difference_interval),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A found network beside its rivals.

    Args:
        found: the network found, by the first of its final trainings.
        rivals: those that are trained and tested.
        left_out: a line for each that could not be trained here, with its reason.

    Examples:
        Goes on from the example of `Rival`.

        >>> from optuna_egnas._core.comparison import Comparison
        >>> found = Rival(name="found", **size, test_correct=7, n_test=10)
        >>> Comparison(found=found, rivals=(rival,)).sentence
        'The plain CNN is as good within the noise: the search did not pay on these images.'
    """

    found: Rival
    rivals: tuple[Rival, ...]
    left_out: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[Rival, ...]:
        """The network found, then its rivals by their accuracies."""
        ordered = sorted(self.rivals, key=lambda rival: (-rival.test_correct, rival.name))
        return (self.found, *ordered)

    @property
    def sentence(self) -> str:
        """Whether the search paid, in words."""
        return verdict(self.found, self.rivals)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "found": self.found.to_json(),
            "rivals": [rival.to_json() for rival in self.rows[1:]],
            "left_out": list(self.left_out),
            "sentence": self.sentence,
            "caution": CAUTION,
        }


def wilson(correct: int, total: int) -> tuple[float, float]:
    """The bounds of an accuracy of `correct` out of `total` images (Wilson, 1927)."""
    share, weight = correct / total, Z**2 / total
    centre = (share + weight / 2) / (1 + weight)
    half = Z * math.sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    return max(0.0, centre - half), min(1.0, centre + half)


def paired(better: int, worse: int, total: int) -> tuple[float, float]:
    """The bounds of a difference of two accuracies on the same `total` images.

    Only images that one of both alone answers right have a part in it, as in McNemar's test. Half
    an image is added to each of the four cells (Agresti and Min, 2005), so that two networks that
    never differ have a spread too.
    """
    gained, lost, images = better + 0.5, worse + 0.5, total + 2
    centre = (gained - lost) / images
    half = Z * math.sqrt(gained + lost - (gained - lost) ** 2 / images) / images
    return max(-1.0, centre - half), min(1.0, centre + half)


def verdict(found: Rival, rivals: Sequence[Rival]) -> str:
    """Say whether a search paid, by its rivals; of several of one kind the middle one counts."""
    if not rivals:
        return "No rival is trained yet."
    named = _by_kind(rivals)
    better = {it: each for it, each in named.items() if each.difference_interval[0] > 0}
    if better:
        name = max(better, key=lambda it: better[it].difference)
        points = 100 * better[name].difference
        return f"The {name} is better by {points:.1f} points: the search did not pay {PLACE}."
    equal = {it: each for it, each in named.items() if each.difference_interval[1] >= 0}
    if not equal:
        count = "the one rival" if len(rivals) == 1 else f"each of {len(rivals)} rivals"
        return f"The network found is better than {count}, beyond the noise: the search paid."
    small = [it for it, each in equal.items() if not _is_larger(each, found)]
    if small:
        return f"The {_as_good(small)}: the search did not pay {PLACE}."
    times = min((each.params or 0) / (found.params or 1) for each in equal.values())
    return (
        f"The {_as_good([*equal])}, with at least {times:.1f} times as many parameters: the "
        "search paid by a smaller network."
    )


def in_words(row: Rival, *, is_found: bool) -> list[str]:
    """The cells of a row, as `COLUMNS` has them; the network found has no difference."""
    name = f"{row.name} ({row.words})" if row.words else row.name
    low, high = (100 * bound for bound in row.interval)
    least, most = (100 * bound for bound in row.difference_interval)
    differs = (f"{100 * row.difference:+.2f}", f"{least:+.2f} to {most:+.2f}")
    return [
        name,
        f"{100 * row.accuracy:.2f} %",
        f"{low:.2f} to {high:.2f}",
        *(("", "") if is_found else differs),
        "" if row.params is None else f"{row.params:,}",
        "" if row.macs is None else f"{row.macs:,}",
        f"{row.seconds:,.1f}",
    ]


def _by_kind(rivals: Sequence[Rival]) -> Mapping[str, Rival]:
    """The rivals by what they are called; of those whose names end with a number the middle."""
    kinds: dict[str, list[Rival]] = {}
    for rival in rivals:
        kinds.setdefault(re.sub(r" \d+$", "", rival.name), []).append(rival)
    return {
        kind if len(several) == 1 else f"middle one of {len(several)} {kind}s": sorted(
            several, key=lambda rival: rival.test_correct
        )[len(several) // 2]
        for kind, several in kinds.items()
    }


def _is_larger(rival: Rival, found: Rival) -> bool:
    return rival.params is not None and rival.params > EQUAL * (found.params or 0)


def _as_good(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} is as good within the noise"
    return f"{', the '.join(names[:-1])} and the {names[-1]} are as good within the noise"
