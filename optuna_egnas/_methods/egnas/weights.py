"""The weights that a network begins with where it inherits them from a like one.

What a network computes is kept where that can be, up to rounding, in evaluation mode:

deeper          The depths are not nested, since the two reductions move; the three stages between
                them are. A stage grows by layers that are the identity behind a ReLU, before its
                last layer: a ReLU of a ReLU changes nothing. Behind the only layer of the last
                stage, where no ReLU follows, that layer's output is lifted so that a ReLU lets
                6 standard deviations pass, and let down again: kept up to what lies beyond.
narrower        Each layer keeps the channels that its next layer sees most of. Kept as far as
                channels of the rest are constant; what others added is lost.
wider           New channels are new, and nobody looks at them yet: kept.
conv from sep   The kernel that the two convolutions in a row amount to: kept.
larger kernel   The smaller one, with zeros around it: kept.

A shallower stage leaves out layers before its last one, a smaller kernel is the middle of the
larger one: nothing is kept there but the weights. All else begins as new, and any operations but
`sep` and `conv` do, unless the layer and its channels are as before.

The insertion of layers and of channels is that of Net2Net (arXiv 1511.05641), for chains whose
layers begin with a ReLU and end with a batch norm. An inserted norm gets the moments that its
input has if what the norm before gives is normally distributed, so that in training mode too it
begins close to the identity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from .architecture import Architecture

NORM_EPS = 1e-5
"""What torch's batch norms add to a variance."""
NEW_LENGTH = 3**-0.5
"""How long the kernel of an output channel is, about, as torch draws it."""
LIFT = 6.0
"""Standard deviations below its mean that a lifted channel keeps."""
IDENTITY = -1
"""The mark of a new layer that changes nothing, where others name their parent's layer."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Layer:
    """An operation between so many channels, and the batch norm after it.

    `weights` are by their names in the operation's module, `norm` in the batch norm.
    """

    op: str
    kernel: int
    inputs: int
    outputs: int
    weights: Mapping[str, Tensor]
    norm: Mapping[str, Tensor]

    def spread(self) -> Tensor:
        """The standard deviation of each output channel behind a ReLU."""
        return _rectified(self.norm)[1].sqrt()

    def attention(self, outputs: Tensor) -> Tensor:
        """How much these outputs depend on each input channel."""
        if self.op == "sep":
            depthwise, pointwise = self.weights["0.weight"], self.weights["1.weight"]
            return _lengths(depthwise) * _lengths(pointwise[outputs].transpose(0, 1))
        if self.op == "conv":
            return _lengths(self.weights["weight"][outputs].transpose(0, 1))
        return torch.ones(self.inputs)


def inherit(
    network: nn.Module,
    architecture: Architecture,
    *,
    parent: Architecture,
    weights: Mapping[str, Tensor],
) -> None:
    """Give a new network, on the CPU, what can be kept of its parent's weights; see the module.

    Args:
        network: the module that `build` has made of `architecture`.
        parent: another architecture for the same images and classes.
        weights: a state dict of the parent's module, on the CPU.
    """
    own = network.state_dict()
    new = _layers(architecture, own)
    old = [
        layer and _as(layer, op=target.op, kernel=target.kernel)
        for layer, target in zip(
            _stretched(_layers(parent, weights), architecture.depth), new, strict=True
        )
    ]
    places = _places(architecture, weights, old)
    changed = {
        "stem.0.weight": _placed(own["stem.0.weight"], weights["stem.0.weight"], places[0]),
        "head.weight": _placed(
            own["head.weight"], weights["head.weight"], _all(own["head.bias"]), places[-1]
        ),
        "head.bias": weights["head.bias"],
        **_norm("stem.1", own, _named(weights, "stem.1."), places[0]),
    }
    for index, (layer, (inputs, outputs)) in enumerate(zip(old, pairwise(places), strict=True)):
        if layer is not None:
            name = f"layers.{index}"
            changed |= _operation(f"{name}.1", own, layer, inputs, outputs)
            changed |= _norm(f"{name}.2", own, layer.norm, outputs)
    network.load_state_dict({**own, **changed})


def _layers(architecture: Architecture, weights: Mapping[str, Tensor]) -> list[_Layer]:
    return [
        _Layer(
            op=layer.op,
            kernel=layer.kernel,
            inputs=layer.inputs,
            outputs=layer.outputs,
            weights=_named(weights, f"layers.{index}.1."),
            norm=_named(weights, f"layers.{index}.2."),
        )
        for index, layer in enumerate(architecture.layers())
    ]


def _stretched(layers: Sequence[_Layer], depth: int) -> list[_Layer | None]:
    """The layers at another depth; None where there is nothing to begin with."""
    stretched: list[_Layer | None] = []
    lifts = len(layers) - 2 * len(layers) // 3 == 1 and depth - 2 * depth // 3 > 1
    for index in _sources(len(layers), depth):
        if index is None:
            stretched.append(None)
        elif index != IDENTITY:
            lifted = lifts and index == len(layers) - 1
            stretched.append(_lifted(layers[index]) if lifted else layers[index])
        else:
            before = stretched[-1]
            assert before is not None, "a stage with no layer to begin with is all new"
            stretched.append(_identity(before))
    last = stretched[-1]
    if lifts and last is not None:
        stretched[-1] = _let_down(last, layers[-1])
    return stretched


def _sources(before: int, depth: int) -> Iterator[int | None]:
    """Yield the layer of `before` for each place of `depth`, stage by stage."""
    for old, new in zip(_stages(before), _stages(depth), strict=True):
        inserted = [IDENTITY] * (len(new) - len(old))
        if not old:
            yield from [None] * len(new)
        elif len(old) == 1 or len(new) <= 1:
            yield from [*old, *inserted][: len(new)]
        else:
            yield from [*old[:-1], *inserted][: len(new) - 1]
            yield old[-1]


def _stages(depth: int) -> tuple[range, range, range]:
    """The layers before the first reduction, from there on, and from the second one on."""
    first, second = depth // 3, 2 * depth // 3
    return range(first), range(first, second), range(second, depth)


def _identity(before: _Layer) -> _Layer:
    """A layer that hands on what it gets, behind its ReLU."""
    channels = before.outputs
    mean, variance = _rectified(before.norm)
    delta = torch.zeros(channels, 1, 3, 3)
    delta[:, :, 1, 1] = 1
    return _Layer(
        op="sep",
        kernel=3,
        inputs=channels,
        outputs=channels,
        weights={"0.weight": delta, "1.weight": torch.eye(channels)[:, :, None, None]},
        norm={
            "weight": (variance + NORM_EPS).sqrt(),
            "bias": mean,
            "running_mean": mean,
            "running_var": variance,
        },
    )


def _lift_of(layer: _Layer) -> Tensor:
    return relu(LIFT * layer.norm["weight"].abs() - layer.norm["bias"])


def _lifted(layer: _Layer) -> _Layer:
    return replace(layer, norm={**layer.norm, "bias": layer.norm["bias"] + _lift_of(layer)})


def _let_down(last: _Layer, before: _Layer) -> _Layer:
    return replace(last, norm={**last.norm, "bias": last.norm["bias"] - _lift_of(before)})


def _rectified(norm: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel of a batch norm behind a ReLU, if it is normal before."""
    mean = norm["bias"].double()
    spread = norm["weight"].double().abs().clamp_min(1e-12)
    share = torch.special.ndtr(mean / spread)
    density = torch.exp(-0.5 * (mean / spread) ** 2) / (2 * torch.pi) ** 0.5
    first = mean * share + spread * density
    second = (mean**2 + spread**2) * share + mean * spread * density
    return first.float(), (second - first**2).clamp_min(0).float()


