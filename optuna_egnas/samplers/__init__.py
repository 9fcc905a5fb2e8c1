"""The samplers: each proposes what its automaton asks for."""

from ._macro import MacroSampler
from ._micro import MicroSampler

__all__ = ["MacroSampler", "MicroSampler"]
