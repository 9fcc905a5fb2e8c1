"""What a space holds: the smallest, the median and the largest chain, and how many fit."""

from __future__ import annotations

import pytest
from walking import macro

from optuna_egnas import Architecture, MacroSpace
from optuna_egnas._core.pace import BESIDE, WRITES, Pace, fitted
from optuna_egnas._methods.egnas.survey import survey
from optuna_egnas.methods import Candidate


def test_a_small_space_is_counted_whole() -> None:
    space = macro(min_depth=3, max_depth=4, min_width=4, max_width=6)

    seen = survey(space)

    assert seen.networks == 6
    assert (seen.smallest.depth, seen.smallest.width) == (3, 4)
    assert (seen.largest.depth, seen.largest.width) == (4, 6)
    assert seen.smallest.params < seen.median.params < seen.largest.params
    assert seen.largest.macs == space.macs(Architecture.chain(depth=4, width=6))
    assert seen.share == 1.0


def test_the_share_is_that_within_the_limits() -> None:
    space = macro(min_depth=3, max_depth=4, min_width=4, max_width=6)
    middle = space.params(Architecture.chain(depth=3, width=5))
    small = macro(min_depth=3, max_depth=4, min_width=4, max_width=6, max_params=middle)

    inside = [
        space.params(Architecture.chain(depth=depth, width=width)) <= middle
        for depth in (3, 4)
        for width in (4, 5, 6)
    ]
    assert survey(small).share == sum(inside) / 6
    assert survey(small).largest == survey(space).largest, "the space itself, limits aside"


def test_of_a_large_space_a_grid_with_its_corners_is_looked_at() -> None:
    seen = survey(MacroSpace())

    assert seen.networks == 91 * 49
    assert (seen.smallest.depth, seen.smallest.width) == (10, 16)
    assert (seen.largest.depth, seen.largest.width) == (100, 64)


def test_a_line_is_found_again() -> None:
    space = macro()
    line = Pace(per_epoch=0.5, per_layer=0.1, per_value=1e-4, per_mac=1e-6)
    networks = [
        Architecture.chain(depth=depth, width=width, op=op)
        for depth, width, op in (
            (3, 4, "sep"),
            (3, 8, "sep"),
            (6, 4, "sep"),
            (6, 8, "conv"),
            (9, 5, "conv"),
        )
    ]

    found = fitted(space, [(network, line.epoch(space, network)) for network in networks])

    assert found.misfit == pytest.approx(0, abs=1e-9)
    other = Architecture.chain(depth=12, width=7)
    assert found.epoch(space, other) == pytest.approx(line.epoch(space, other))


def test_no_part_of_a_line_is_negative() -> None:
    space = macro()
    # The wider, the faster: no line with parts of at least 0 says so.
    timed = [
        (Architecture.chain(depth=depth, width=width), 1.0 / width)
        for depth in (3, 5)
        for width in (4, 6, 8)
    ]

    found = fitted(space, timed)

    parts = (found.per_epoch, found.per_layer, found.per_value, found.per_mac)
    assert min(parts) >= 0 < max(parts)
    assert found.misfit > 0.1


def test_one_timed_network_is_enough_for_a_line() -> None:
    space, network = macro(), Architecture.chain(depth=3, width=4)

    assert fitted(space, [(network, 2.0)]).epoch(space, network) == pytest.approx(2.0)


def test_a_training_takes_its_epochs_and_what_it_writes() -> None:
    space, network = macro(), Architecture.chain(depth=3, width=4)
    pace = Pace(per_epoch=2.0, per_write=0.01)

    taken = pace.training(space, Candidate(architecture=network, epochs=3), parameters=4)

    assert taken == pytest.approx(3 * 2.0 + (WRITES + 4 + 3) * 0.01 + BESIDE)
    assert Pace.from_json(pace.to_json()) == pace
