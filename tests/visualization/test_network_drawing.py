"""The network, part by part, and its drawing as SVG."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optuna_egnas import Architecture, LinkedStudies
from optuna_egnas._methods.egnas.operations import OPERATIONS
from optuna_egnas._methods.egnas.plots.drawing import draw_network
from optuna_egnas._methods.egnas.plots.network import NetworkInfo, network_info
from optuna_egnas.errors import SearchError
from optuna_egnas.visualization import network_svg

SVG = "{http://www.w3.org/2000/svg}"


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    depth = draw(st.integers(1, 30))
    ops = draw(st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=depth, max_size=depth))
    kernels = draw(st.lists(st.sampled_from([3, 5, 7]), min_size=depth, max_size=depth))
    return Architecture(width=draw(st.integers(1, 70)), ops=tuple(ops), kernels=tuple(kernels))


def info(architecture: Architecture, name: str = "x") -> NetworkInfo:
    return network_info(architecture, (3, 32, 30), 7, name=name, accuracy=None)


@settings(max_examples=30, deadline=None)
@given(architectures())
def test_the_parts_add_up_to_the_network(architecture: Architecture) -> None:
    shown = info(architecture)

    assert sum(part.params for part in shown.parts) == shown.params
    assert sum(part.macs for part in shown.parts) == shown.macs
    assert len(shown.parts) == architecture.depth + 2
    for before, after in zip(shown.parts, shown.parts[1:], strict=False):
        assert after.inputs == before.outputs
        assert after.height <= before.height


@settings(max_examples=30, deadline=None)
@given(architectures())
def test_the_drawing_is_xml_with_a_box_and_the_numbers_of_each_part(
    architecture: Architecture,
) -> None:
    shown = info(architecture)

    drawing = ElementTree.fromstring(draw_network(shown))

    texts = [text.text for text in drawing.iter(f"{SVG}text")]
    for part in shown.parts:
        assert part.words in texts
        assert f"{part.params:,}" in texts
    boxes = [box for box in drawing.iter(f"{SVG}rect") if box.get("rx")]
    assert len(boxes) == len(shown.parts)
    width, height = float(drawing.attrib["width"]), float(drawing.attrib["height"])
    for box in boxes:
        x, y = float(box.attrib["x"]), float(box.attrib["y"])
        assert x >= 0 and x + float(box.attrib["width"]) <= width
        assert y >= 0 and y + float(box.attrib["height"]) <= height


def test_a_hatch_is_defined_for_each_fill_that_needs_one() -> None:
    drawn = draw_network(info(Architecture(width=4, ops=("sep", "conv"), kernels=(3, 5))))

    assert 'fill="url(#conv)"' in drawn
    assert '<pattern id="conv"' in drawn
    assert "url(#sep)" not in drawn


def test_a_name_cannot_break_the_drawing() -> None:
    drawn = draw_network(info(Architecture.chain(depth=3, width=4), name="<&>"))

    title = ElementTree.fromstring(drawn).find(f"{SVG}title")
    assert title is not None and str(title.text).startswith("<&>: depth 3")


def test_the_drawing_is_of_the_network_found(digits: LinkedStudies) -> None:
    result = digits.result()

    assert f"{result.params:,} parameters" in network_svg(digits)


def test_nothing_trained_is_nothing_to_draw(untouched: LinkedStudies) -> None:
    with pytest.raises(SearchError, match="'new' has not"):
        network_svg(untouched)
