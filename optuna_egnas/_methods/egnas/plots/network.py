"""The network that was found, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ....errors import SearchError
from ....visualization._style import FILLINGS, GREY, PALE, dressed, hatched
from ..architecture import Architecture, as_chain
from ..cost import count_macs, count_params
from ..operations import OPERATIONS, operation

if TYPE_CHECKING:
    from ...._core.network import Shape
    from ...._storage.studies import StoredStudies


class Part(NamedTuple):
    """One part of a network as it is drawn: the stem, a layer, or the linear layer at its end.

    `kernel` is None for the linear layer. `inputs`, `outputs` are channels; `height`, `width`
    pixels behind the part. Batch norm counts to the part before it.
    """

    label: str
    operation: str
    kernel: int | None
    inputs: int
    outputs: int
    height: int
    width: int
    params: int
    macs: int

    @property
    def words(self) -> str:
        """The part in short: "conv 5x5, 32"."""
        size = "" if self.kernel is None else f" {self.kernel}x{self.kernel}"
        return f"{self.operation}{size}, {self.outputs}"


class NetworkInfo(NamedTuple):
    """A network as it is drawn, front to back; `accuracy` is a fraction, None if not known."""

    name: str
    architecture: Architecture
    parts: tuple[Part, ...]
    params: int
    macs: int
    accuracy: float | None

    @property
    def summary(self) -> str:
        """Its size in words."""
        said = (
            f"depth {self.architecture.depth}, width {self.architecture.width}: "
            f"{self.params:,} parameters, {self.macs:,} multiply-accumulates"
        )
        return said if self.accuracy is None else f"{said}, {100 * self.accuracy:.2f} %"


def plot_network(studies: StoredStudies) -> go.Figure:
    """What is the network, and where are its parameters?

    From the stem down to the linear layer: operation, kernel, channels, resolution (pixels
    behind the layer), parameters. The best so far while the search is under way.

    Raises:
        SearchError: nothing has been trained yet.

    Examples:
        >>> from optuna_egnas import load_linked_studies, visualization
        >>> studies = load_linked_studies(name="digits")
        >>> visualization.plot_network(studies).write_html("network.html")
    """
    return _figure(_network_info(studies))


def _network_info(studies: StoredStudies) -> NetworkInfo:
    result = studies.result()
    if result.architecture is None:
        raise SearchError(
            f"A search must have trained a network to draw one, but {studies.name!r} has not."
        )
    space = studies.link.space
    return network_info(
        as_chain(result.architecture),
        space.input_shape,
        space.classes,
        name=studies.name,
        accuracy=result.valid_accuracy,
    )


def network_info(
    architecture: Architecture,
    input_shape: Shape,
    classes: int,
    *,
    name: str,
    accuracy: float | None,
) -> NetworkInfo:
    """The parts of a network for this task; see `Architecture` for its geometry."""
    return NetworkInfo(
        name=name,
        architecture=architecture,
        parts=_parts(architecture, input_shape, classes),
        params=count_params(architecture, input_shape, classes),
        macs=count_macs(architecture, input_shape, classes),
        accuracy=accuracy,
    )


def _parts(architecture: Architecture, input_shape: Shape, classes: int) -> tuple[Part, ...]:
    channels, height, width = input_shape
    outputs = 2 * architecture.width
    weights = 9 * channels * outputs
    parts = [
        Part(
            label="stem",
            operation="conv",
            kernel=3,
            inputs=channels,
            outputs=outputs,
            height=height,
            width=width,
            params=weights + 2 * outputs,
            macs=weights * height * width,
        )
    ]
    for index, layer in enumerate(architecture.layers()):
        height, width = (height - 1) // layer.stride + 1, (width - 1) // layer.stride + 1
        weights = operation(layer.op).weights(layer.inputs, layer.outputs, layer.kernel)
        parts.append(
            Part(
                label=f"layer {index}",
                operation=layer.op,
                kernel=layer.kernel,
                inputs=layer.inputs,
                outputs=layer.outputs,
                height=height,
                width=width,
                params=weights + 2 * layer.outputs,
                macs=weights * height * width,
            )
        )
    last = parts[-1].outputs
    head = Part(
        label="pool, linear",
        operation="linear",
        kernel=None,
        inputs=last,
        outputs=classes,
        height=1,
        width=1,
        params=(last + 1) * classes,
        macs=last * classes,
    )
    return (*parts, head)


def operation_look(name: str) -> tuple[str, str]:
    """Colour and hatch of an operation, by its place among the known ones."""
    known = list(OPERATIONS)
    if name not in known:
        return PALE, ""
    return FILLINGS[known.index(name) % len(FILLINGS)]


def _figure(info: NetworkInfo) -> go.Figure:
    figure = make_subplots(
        rows=1,
        cols=2,
        shared_yaxes=True,
        column_widths=[0.6, 0.4],
        horizontal_spacing=0.03,
        subplot_titles=("channels", "parameters"),
    )
    add_layers(figure, info.parts, column=1)
    labels = [part_label(part) for part in info.parts]
    figure.add_bar(
        y=labels,
        x=[part.params for part in info.parts],
        text=[f"{part.params:,}" for part in info.parts],
        textposition="outside",
        cliponaxis=False,
        orientation="h",
        marker={"color": GREY},
        hoverinfo="skip",
        showlegend=False,
        row=1,
        col=2,
    )
    most = max(part.params for part in info.parts)
    # Room for the number behind the longest bar.
    figure.update_xaxes(range=[0, 1.25 * most], row=1, col=2)
    figure.update_layout(bargap=0.25)
    height = 190 + 26 * len(info.parts)
    return dressed(figure, title=f"{info.name}: {info.summary}", height=height, grid=False)


def add_layers(
    figure: go.Figure,
    parts: tuple[Part, ...],
    *,
    column: int,
    legend: bool = True,
    marked: frozenset[int] = frozenset(),
) -> None:
    """Draw the parts as bars, as wide as their channels; those `marked` have a thick edge."""
    figure.add_bar(
        y=[part_label(part) for part in parts],
        x=[part.outputs for part in parts],
        text=[part.words for part in parts],
        textposition="auto",
        insidetextanchor="middle",
        textfont={"color": "black"},
        textangle=0,
        cliponaxis=False,
        orientation="h",
        marker=_bars(parts, marked),
        customdata=[[part.inputs, part.params, part.macs] for part in parts],
        hovertemplate="%{text}<br>from %{customdata[0]} channels<br>%{customdata[1]:,} parameters"
        "<br>%{customdata[2]:,} multiply-accumulates<extra></extra>",
        showlegend=False,
        row=1,
        col=column,
    )
    figure.update_yaxes(autorange="reversed", dtick=1, row=1, col=column)


def part_label(part: Part) -> str:
    """A part and the resolution behind it."""
    return f"{part.label}  {part.height}x{part.width}"


def _bars(parts: tuple[Part, ...], marked: frozenset[int]) -> dict[str, Any]:
    looks = [
        operation_look(part.operation) if part.label.startswith("layer") else (PALE, "")
        for part in parts
    ]
    edges = [index in marked for index in range(len(parts))]
    marker = hatched([colour for colour, _ in looks], [hatch for _, hatch in looks])
    # Words stand on these bars: plotly draws white hatches over lists of colours in grey.
    marker["pattern"] |= {"fgopacity": 0.35, "size": 12}
    return {
        **marker,
        "line": {
            "color": ["black" if edge else GREY for edge in edges],
            "width": [3 if edge else 1 for edge in edges],
        },
    }