def _as(layer: _Layer, *, op: str, kernel: int) -> _Layer | None:
    """The layer by another operation or kernel size; None where it cannot become that."""
    if layer.op == op and layer.kernel == kernel:
        return layer
    if layer.op not in ("sep", "conv") or op not in (layer.op, "conv"):
        return None
    first = "0.weight" if layer.op == "sep" else "weight"
    border = (kernel - layer.kernel) // 2
    weights = {**layer.weights, first: pad(layer.weights[first], (border,) * 4)}
    if layer.op != op:
        weights = {"weight": weights["1.weight"] * weights["0.weight"].transpose(0, 1)}
        return _scaled(replace(layer, op=op, kernel=kernel, weights=weights))
    return replace(layer, op=op, kernel=kernel, weights=weights)


def _scaled(layer: _Layer) -> _Layer:
    """Scale kernels to the length of new ones; the norm behind them undoes it.

    A product of two kernels is short. Behind a norm only its direction counts, and a step turns a
    short one further: on digits, unscaled ones lost up to 15 points more in the next epoch.
    """
    weight, variance = layer.weights["weight"], layer.norm["running_var"]
    scale = NEW_LENGTH / _lengths(weight).clamp_min(1e-12)
    ratio = (scale**2 * variance + NORM_EPS).sqrt() / (scale * (variance + NORM_EPS).sqrt())
    norm = {
        **layer.norm,
        "weight": layer.norm["weight"] * ratio,
        "running_mean": layer.norm["running_mean"] * scale,
        "running_var": variance * scale**2,
    }
    return replace(layer, weights={"weight": weight * scale[:, None, None, None]}, norm=norm)


