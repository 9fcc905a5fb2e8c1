"""The spaces of EGNAS (arXiv 2502.03553), one for each of its two studies.

The rules of each policy are in files of their own: `paper_macro`, `paper_micro`, `sound_macro` and
`sound_micro`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..._core.declared import documented
from ..._core.inheriting import inheriting
from ..._core.network import Network
from ..._core.odds import Prior
from ..._core.problem import Published, Range
from ..._core.proposal import Incumbent, Position, Proposal
from . import scale, words
from .architecture import Architecture, as_chain
from .bounds import MacroBounds, MicroBounds
from .encoding import Names
from .policies import POLICIES
from .priors import BY_HEART, FEW, OF_FEW
from .sound_micro import REPLICATES

LATER = frozenset(("finalists", "largest", "earlier_epochs"))
"""Fields that the first stored searches do not have."""


@documented
@dataclass(frozen=True, slots=True, kw_only=True)
class MacroSpace(MacroBounds):
    """Depths and widths to search, with every threshold of the rules; see the module.

    Raises:
        InvalidSpace: a value is out of its bounds, or no network fits the limits.

    Examples:
        >>> from optuna_egnas import Architecture, MacroSpace
        >>> space = MacroSpace(min_depth=1, min_width=8, max_width=16, max_params=9000)
        >>> network = Architecture.chain(depth=4, width=16)
        >>> space.params(network), space.fits(network)
        (10394, False)
    """

    @property
    def max_epochs(self) -> int:
        """Epochs of the longest training that the rules can ask for."""
        return POLICIES[self.policy].max_epochs(self)

    @property
    def priors(self) -> Mapping[str, Prior]:
        """What is expected of each phase."""
        return POLICIES[self.policy].priors

    def begin(self) -> Position:
        """The automaton at its start."""
        return inheriting(POLICIES[self.policy].macro(self), self.inherit)

    def chance_of_perfect_fit(self, phase: str) -> float:
        """The chance that a network kept in this phase fits its training data perfectly."""
        if phase != "depth":
            return 0.0
        return OF_FEW if self.n_valid is not None and self.n_valid < FEW else BY_HEART

    def without_target(self) -> MacroSpace:
        """Return the space for a study whose score is no accuracy."""
        return replace(self, target_accuracy=None)

    def epochs_in_words(self) -> str:
        """The fields that set the epochs, with their values."""
        return words.fields_of(self, "base_epochs", "epochs_per_layer", "epochs_per_width_step")

    def for_own_study(self) -> MacroSpace:
        """Return the space without a target that nobody gave."""
        return self.without_target() if isinstance(self.target_accuracy, Published) else self

    def doubt(self, value: float, *, minimizes: bool) -> str | None:
        """Why thresholds of the space can hardly be meant for a value."""
        return scale.doubt(self, value, minimizes=minimizes)

    def ranges(self, names: Names | None = None) -> dict[str, Range]:
        """Depth and width: all layers are alike."""
        names = names or Names()
        return {
            names.depth: range(self.min_depth, self.max_depth + 1),
            names.width: range(self.min_width, self.max_width + 1),
        }

    def encode(self, network: Network, names: Names | None = None) -> dict[str, int | str]:
        """Depth and width of a network."""
        names, chain = names or Names(), as_chain(network)
        return {names.depth: chain.depth, names.width: chain.width}

    def decode(self, params: Mapping[str, Any], names: Names | None = None) -> Architecture:
        """The uniform chain of this depth and width."""
        names = names or Names()
        return Architecture.chain(depth=int(params[names.depth]), width=int(params[names.width]))

    def describe_proposal(self, proposal: Proposal) -> str:
        """A proposal by what is new in it."""
        return words.name_candidate(proposal)

    def describe_incumbent(self, phase: str, incumbent: Incumbent) -> str:
        """What is compared with in a phase."""
        return words.name_incumbent(phase, incumbent)


@documented
@dataclass(frozen=True, slots=True, kw_only=True)
class MicroSpace(MicroBounds):
    """Operations and kernel sizes to search, and where to start from; see the module.

    Raises:
        InvalidSpace: a value is out of its bounds, or no network fits the limits.

    Examples:
        >>> from optuna_egnas import MicroSpace
        >>> space = MicroSpace(depth=2, width=8, operations=("sep", "conv"), epochs=1)
        >>> sorted(space.ranges())
        ['depth', 'kernel_00', 'kernel_01', 'op_00', 'op_01', 'width']
    """

    @property
    def max_epochs(self) -> int:
        """Epochs of the longest training that the rules can ask for."""
        finals = self.epochs + REPLICATES if self.finalists else 0
        return max(self.epochs, self.confirm_epochs or 0, finals)

    @property
    def priors(self) -> Mapping[str, Prior]:
        """What is expected of each phase."""
        return POLICIES[self.policy].priors

    def begin(self) -> Position:
        """The automaton at its start."""
        return inheriting(POLICIES[self.policy].micro(self), self.inherit)

    def to_json(self) -> dict[str, Any]:
        """Plain values; a field that 0.1.0 does not have only where it is set."""
        record = MicroBounds.to_json(self)
        return {name: value for name, value in record.items() if value or name not in LATER}

    def epochs_in_words(self) -> str:
        """The fields that set the epochs, with their values."""
        return words.fields_of(self, "epochs", "confirm_epochs")

    def ranges(self, names: Names | None = None) -> dict[str, Range]:
        """Depth, width, and the operation and the kernel size of each layer.

        The depth has one value, unless the largest chain that fits is among the finalists.
        """
        names = names or Names()
        depths, widths = [self.depth], [self.width]
        if self.finalists and self.largest is not None:
            depths.append(self.largest[0])
            widths.append(self.largest[1])
        listed: dict[str, Range] = {
            names.depth: range(min(depths), max(depths) + 1),
            names.width: range(1, max(widths) + 1),
        }
        for layer in range(max(depths)):
            listed[names.op.format(layer)] = self.operations
            listed[names.kernel.format(layer)] = self.kernels
        return listed

    def encode(self, network: Network, names: Names | None = None) -> dict[str, int | str]:
        """Depth, width, operations and kernel sizes of a network."""
        names, chain = names or Names(), as_chain(network)
        params: dict[str, int | str] = {names.depth: chain.depth, names.width: chain.width}
        for layer, (op, kernel) in enumerate(zip(chain.ops, chain.kernels, strict=True)):
            params[names.op.format(layer)] = op
            params[names.kernel.format(layer)] = kernel
        return params

    def decode(self, params: Mapping[str, Any], names: Names | None = None) -> Architecture:
        """The chain with these layers."""
        names = names or Names()
        width = int(params[names.width])
        layers = range(int(params.get(names.depth, self.depth)))
        return Architecture(
            width=width,
            ops=tuple(str(params[names.op.format(layer)]) for layer in layers),
            kernels=tuple(int(params[names.kernel.format(layer)]) for layer in layers),
        )

    def describe_proposal(self, proposal: Proposal) -> str:
        """A proposal by what is new in it."""
        return words.name_candidate(proposal)

    def describe_incumbent(self, phase: str, incumbent: Incumbent) -> str:
        """What is compared with in a phase."""
        return words.name_incumbent(phase, incumbent)
