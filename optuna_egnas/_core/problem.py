"""The space of one study: its task, its limits, and the questions that the package asks of it.

A method brings one class of spaces for each of its studies. What such a class must answer is
abstract here; everything else has a default, which it may replace by something better.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pkgutil import resolve_name
from random import Random
from typing import Any, ClassVar, TypeVar

from ..errors import InvalidSpace
from .bounds import LARGEST_INTEGER, check_integer, check_integers
from .declared import check_options, option
from .history import Candidate, History, Running, Trained
from .network import Network, Shape
from .proposal import Continuation, Done, Incumbent, Proposal, Prospect, Step, Walk
from .text import short
from .walk import answered

FORMAT = 1
MOST_EPOCHS = 1_000_000
"""The most epochs of one training, far more than any search needs."""


class Published(float):
    """The published value of a threshold, for spaces in which none was given."""

    __slots__ = ()


LONGEST_TRAINING = 10_000
"""Epochs of the longest training of a method that does not say."""
MANY_CHANNELS = 1_000_000
SEED = "seed"
"""The field of a space that draws by the seed of its search."""
REQUIRED = ("frontier", "ranges", "encode", "decode", "network_from_json")
"""The methods that every space must have."""
COUNTS = "optuna_egnas._methods.counting"
"""The module that counts what a space does not; it loads torch, and is loaded by name."""

PUBLISHED = "paper"
"""The policy of every method that follows its publication."""

Range = range | tuple[str, ...] | tuple[int, ...]
"""The values of one trial parameter: whole numbers from start to stop, or choices."""
S = TypeVar("S", bound="Space")


def policy_option(*policies: str, default: str = "") -> Any:
    """The field `policy` of a space that has these policies; the first one is its default.

    `default` are the words for it, where a search has another one.
    """
    published = {PUBLISHED: f"{PUBLISHED} (the published one)"}
    names = " or ".join(published.get(name, name) for name in policies)
    words = f"the named set of rules: {names}"
    return option(policies[0], flag="--policy", help=words, default=default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What one study searches: the task, the limits, and the rules of its method.

    Args:
        input_shape: channels, height and width of an image.
        classes: number of classes, at least 2.
        n_valid: number of validation images, where it is known: scores that are fractions are
            then compared as exact counts of right answers, others with a tolerance of 1e-9.

    Examples:
        >>> from optuna_egnas import MacroSpace
        >>> from optuna_egnas.methods import History, Space
        >>> space = MacroSpace(min_depth=1, max_depth=4, min_width=8, max_width=16)
        >>> (proposal,) = space.frontier(History())
        >>> isinstance(space, Space), space.describe(proposal.candidate.architecture)
        (True, 'depth 1, width 16')
    """

    method: ClassVar[str]
    """The name of the method that the space belongs to."""
    policies: ClassVar[tuple[str, ...]] = (PUBLISHED,)
    """The names of the sets of rules; `policy` holds one of them."""

    policy: str = policy_option(PUBLISHED)
    input_shape: Shape = (3, 32, 32)
    classes: int = 10
    n_valid: int | None = None
    max_params: int | None = option(
        None,
        flag="--max-params",
        help="no network has more parameters",
        default="no limit",
        at_least=1,
        at_most=LARGEST_INTEGER,
    )
    max_macs: int | None = option(
        None,
        flag="--max-macs",
        help="no network has more multiply-accumulates per image",
        default="no limit",
        at_least=1,
        at_most=LARGEST_INTEGER,
    )
    inherit: float | None = option(
        None,
        help="candidates begin with the incumbent's weights and are trained for this share of "
        "their epochs; None: all are trained from scratch",
        above=0,
        at_most=1,
    )

    @abstractmethod
    def frontier(self, history: History, k: int = 1) -> tuple[Proposal, ...] | Done:
        """The next `k` trainings that nobody has, computed from the history alone.

        An empty tuple: wait, since all that is left is being trained. `Done`: nothing is left.
        """

    @abstractmethod
    def ranges(self, names: Any = None) -> dict[str, Range]:
        """The trial parameters of a network, with all their values."""

    @abstractmethod
    def encode(self, network: Network, names: Any = None) -> dict[str, int | str]:
        """The trial parameters of one network."""

    @abstractmethod
    def decode(self, params: Mapping[str, Any], names: Any = None) -> Network:
        """The network that trial parameters spell.

        Raises:
            InvalidSpace, KeyError, TypeError, ValueError: they spell none.
        """

    @classmethod
    @abstractmethod
    def network_from_json(cls, record: Mapping[str, Any]) -> Network:
        """Read what the network's `to_json` wrote."""

    @property
    def max_epochs(self) -> int:
        """Epochs of the longest training that the rules can ask for."""
        return LONGEST_TRAINING

    def without_target(self: S) -> S:
        """Return the space for a study whose score is no accuracy."""
        return self

    def with_seed(self: S, seed: int) -> S:
        """Return the space for a search of this seed; by default a field `seed` is set, if any."""
        known = {each.name for each in fields(self)}
        changed: dict[str, Any] = {SEED: seed} if SEED in known else {}
        return replace(self, **changed)

    def keeps_weights(self, candidate: Candidate, step: Step | None) -> bool:
        """Whether the final weights of a candidate are kept, for those whose parent it is.

        `step`: its decided step, if it has one. They are removed when the study has ended.
        """
        passed = step is None or step.passed
        return self.inherit is not None and passed and not candidate.is_trained_on

    def for_own_study(self: S) -> S:
        """Return the space for a study of a user's own, whose values may be in any unit."""
        return self

    def epochs_in_words(self) -> str:
        """The fields that set how long a candidate is trained, with their values."""
        return "the fields that say so"

    def doubt(self, value: float, *, minimizes: bool) -> str | None:
        """Why thresholds of the space can hardly be meant for a value; None where they may be."""
        return None

    def follow(self, history: History) -> Walk:
        """The decided steps in order, and what comes next.

        By default the proposals in the order in which `frontier` makes them, answered one by one.
        """
        return answered(self, history)

    def step_of(self, history: History, candidate: Candidate) -> Step | None:
        """The decided step that trains this candidate; None where there is none."""
        steps = self.follow(history).steps
        return next((step for step in steps if step.proposal.candidate == candidate), None)

    def prospects(self, history: History, k: int = 1) -> tuple[Prospect, ...] | Done:
        """The trainings of `frontier`, each with the chance that it is asked for, by default 1."""
        ahead = self.frontier(history, k)
        if isinstance(ahead, Done):
            return ahead
        return tuple(Prospect(proposal=proposal, chance=1.0) for proposal in ahead)

    def wanted(self, history: History, in_flight: Iterable[Candidate]) -> frozenset[Candidate]:
        """The trainings in flight that are worth going on with; by default all."""
        return frozenset(
            each for each in in_flight if isinstance(history.outcome(each), Running | None)
        )

    def continuations(self, history: History, generator: Random) -> Iterator[Continuation]:
        """Possible continuations of the study from here, drawn at random without end.

        By default all that is asked for is trained, with scores drawn evenly from 0 to 1.
        """
        while True:
            known, left, ahead = history, dict[Candidate, None](), self.frontier(history)
            while not isinstance(ahead, Done) and ahead:
                left[ahead[0].candidate] = None
                answer = Trained(score=generator.random())
                known = known.with_outcome(ahead[0].candidate, answer)
                ahead = self.frontier(known)
            yield Continuation(
                left=tuple(left), found=ahead.found if isinstance(ahead, Done) else None
            )

    def params(self, network: Network) -> int:
        """Trainable parameters of a network for this task; by default counted on its module."""
        count: int = resolve_name(f"{COUNTS}:params")(self, network)
        return count

    def macs(self, network: Network) -> int:
        """Multiply-accumulates of a network for one image; by default counted on its module."""
        count: int = resolve_name(f"{COUNTS}:macs")(self, network)
        return count

    def traffic(self, network: Network) -> int:
        """Values that the layers read and write for one image; 0: not known."""
        return 0

    def layers(self, network: Network) -> int:
        """Layers of a network, by which it takes its time, however small they are."""
        return 1

    def channels(self, network: Network) -> int:
        """Channels of the narrowest layers, which decide whether bfloat16 can pay."""
        return MANY_CHANNELS

    def contains(self, network: Network, other: Network) -> bool:
        """Whether a network is known to take at least the memory of the other one."""
        return network == other

    def fits(self, network: Network, max_params: int | None = None) -> bool:
        """Whether a network respects the limits, and `max_params` (parameters) where given."""
        caps = [cap for cap in (self.max_params, max_params) if cap is not None]
        if caps and self.params(network) > min(caps):
            return False
        return self.max_macs is None or self.macs(network) <= self.max_macs

    def describe(self, network: Network) -> str:
        """A network in a few words."""
        values = network.to_json()
        return ", ".join(f"{name} {value}" for name, value in values.items())

    def rows(self, network: Network) -> list[tuple[str, str]]:
        """A network as rows of a table: a name and words each."""
        return [("network", self.describe(network))]

    def details(self, network: Network) -> tuple[str, ...]:
        """The layers of a network, a few words each; empty where `describe` says all."""
        return ()

    def describe_proposal(self, proposal: Proposal) -> str:
        """A proposal by what is new in it; by default its network."""
        return self.describe(proposal.candidate.architecture)

    def describe_incumbent(self, phase: str, incumbent: Incumbent) -> str:
        """What is compared with in a phase, in a few words."""
        return "the best so far"

    def to_json(self) -> dict[str, Any]:
        """Plain values under the field names, with a version."""
        return {"version": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls: type[S], record: Mapping[str, Any]) -> S:
        """Read what `to_json` wrote; a version or a field that is not known is refused."""
        values = dict(record)
        version = values.pop("version", None)
        if version != FORMAT:
            raise InvalidSpace(f"A stored space must be of version {FORMAT}, but got {version}.")
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise InvalidSpace(f"{cls.__name__} has no field named {unknown[0]!r}.")
        for name, value in values.items():
            values[name] = tuple(value) if isinstance(value, list) else value
        return cls(**values)