def _places(
    architecture: Architecture, weights: Mapping[str, Tensor], old: Sequence[_Layer | None]
) -> list[Tensor]:
    """Which parent's channel each channel is, -1 for a new one: of the stem, then of each layer.

    Chosen back to front: of each layer, the channels of which the next one sees most, as far as
    that is kept itself.
    """
    layers = architecture.layers()
    places: list[Tensor] = []
    seen: Tensor | None = _lengths(weights["head.weight"].transpose(0, 1))
    for target, layer in zip(reversed(layers), reversed(old), strict=True):
        spread = None
        if layer is not None:
            # No ReLU follows the last layer.
            spread = layer.spread() if places else layer.norm["weight"].abs()
        kept = _most(target.outputs, spread, seen)
        places.append(kept)
        seen = layer.attention(kept[kept >= 0]) if layer is not None else None
    stem = _rectified(_named(weights, "stem.1."))[1].sqrt()
    places.append(_most(layers[0].inputs, stem, seen))
    return places[::-1]


def _most(width: int, spread: Tensor | None, seen: Tensor | None) -> Tensor:
    """The most important channels, in their order: those with the largest products."""
    if spread is None or seen is None:
        importance = seen if spread is None else spread
    else:
        importance = spread * seen
    if importance is None:
        return torch.full((width,), -1)
    if width >= len(importance):
        return pad(torch.arange(len(importance)), (0, width - len(importance)), value=-1)
    order = importance.argsort(descending=True, stable=True)
    return order[:width].sort().values


def _operation(
    name: str, own: Mapping[str, Tensor], layer: _Layer, inputs: Tensor, outputs: Tensor
) -> dict[str, Tensor]:
    if layer.op == "sep":
        depthwise, pointwise = layer.weights["0.weight"], layer.weights["1.weight"]
        return {
            f"{name}.0.weight": _placed(own[f"{name}.0.weight"], depthwise, inputs),
            f"{name}.1.weight": _placed(own[f"{name}.1.weight"], pointwise, outputs, inputs),
        }
    if layer.op == "conv":
        whole = layer.weights["weight"]
        return {f"{name}.weight": _placed(own[f"{name}.weight"], whole, outputs, inputs)}
    same = torch.equal(inputs, torch.arange(layer.inputs))
    if same and torch.equal(outputs, torch.arange(layer.outputs)):
        return {f"{name}.{key}": value for key, value in layer.weights.items()}
    return {}


def _norm(
    name: str, own: Mapping[str, Tensor], norm: Mapping[str, Tensor], outputs: Tensor
) -> dict[str, Tensor]:
    keys = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{key}": _placed(own[f"{name}.{key}"], norm[key], outputs) for key in keys}


def _placed(new: Tensor, old: Tensor, rows: Tensor, columns: Tensor | None = None) -> Tensor:
    """`new` with the rows of `old` that it keeps; those do not see columns that are new."""
    kept = rows >= 0
    part = old[rows[kept]]
    if columns is not None:
        known = columns >= 0
        seen = part.new_zeros(len(part), len(columns), *part.shape[2:])
        seen[:, known] = part[:, columns[known]]
        part = seen
    placed = new.clone()
    placed[kept] = part
    return placed


def _lengths(rows: Tensor) -> Tensor:
    """The Euclidean length of each row, whatever the shape of a row."""
    lengths: Tensor = torch.linalg.vector_norm(rows.flatten(1), dim=1)
    return lengths


def _all(rows: Tensor) -> Tensor:
    return torch.arange(len(rows))


def _named(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, without that."""
    return {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }
