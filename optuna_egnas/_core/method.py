"""A search method: its studies, its networks, and everything else that the package asks of it.

A method is one object. It is named by a line of `METHODS`, by an entry point of an installed
package (`optuna_egnas.methods`), or by its place, as "package.module:NAME". What it must
answer is listed in `answers.REQUIRED` and in `problem.REQUIRED`; all else has a default here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import Any, ClassVar

from ..errors import InvalidSpace, SearchError
from .answers import check_method
from .epoch import EpochRecord
from .history import Trained
from .inheriting import SHARE
from .measurement import Measurement
from .network import Network, Shape
from .problem import Space
from .recipe import Recipe
from .role import TASK, Role, Survey
from .text import clipped

DEFAULT = "egnas"
METHODS: Mapping[str, str] = {"egnas": "optuna_egnas._methods.egnas.method:EGNAS"}
"""Where the methods of this package are. They are loaded by name, when they are first asked."""
GROUP = "optuna_egnas.methods"
"""Entry points of installed packages; each is a `Method` under its own name."""

Given = Mapping[str, Mapping[str, Any]]
"""Fields of spaces by the names of their roles."""


class Method:
    """What a search method is; subclass it, and name one object of the subclass.

    Examples:
        >>> from optuna_egnas import MacroSpace
        >>> from optuna_egnas.methods import Method, Role
        >>> class Mine(Method):
        ...     name = "mypackage.mine:METHOD"
        ...     roles = (Role(name="only", space=MacroSpace, question="which depth is best"),)
        ...
        ...     def build(self, network, *, input_shape, classes, generator):
        ...         raise NotImplementedError("a torch.nn.Module of the network")
        >>> METHOD = Mine()
        >>> METHOD.role("only").question
        'which depth is best'
    """

    name: ClassVar[str]
    """How users and stored searches call it."""
    roles: ClassVar[tuple[Role, ...]]
    """Its studies in their order; the last one holds what the search has found."""
    title: ClassVar[str] = ""
    """The method in a line, with its source."""
    policy: ClassVar[str] = ""
    """The policy of a search that names none; empty: that of the spaces."""
    profiles: ClassVar[Mapping[str, Given]] = {"full": {}, "quick": {}}
    """Sizes of the spaces, never rules: fields by role. `full` is the published size."""
    plots: ClassVar[Mapping[str, str]] = {}
    """Plots of its own, as "package.module:function" of the linked studies, by file name."""
    drawing: ClassVar[str] = ""
    """What draws the network found as SVG, as "package.module:function"; empty: nothing does."""

    def build(self, network: Network, *, input_shape: Shape, classes: int, generator: Any) -> Any:
        """The `torch.nn.Module` of a network, with weights drawn from a `torch.Generator`.

        It takes float images [N, C, H, W] and returns logits [N, classes].
        """
        raise NotImplementedError

    def measure(self, measurement: Measurement) -> Iterator[EpochRecord | Trained]:
        """Measure one candidate; by default it is trained.

        What is yielded after each epoch is reported to the study, where the candidate may be
        stopped; a limit may also end it there. A `Trained` ends it, with its score; without one
        the score is the best accuracy of its epochs.
        """
        return measurement.train()

    def network_from_json(self, record: Mapping[str, Any]) -> Network:
        """Read what the `to_json` of a network wrote."""
        return self.roles[-1].space.network_from_json(record)

    def space(self, role: str, record: Mapping[str, Any]) -> Space:
        """Read what the `to_json` of a space wrote."""
        return self.role(role).space.from_json(record)

    def role(self, name: str) -> Role:
        """The role of this name.

        Raises:
            InvalidSpace: there is none; the message lists those that there are.
        """
        for role in self.roles:
            if role.name == name:
                return role
        known = ", ".join(role.name for role in self.roles)
        raise InvalidSpace(f"A study of {self.name} must be one of {known}, but got {name!r}.")

    def spaces(
        self, task: Mapping[str, Any], *, profile: str, given: Given, inherit: bool = False
    ) -> dict[str, Space]:
        """The spaces of a search: the profile's, with what is given in its place.

        A policy or limit of the first space is that of all that are given no other.

        Args:
            task: `input_shape`, `classes` and `n_valid`.
            profile: one of `profiles`; another one has no sizes of its own.
            given: fields by role.
            inherit: whether candidates begin with weights of others, for the usual share.

        Raises:
            InvalidSpace: a field is unknown, or a value out of its bounds.
        """
        common = {**task, "inherit": SHARE} if inherit else dict(task)
        sizes = self.profiles.get(profile, {})
        own = {
            role.name: {**sizes.get(role.name, {}), **tuples(given.get(role.name, {}))}
            for role in self.roles
        }
        base = {item.name for item in fields(Space)}
        first = own[self.roles[0].name]
        shared = {name: value for name, value in first.items() if name in base}
        return {
            role.name: role.space(**{**common, **shared, **own[role.name]}) for role in self.roles
        }

    def adapted(
        self, spaces: Mapping[str, Space], *, n_train: int, given: Given
    ) -> dict[str, Space]:
        """The spaces of a new search of so many training images; by default as they are.

        Args:
            spaces: those of `spaces`.
            n_train: number of training images.
            given: fields by role that a person has chosen, and that must stay.
        """
        return dict(spaces)

    def joined(self, spaces: Mapping[str, Space]) -> dict[str, Space]:
        """The spaces as a search stores them, those that are missing with their defaults.

        Raises:
            InvalidSpace: they are not of one task.
        """
        whole = {role.name: spaces.get(role.name) or role.space() for role in self.roles}
        check_same(whole, TASK)
        return whole

    def ignored(self, policy: str) -> Mapping[str, Sequence[str]]:
        """The fields of the spaces, by role, for which the rules of a policy have no use."""
        return {}

    def recipes(
        self, policy: str, *, input_shape: Shape, n_train: int, flip: bool
    ) -> tuple[Recipe, Recipe]:
        """How a policy trains its candidates, and what is found: by default as suits the data.

        Args:
            policy: one of the spaces' policies.
            input_shape: that of an image: channels, rows, columns.
            n_train: number of training images.
            flip: whether a mirrored image keeps its class.
        """
        suited = Recipe.suited(input_shape, n_train=n_train, flip=flip)
        return suited, suited

    def sample(self, spaces: Mapping[str, Space]) -> list[Network]:
        """Networks of several sizes that are timed before a search; by default the first asked."""
        from .history import History
        from .proposal import Done

        ahead = spaces[self.roles[0].name].frontier(History(), 6)
        return [] if isinstance(ahead, Done) else [each.candidate.architecture for each in ahead]

    def largest(self, spaces: Mapping[str, Space]) -> Network | None:
        """The network with most parameters that fits the limits; None, the default: not known."""
        return None

    def survey(self, spaces: Mapping[str, Space]) -> Survey | None:
        """What the spaces hold, for the forecast; nothing by default."""
        return None

    def rivals(
        self, spaces: Mapping[str, Space], network: Network, seed: int
    ) -> Sequence[tuple[str, Network]]:
        """Networks that a found one is compared with, by their names; none by default.

        Those of one kind have one name with a number behind it. The same arguments give the same
        networks.

        Args:
            spaces: those of the search, by role.
            network: the network found.
            seed: for random choices.
        """
        return ()

    def inherit(
        self, module: Any, network: Network, *, parent: Network, weights: Mapping[str, Any]
    ) -> None:
        """Fill a module with the weights of its parent's network.

        Raises:
            InvalidSpace: the method knows no way.
        """
        raise InvalidSpace(f"The method {self.name} must not inherit weights, but was asked to.")

    def largest_output(self, network: Network, *, input_shape: Shape) -> int:
        """Values that the largest layer gives for one image; 0: not known."""
        return 0

    def least_weights(
        self, network: Network, *, input_shape: Shape, classes: int
    ) -> tuple[int, int]:
        """The least numbers of values and of tensors in a network's weights, in closed form."""
        return 0, 0

    def expected_weights(
        self, network: Network, *, input_shape: Shape, classes: int
    ) -> Mapping[str, Any]:
        """A state dict like that of a network; only names, types and shapes count."""
        module = self.build(
            network,
            input_shape=input_shape,
            classes=classes,
            generator=resolve_name("torch:Generator")(),
        )
        weights: Mapping[str, Any] = module.state_dict()
        return weights

    def source(self, trained: Any, stem: str, digest: str) -> str:
        """A trained network as a Python module that needs torch only.

        Its weights are in `stem`.pt, whose SHA-256 is `digest`.

        Raises:
            SearchError: the method writes none.
        """
        raise SearchError(f"A network of {self.name} cannot be written as Python: choose another.")


