"""What a search method of one's own is made of: the protocols and values that it needs.

A method is one subclass of `Method` with one object of it, and a class of spaces (`Space`, or
`AutomatonSpace` where its rules ask one question after the other) for each of its studies. It is
found by its name: one of this package, an entry point `optuna_egnas.methods` of an installed
package, or by its place, as in `egnas search digits --method package.module:NAME`.

Examples:
    >>> from optuna_egnas.methods import known_methods
    >>> "egnas" in known_methods()
    True
"""

from ._core.automaton import AutomatonSpace
from ._core.bounds import check_integer, check_number
from ._core.declared import option
from ._core.epoch import EpochRecord
from ._core.history import Candidate, Failed, History, Running, Stopped, Trained
from ._core.inheriting import inheriting
from ._core.measurement import Measurement
from ._core.method import Method, known_methods, method
from ._core.network import Network, Shape
from ._core.odds import Prior
from ._core.problem import Range, Space, check_task
from ._core.proposal import (
    CONFIRM,
    Bar,
    Continuation,
    Done,
    Found,
    Incumbent,
    Position,
    Proposal,
    Prospect,
    Step,
    Verdict,
    Walk,
)
from ._core.role import Role, Survey

__all__ = [
    "CONFIRM",
    "AutomatonSpace",
    "Bar",
    "Candidate",
    "Continuation",
    "Done",
    "EpochRecord",
    "Failed",
    "Found",
    "History",
    "Incumbent",
    "Measurement",
    "Method",
    "Network",
    "Position",
    "Prior",
    "Proposal",
    "Prospect",
    "Range",
    "Role",
    "Running",
    "Shape",
    "Space",
    "Step",
    "Stopped",
    "Survey",
    "Trained",
    "Verdict",
    "Walk",
    "check_integer",
    "check_number",
    "check_task",
    "inheriting",
    "known_methods",
    "method",
    "option",
]
