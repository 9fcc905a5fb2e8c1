"""Intervals of accuracies and of paired differences, and whether a search paid."""

from __future__ import annotations

import math

import pytest

from optuna_egnas._core.comparison import (
    COLUMNS,
    Comparison,
    Rival,
    in_words,
    paired,
    verdict,
    wilson,
)


def row(
    name: str, right: int = 90, *, better: int = 0, worse: int = 0, params: int | None = 1000
) -> Rival:
    sizes = {"params": params, "macs": None if params is None else 10 * params}
    test = {"test_correct": right, "n_test": 100, "better": better, "worse": worse}
    return Rival(name=name, words="", seconds=1.0, **sizes, **test)


FOUND = row("network found")


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (9500, 10_000, 0.9456, 0.9541),
    ],
)
def test_the_interval_of_an_accuracy(correct: int, total: int, low: float, high: float) -> None:
    assert wilson(correct, total) == pytest.approx((low, high), abs=5e-5)


def test_the_interval_of_a_paired_difference() -> None:
    # Half an image in each cell: (10.5 - 4.5) / 102 +- 1.96 sqrt(15 - 36 / 102) / 102.
    half = 1.959964 * math.sqrt(15 - 36 / 102) / 102

    assert paired(10, 4, 100) == pytest.approx((6 / 102 - half, 6 / 102 + half), abs=1e-6)
    assert paired(4, 10, 100) == pytest.approx((-6 / 102 - half, -6 / 102 + half), abs=1e-6)


def test_equal_answers_still_have_a_spread() -> None:
    low, high = paired(0, 0, 50)

    assert low == -high
    assert high == pytest.approx(1.959964 / 52, abs=1e-6)
    assert paired(1000, 0, 1000)[1] <= 1.0


PAID = {
    "none": ([], "No rival is trained yet."),
    "a plain one as good": (
        [row("plain CNN", 91, better=3, worse=2), row("logistic regression", 60, worse=30)],
        "The plain CNN is as good within the noise: the search did not pay on these images.",
    ),
    "several as good": (
        [
            row("plain CNN", 91, better=3, worse=2),
            row("random forest", 90, params=None),
            row("logistic regression", 90, params=700),
        ],
        "The plain CNN, the random forest and the logistic regression are as good within the "
        "noise: the search did not pay on these images.",
    ),
    "one better": (
        [row("plain CNN", 98, better=9, worse=1), row("random forest", 99, better=9)],
        "The random forest is better by 9.0 points: the search did not pay on these images.",
    ),
    "only a larger one as good": (
        [row("largest network", 91, better=2, worse=1, params=3200), row("plain", 50, worse=40)],
        "The largest network is as good within the noise, with at least 3.2 times as many "
        "parameters: the search paid by a smaller network.",
    ),
    "a nearly equal one is no larger": (
        [row("plain CNN", 91, better=2, worse=1, params=1090)],
        "The plain CNN is as good within the noise: the search did not pay on these images.",
    ),
    "all worse": (
        [row("plain CNN", 50, worse=40), row("random forest", 60, worse=30)],
        "The network found is better than each of 2 rivals, beyond the noise: the search paid.",
    ),
    "the middle one of a kind": (
        # The best of five is no worse by luck alone; the middle one is clearly worse.
        [row(f"random network {n}", 90 - 9 * n, worse=9 * n) for n in range(5)],
        "The network found is better than each of 5 rivals, beyond the noise: the search paid.",
    ),
    "the middle one as good": (
        [row(f"random network {n}", 88 + n, better=2 + n, worse=4) for n in range(5)],
        "The middle one of 5 random networks is as good within the noise: the search did not pay "
        "on these images.",
    ),
}


@pytest.mark.parametrize("case", PAID)
def test_whether_the_search_paid(case: str) -> None:
    rivals, said = PAID[case]

    assert verdict(FOUND, rivals) == said
    assert verdict(FOUND, rivals[::-1]) == said or "several" in case


def test_the_rows_stand_by_accuracy_below_the_network_found() -> None:
    rivals = (row("plain CNN", 91), row("random forest", 95, params=None), row("largest", 91))

    rows = Comparison(found=FOUND, rivals=rivals).rows

    assert [each.name for each in rows] == [
        *("network found", "random forest", "largest", "plain CNN")
    ]
    assert [len(in_words(each, is_found=False)) for each in rows] == [len(COLUMNS)] * 4
    assert in_words(rows[1], is_found=False)[5:7] == ["", ""], "trees have no such size"
    assert in_words(FOUND, is_found=True)[3:5] == ["", ""], "it does not differ from itself"


def test_a_record_says_all() -> None:
    record = Comparison(found=FOUND, rivals=(row("plain CNN", 91, better=3, worse=2),)).to_json()

    (plain,) = record["rivals"]
    assert (plain["accuracy"], plain["difference"]) == (0.91, 0.01)
    assert plain["difference_interval"] == list(paired(3, 2, 100))
    assert plain["interval"] == list(wilson(91, 100))
    assert "selected by the test images" in record["caution"]
