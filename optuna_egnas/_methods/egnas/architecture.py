"""One network of the chain family (arXiv 2502.03553), and the geometry of its layers.

The chain: a 3x3 stem to twice the width, then `depth` layers (ReLU, operation, batch norm), then
global average pooling and a linear layer. The running width starts at `width`; it doubles, with
stride 2, at the layers depth // 3 and 2 * depth // 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._core.history import Candidate
from ..._core.network import Network
from ..._core.records import texts, whole, wholes
from ..._core.text import short
from ...errors import InvalidSpace
from .operations import operation

LARGEST_KERNEL = 255
MOST_LAYERS = 10_000
"""No chain has more layers: a number alone must not fill the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer as its network sees it: channels in and out, and the stride."""

    op: str
    kernel: int
    inputs: int
    outputs: int
    stride: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A whole network: its width, and one operation and one kernel size per layer.

    Args:
        width: channels of the first layer, at least 1.
        ops: names of the operations, front to back; at least one layer.
        kernels: odd kernel sizes, one per layer.

    Raises:
        InvalidSpace: a value is out of its bounds.

    Examples:
        >>> from optuna_egnas import Architecture
        >>> network = Architecture.chain(depth=3, width=8)
        >>> network.depth, network.ops
        (3, ('sep', 'sep', 'sep'))
        >>> Architecture.from_json(network.to_json()) == network
        True
    """

    width: int
    ops: tuple[str, ...]
    kernels: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.width < 1:
            raise InvalidSpace(f"`width` must be at least 1, but got width={short(self.width)}.")
        if not self.ops:
            raise InvalidSpace("An architecture must have at least one layer, but got depth=0.")
        if len(self.kernels) != len(self.ops):
            raise InvalidSpace(
                f"`kernels` must have one entry per operation ({len(self.ops)}), "
                f"but got {len(self.kernels)}."
            )
        for name in set(self.ops):
            operation(name)
        for kernel in set(self.kernels):
            check_kernel(kernel)

    @classmethod
    def chain(cls, *, depth: int, width: int, op: str = "sep", kernel: int = 3) -> Architecture:
        """The uniform network that the macro search compares."""
        if depth > MOST_LAYERS:
            raise InvalidSpace(f"`depth` must be at most {MOST_LAYERS:,}, but got depth={depth}.")
        return cls(width=width, ops=(op,) * depth, kernels=(kernel,) * depth)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Architecture:
        """Read what `to_json` wrote."""
        return cls(
            width=whole(record, "width", at_least=1),
            ops=tuple(texts(record, "ops")),
            kernels=tuple(wholes(record, "kernels", at_least=1)),
        )

    @property
    def depth(self) -> int:
        """Number of layers between the stem and the head."""
        return len(self.ops)

    def to_json(self) -> dict[str, Any]:
        """Plain values: depth, width, ops, kernels."""
        return {
            "depth": self.depth,
            "width": self.width,
            "ops": list(self.ops),
            "kernels": list(self.kernels),
        }

    def layers(self) -> tuple[Layer, ...]:
        """The layers front to back, with channels and strides."""
        reductions = {self.depth // 3, 2 * self.depth // 3}
        layers = []
        inputs, outputs = 2 * self.width, self.width
        for index, (op, kernel) in enumerate(zip(self.ops, self.kernels, strict=True)):
            stride = 2 if index in reductions else 1
            outputs *= stride
            layers.append(
                Layer(op=op, kernel=kernel, inputs=inputs, outputs=outputs, stride=stride)
            )
            inputs = outputs
        return tuple(layers)


def check_kernel(kernel: int) -> None:
    """Refuse a kernel size that has no centre."""
    if not 1 <= kernel <= LARGEST_KERNEL or kernel % 2 == 0:
        raise InvalidSpace(
            f"A kernel size must be odd, 1 to {LARGEST_KERNEL}, but got {short(kernel)}."
        )


def replaced(values: Sequence[Any], index: int, value: Any) -> tuple[Any, ...]:
    """Return the values with one of them changed."""
    return (*values[:index], value, *values[index + 1 :])


def as_chain(network: Network) -> Architecture:
    """The network, which is one of this method."""
    assert isinstance(network, Architecture), "a space of EGNAS asks for chains only"
    return network


def chain_of(candidate: Candidate) -> Architecture:
    """The network of a candidate, which is one of this method."""
    return as_chain(candidate.architecture)
