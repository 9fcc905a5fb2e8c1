"""The division of data into a training and a validation part."""

import pytest
import torch

from optuna_egnas.errors import DataError
from optuna_egnas.evaluation.data.labelled import load_training, split


def numbered(labels):
    """Images that hold their own number in two bytes."""
    numbers = torch.arange(len(labels))
    images = torch.stack([numbers // 256, numbers % 256], dim=1).reshape(-1, 1, 1, 2)
    return load_training((images.to(torch.uint8), torch.tensor(labels)))


def numbers(part):
    return [256 * high + low for high, low in part.images.flatten(1).tolist()]


@pytest.mark.parametrize(
    ("sizes", "fraction", "subset", "train", "valid"),
    [
        ([100, 100, 100], 0.2, None, [80, 80, 80], [20, 20, 20]),
        ([400, 200, 100], 0.1, None, [360, 180, 90], [40, 20, 10]),
        ([300, 3], 0.1, None, [271, 2], [29, 1]),
        ([300, 2], 0.9, None, [29, 1], [271, 1]),
        ([400, 200, 100], 0.5, 70, [20, 10, 5], [20, 10, 5]),
        ([600, 3], 0.5, 20, [9, 1], [9, 1]),
        ([5, 5], 0.2, 10, [4, 4], [1, 1]),
    ],
)
def test_both_parts_hold_each_class_in_proportion(sizes, fraction, subset, train, valid):
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    data = numbered(labels)
    parts = split(data, valid_fraction=fraction, seed=3, subset=subset)
    assert [part.labels.bincount().tolist() for part in parts] == [train, valid]
    first, second = map(numbers, parts)
    assert not {*first} & {*second}
    assert len(first) + len(second) == (subset or len(labels))
    for part, chosen in zip(parts, (first, second), strict=True):
        assert part.labels.tolist() == [labels[number] for number in chosen]


def test_the_seed_alone_decides_the_draw():
    data = numbered([number % 4 for number in range(600)])
    one, same, other = (
        [numbers(part) for part in split(data, valid_fraction=0.25, seed=seed, subset=200)]
        for seed in (1, 1, 2)
    )
    torch.manual_seed(5)
    assert one == same and one[1] != other[1] and {*one[0], *one[1]} != {*other[0], *other[1]}


@pytest.mark.parametrize(
    ("labels", "arguments", "words"),
    [
        ([0, 1] * 5, {"valid_fraction": 0}, "valid_fraction must lie between .*found 0$"),
        ([0, 1] * 5, {"valid_fraction": 1.0}, "both excluded, found 1.0$"),
        ([0, 1] * 5, {"valid_fraction": float("nan")}, "found nan$"),
        ([0, 1] * 5, {"valid_fraction": 0.1}, r"2..8 of 10 images, .*found 1 from 0.1"),
        ([0, 1] * 5, {"valid_fraction": 0.9}, r"2..8 of 10 images, .*found 9 from 0.9"),
        ([0, 1] * 5, {"valid_fraction": 0.5, "subset": 11}, r"2 of each class\) to 10, found 11"),
        ([0, 1] * 5, {"valid_fraction": 0.5, "subset": 3}, r"must be 4 .*, found 3"),
        ([0, 0, 1], {"valid_fraction": 0.5}, "at least 2 images .*found 1 of class 1"),
        ([0, 0, 1], {"valid_fraction": 0.5, "subset": 3}, "found 1 of class 1"),
    ],
)
def test_an_impossible_division_is_refused(labels, arguments, words):
    with pytest.raises(DataError, match=words):
        split(numbered(labels), seed=0, **arguments)
