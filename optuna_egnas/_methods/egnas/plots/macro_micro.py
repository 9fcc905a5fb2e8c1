"""What the macro search found, and what the micro search made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ....errors import SearchError
from ....visualization._entries import Entry, entries
from ....visualization._style import dressed
from ..architecture import as_chain
from .network import NetworkInfo, add_layers, network_info

if TYPE_CHECKING:
    from ...._storage.studies import StoredStudies


class MacroMicroInfo(NamedTuple):
    """What `plot_macro_micro` draws; `micro` is None until the micro search has a network.

    `epochs` are those of the training that gave each network's accuracy. `changed` are the
    places, among the parts, of layers whose operation or kernel is another.
    """

    name: str
    macro: NetworkInfo
    micro: NetworkInfo | None
    epochs: tuple[int | None, int | None]
    changed: frozenset[int]


def plot_macro_micro(studies: StoredStudies) -> go.Figure:
    """What has the micro search changed in the macro result, and what has that brought?

    Both networks layer by layer, side by side; layers with another operation or kernel have a
    thick edge. Accuracies compare where both were trained for as many epochs.

    Raises:
        SearchError: nothing has been trained yet.

    Examples:
        >>> from optuna_egnas import load_linked_studies, visualization
        >>> studies = load_linked_studies(name="digits")
        >>> visualization.plot_macro_micro(studies).write_html("macro-micro.html")
    """
    return _figure(_macro_micro_info(studies))


def _macro_micro_info(studies: StoredStudies) -> MacroMicroInfo:
    listed = entries(studies)
    macro, micro = _last(listed, "macro"), _found(studies, listed)
    if macro is None:
        raise SearchError(
            f"A search must have trained a network to draw one, but {studies.name!r} has not."
        )
    changed = _changed(macro, micro) if micro else frozenset()
    return MacroMicroInfo(
        name=studies.name,
        macro=_info(studies, macro),
        micro=_info(studies, micro) if micro else None,
        epochs=(macro.epochs, micro.epochs if micro else None),
        changed=changed,
    )


def _last(listed: tuple[Entry, ...], role: str) -> Entry | None:
    """The last network of a study that was kept, or its last training where there was one."""
    own = [entry for entry in listed if entry.role == role and entry.place is not None]
    kept = [entry for entry in own if entry.kept or entry.fate == "confirmed"]
    return kept[-1] if kept else None


def _found(studies: StoredStudies, listed: tuple[Entry, ...]) -> Entry | None:
    """The last training of the network that a finished search has found, else its best so far."""
    last, result = studies.roles[-1], studies.result()
    own = [entry for entry in listed if entry.role == last and entry.place is not None]
    same = [entry for entry in own if entry.architecture == result.architecture]
    return same[-1] if result.finished and same else _last(listed, last)


def _changed(macro: Entry, micro: Entry) -> frozenset[int]:
    before, after = as_chain(macro.architecture), as_chain(micro.architecture)
    layers = range(min(before.depth, after.depth))
    # The stem is the first of the parts.
    return frozenset(
        layer + 1
        for layer in layers
        if (before.ops[layer], before.kernels[layer]) != (after.ops[layer], after.kernels[layer])
    )


def _info(studies: StoredStudies, entry: Entry) -> NetworkInfo:
    space = studies.link.space
    return network_info(
        as_chain(entry.architecture),
        space.input_shape,
        space.classes,
        name=studies.name,
        accuracy=entry.score,
    )


def _figure(info: MacroMicroInfo) -> go.Figure:
    titles = [_title("macro", info.macro, info.epochs[0])]
    if info.micro is not None:
        titles.append(_title("micro", info.micro, info.epochs[1]))
    figure = make_subplots(
        rows=1, cols=2, horizontal_spacing=0.14, subplot_titles=titles, shared_xaxes="all"
    )
    add_layers(figure, info.macro.parts, column=1)
    if info.micro is not None:
        add_layers(figure, info.micro.parts, column=2, marked=info.changed)
    shown = [network for network in (info.macro, info.micro) if network is not None]
    widest = max(part.outputs for network in shown for part in network.parts)
    figure.update_xaxes(title="channels", range=[0, 1.05 * widest])
    figure.update_layout(bargap=0.25)
    height = 190 + 26 * len(info.macro.parts)
    said = f"{info.name}: the macro result, and what the micro search made of it"
    said = f"{said} (changes have a thick edge)" if info.changed else said
    dressed(figure, title=said, height=height, grid=False)
    figure.update_layout(margin={"t": 96})
    return figure


def _title(role: str, network: NetworkInfo, epochs: int | None) -> str:
    size = f"<b>{role}</b>: {network.params:,} parameters, {network.macs:,} MACs"
    if network.accuracy is None:
        return size
    return f"{size}<br>{100 * network.accuracy:.2f} % after {epochs} epochs"