def check_same(spaces: Mapping[str, Space], names: Sequence[str]) -> None:
    """Refuse spaces of one search that differ in one of these fields."""
    (first, space), *others = spaces.items()
    for role, other in others:
        for field in names:
            ours, theirs = getattr(space, field), getattr(other, field)
            if ours != theirs:
                raise InvalidSpace(
                    f"`{field}` must be the same in all spaces, but is {ours} in the {first} "
                    f"space and {theirs} in the {role} space."
                )


def tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with tuples in the place of lists."""
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }


@lru_cache(maxsize=64)
def method(name: str) -> Method:
    """The method of this name.

    Raises:
        SearchError: there is none, or it lacks an answer that every method must give.

    Examples:
        >>> from optuna_egnas.methods import method
        >>> [role.name for role in method("egnas").roles]
        ['macro', 'micro']
    """
    found = _found(name)
    if not isinstance(found, Method):
        raise SearchError(f"The method {name!r} must be a Method, but is {type(found).__name__}.")
    check_method(found, name, base=Method)
    return found


def known_methods() -> list[str]:
    """The names of all methods that are installed.

    Examples:
        >>> from optuna_egnas.methods import known_methods
        >>> "egnas" in known_methods()
        True
    """
    return sorted({*METHODS, *(entry.name for entry in entry_points(group=GROUP))})


def _found(name: str) -> object:
    if name in METHODS:
        return resolve_name(METHODS[name])
    try:
        for entry in entry_points(group=GROUP, name=name):
            return entry.load()
        if ":" in name:
            return resolve_name(name)
    # The module is somebody else's, and may raise anything.
    except Exception as error:
        reason = clipped(" ".join(f"{type(error).__name__}: {error}".split()), 200)
        raise SearchError(f"The method {name!r} cannot be loaded: {reason}.") from None
    known = ", ".join(known_methods())
    raise SearchError(f"A method must be one of {known} or package.module:NAME, but got {name!r}.")
