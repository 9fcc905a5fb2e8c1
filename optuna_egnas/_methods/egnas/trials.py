"""Networks for samplers and training loops of one's own: from a trial to a torch module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from ..._core.network import Shape
from ...errors import InvalidSpace
from .architecture import Architecture
from .cost import count_macs, count_params
from .encoding import Names
from .space import MacroSpace, MicroSpace

NAMES = Names()


class Trial(Protocol):
    """What is asked of a trial of Optuna."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Suggest a whole number."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Suggest one of some choices."""


class Cost(NamedTuple):
    """Trainable parameters, and multiply-accumulates for one image.

    Examples:
        >>> from optuna_egnas.networks import Cost
        >>> Cost(params=100, macs=2_000).macs
        2000
    """

    params: int
    macs: int


def suggest(trial: Trial, macro: MacroSpace, micro: MicroSpace | None = None) -> Architecture:
    """Ask a trial of any sampler for a network: depth and width, then each layer's choices.

    The parameters have the names that EGNAS gives them: `depth`, `width`, `op_00`, `kernel_00`
    and so on. A network may break the limits of the space: `macro.fits(network)` says so.

    Args:
        trial: of a study of your own.
        macro: bounds of depth and width.
        micro: the operations and kernel sizes; None: all layers are 3x3 separable convolutions.

    Examples:
        >>> from optuna.trial import FixedTrial
        >>> from optuna_egnas import MacroSpace, MicroSpace
        >>> from optuna_egnas.networks import suggest
        >>> trial = FixedTrial({"depth": 1, "width": 8, "op_00": "conv", "kernel_00": 5})
        >>> space = MacroSpace(min_depth=1, max_depth=4, min_width=8, max_width=16)
        >>> suggest(trial, space, MicroSpace(depth=1, width=8)).ops
        ('conv',)
    """
    depth = trial.suggest_int(NAMES.depth, macro.min_depth, macro.max_depth)
    width = trial.suggest_int(NAMES.width, macro.min_width, macro.max_width)
    if micro is None:
        return Architecture.chain(depth=depth, width=width)
    ops, kernels = [], []
    for layer in range(depth):
        ops.append(trial.suggest_categorical(NAMES.op.format(layer), micro.operations))
        kernels.append(trial.suggest_categorical(NAMES.kernel.format(layer), micro.kernels))
    return Architecture(width=width, ops=tuple(ops), kernels=tuple(kernels))


def from_params(params: Mapping[str, Any]) -> Architecture:
    """Read a network from the parameters of a trial, of `suggest` or of a search.

    Raises:
        InvalidSpace: the parameters describe no network.

    Examples:
        >>> from optuna_egnas.networks import from_params
        >>> from_params({"depth": 2, "width": 8}).ops
        ('sep', 'sep')
    """
    try:
        depth, width = int(params[NAMES.depth]), int(params[NAMES.width])
        if NAMES.op.format(0) not in params:
            return Architecture.chain(depth=depth, width=width)
        return Architecture(
            width=width,
            ops=tuple(str(params[NAMES.op.format(layer)]) for layer in range(depth)),
            kernels=tuple(int(params[NAMES.kernel.format(layer)]) for layer in range(depth)),
        )
    except KeyError as error:
        raise InvalidSpace(f"The parameters of a network must hold {error}, but do not.") from None
    except (TypeError, ValueError) as error:
        raise InvalidSpace(f"The parameters must describe a network, but: {error}.") from None


def cost(architecture: Architecture, *, input_shape: Shape, classes: int) -> Cost:
    """Count what a network costs, without torch.

    Args:
        architecture: the network.
        input_shape: channels, height and width of an image.
        classes: number of classes.

    Examples:
        >>> from optuna_egnas import Architecture
        >>> from optuna_egnas.networks import cost
        >>> cost(Architecture.chain(depth=1, width=8), input_shape=(1, 8, 8), classes=10).params
        778
    """
    return Cost(
        params=count_params(architecture, input_shape, classes),
        macs=count_macs(architecture, input_shape, classes),
    )