def check_task(space: Space) -> None:
    """Refuse values that are out of bounds in any search, or out of those of declared options.

    Examples:
        >>> from dataclasses import dataclass
        >>> from optuna_egnas.methods import Space, check_task
        >>> @dataclass(frozen=True, slots=True, kw_only=True)
        ... class Mine(Space):
        ...     def __post_init__(self):
        ...         check_task(self)
    """
    check_options(space)
    if space.policy not in space.policies:
        raise InvalidSpace(
            f"`policy` must be one of {', '.join(space.policies)}, but got {short(space.policy)}."
        )
    if len(space.input_shape) != 3:
        raise InvalidSpace(
            f"`input_shape` must be (channels, height, width), but got {short(space.input_shape)}."
        )
    check_integers("input_shape", space.input_shape, at_least=1)
    check_integer("classes", space.classes, at_least=2)
    if space.n_valid is not None:
        check_integer("n_valid", space.n_valid, at_least=1)


def check_smallest_fits(space: Space, smallest: Network) -> None:
    """Refuse a space in which nothing fits, with the size of its smallest network."""
    if space.fits(smallest):
        return
    bounds = [
        f"{name}={value:,}"
        for name, value in (("max_params", space.max_params), ("max_macs", space.max_macs))
        if value is not None
    ]
    raise InvalidSpace(
        f"No network fits {' and '.join(bounds)}: the smallest one of this space "
        f"({space.describe(smallest)}) has {space.params(smallest):,} parameters "
        f"and {space.macs(smallest):,} multiply-accumulates."
    )
