"""The division of data into a training and a validation part, now and as version 0.1.0 did it."""

import pytest
import torch

from optuna_egnas.errors import DataError
from optuna_egnas.evaluation._data import load_training, split


def numbered(labels, numbers=None, reading=2):
    """Images that hold their own number in two bytes."""
    numbers = torch.arange(len(labels)) if numbers is None else torch.tensor(numbers)
    images = torch.stack([numbers // 256, numbers % 256], dim=1).reshape(-1, 1, 1, 2)
    return load_training((images.to(torch.uint8), torch.tensor(labels)), reading=reading)


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
def test_version_0_1_0_held_each_class_in_proportion(sizes, fraction, subset, train, valid):
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    data = numbered(labels, reading=1)
    parts = split(data, valid_fraction=fraction, seed=3, subset=subset)
    assert [part.labels.bincount().tolist() for part in parts] == [train, valid]
    first, second = map(numbers, parts)
    assert not {*first} & {*second}
    assert len(first) + len(second) == (subset or len(labels))
    for part, chosen in zip(parts, (first, second), strict=True):
        assert part.labels.tolist() == [labels[number] for number in chosen]


@pytest.mark.parametrize("reading", [1, 2])
def test_the_seed_alone_decides_the_draw(reading):
    data = numbered([number % 4 for number in range(600)], reading=reading)
    one, same, other = (
        [numbers(part) for part in split(data, valid_fraction=0.25, seed=seed, subset=200)]
        for seed in (1, 1, 2)
    )
    torch.manual_seed(5)
    assert one == same and one[1] != other[1] and {*one[0], *one[1]} != {*other[0], *other[1]}


def sides(data, **arguments):
    """For each image's number whether it is to be validated on."""
    train, valid = map(numbers, split(data, **arguments))
    assert not {*train} & {*valid}
    return {number: number in valid for number in (*train, *valid)}


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("sizes", [(200, 200), (300, 2), (2, 2)])
def test_a_share_is_about_that_of_the_images_with_each_class_on_both_sides(sizes, fraction):
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    train, valid = split(numbered(labels), valid_fraction=fraction, seed=3)
    assert len(train.labels) + len(valid.labels) == len(labels)
    for part in (train, valid):
        assert set(part.labels.tolist()) == {0, 1}
    expected, spread = fraction * len(labels), (fraction * (1 - fraction) * len(labels)) ** 0.5
    assert abs(len(valid.labels) - expected) <= 4 * spread + 2


def test_an_image_that_is_added_or_removed_moves_no_other():
    labels = [number % 3 for number in range(90)]
    whole = sides(numbered(labels), valid_fraction=0.2, seed=5)
    for gone in range(90):
        left = [number for number in range(90) if number != gone]
        data = numbered([labels[number] for number in left], left)
        expected = {number: side for number, side in whole.items() if number != gone}
        assert sides(data, valid_fraction=0.2, seed=5) == expected
    order = torch.randperm(90, generator=torch.Generator().manual_seed(0)).tolist()
    shuffled = numbered([labels[number] for number in order], order)
    assert sides(shuffled, valid_fraction=0.2, seed=5) == whole


def test_copies_stay_together_also_those_of_another_class():
    shown = [number // 3 for number in range(120)]
    data = numbered([number % 2 for number in range(120)], shown)
    train, valid = map(numbers, split(data, valid_fraction=0.3, seed=1))
    assert len(train) + len(valid) == 120 and not {*train} & {*valid}
    assert all(valid.count(number) in (0, 3) for number in range(40))


@pytest.mark.parametrize("subset", [8, 61, 120])
def test_a_subset_is_drawn_class_by_class_and_without_copies_while_there_are_others(subset):
    labels = [0] * 60 + [1] * 30 + [2] * 30 + [3] * 30
    data = numbered(labels, [*range(120), *range(90, 120)])
    train, valid = split(data, valid_fraction=0.5, seed=2, subset=subset)
    counts = torch.cat([train.labels, valid.labels]).bincount().tolist()
    assert sum(counts) == subset
    assert all(
        abs(count - max(2, subset * size / 150)) <= 2
        for count, size in zip(counts, (60, 30, 30, 30), strict=True)
    )


def test_a_subset_takes_copies_last():
    data = numbered([0] * 6 + [1] * 6, [0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 4])
    train, valid = map(numbers, split(data, valid_fraction=0.5, seed=2, subset=4))
    assert len({*train, *valid}) == 4


@pytest.mark.parametrize(
    ("labels", "arguments", "words"),
    [
        ([0, 1] * 5, {"valid_fraction": 0}, "valid_fraction must lie between .*found 0$"),
        ([0, 1] * 5, {"valid_fraction": 1.0}, "both excluded, found 1.0$"),
        ([0, 1] * 5, {"valid_fraction": float("nan")}, "found nan$"),
        ([0, 1] * 5, {"valid_fraction": 0.5, "subset": 11}, r"2 of each class\) to 10, found 11"),
        ([0, 1] * 5, {"valid_fraction": 0.5, "subset": 3}, r"must be 4 .*, found 3"),
        ([0, 0, 1], {"valid_fraction": 0.5}, "at least 2 images that differ.*found 1 of 1 image"),
        ([0, 0, 1], {"valid_fraction": 0.5, "subset": 3}, r"2 of each class\) to 3, found 3"),
    ],
)
def test_an_impossible_division_is_refused(labels, arguments, words):
    with pytest.raises(DataError, match=words):
        split(numbered(labels), seed=0, **arguments)


def test_a_class_of_copies_alone_cannot_be_divided():
    with pytest.raises(
        DataError, match=r"at least 2 images that differ.*found 1 of 3 images of cl"
    ):
        split(numbered([0, 0, 1, 1, 1], [0, 1, 2, 2, 2]), valid_fraction=0.5, seed=0)


@pytest.mark.parametrize(
    ("labels", "fraction", "words"),
    [
        ([0, 1] * 5, 0.1, r"2..8 of 10 images, .*found 1 from 0.1"),
        ([0, 1] * 5, 0.9, r"2..8 of 10 images, .*found 9 from 0.9"),
        ([0, 0, 1], 0.5, "at least 2 images .*found 1 of class 1"),
    ],
)
def test_version_0_1_0_refused_other_divisions_as_well(labels, fraction, words):
    with pytest.raises(DataError, match=words):
        split(numbered(labels, reading=1), valid_fraction=fraction, seed=0)
