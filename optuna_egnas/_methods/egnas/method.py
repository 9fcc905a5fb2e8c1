"""EGNAS, *Efficient Global Neural Architecture Search* (arXiv 2502.03553), as one method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pkgutil import resolve_name
from typing import Any, ClassVar

from ..._core.inheriting import SHARE
from ..._core.method import Given, Method, check_same, tuples
from ..._core.network import Network, Shape
from ..._core.problem import Space
from ..._core.recipe import Recipe
from ..._core.role import TASK, Role
from .architecture import as_chain
from .bounds import largest_chain
from .cost import count_params
from .policies import POLICIES, start_from
from .rivals import rivals
from .sample import sample
from .space import MacroSpace, MicroSpace
from .survey import SpaceSurvey, survey

SHARED = (
    "input_shape",
    "classes",
    "n_valid",
    "policy",
    "level",
    "max_params",
    "max_macs",
    "inherit",
)
"""Fields that are the same in both spaces."""
FOLDER = "optuna_egnas._methods.egnas"
PLOTS = f"{FOLDER}.plots"
TENSORS_OF_NORM = 5
"""Weight, bias, mean, variance and a count."""


class Egnas(Method):
    """Depth and width first, then every layer's operation and kernel size."""

    name = "egnas"
    title = "EGNAS (arXiv 2502.03553): depth, width, then each layer's operation and kernel"
    roles = (
        Role(
            name="macro",
            space=MacroSpace,
            question="how deep and how wide the network should be",
            plots=("walk", "depth-width", "learning-curves", "budgets"),
        ),
        Role(
            name="micro",
            space=MicroSpace,
            question="which operation and which kernel size each layer should have",
            plots=("walk", "network", "macro-micro", "pareto"),
            found=(*TASK, "depth", "width"),
            start=start_from,
        ),
    )
    policy = "sound"
    profiles: ClassVar[Mapping[str, Given]] = {
        "full": {},
        "quick": {
            "macro": {
                "min_depth": 3,
                "max_depth": 16,
                "min_width": 6,
                "max_width": 16,
                "base_epochs": 3,
                "epochs_per_width_step": 1,
            },
            "micro": {"epochs": 4},
        },
    }
    plots: ClassVar[Mapping[str, str]] = {
        "depth-width": f"{PLOTS}.depth_width:plot_depth_width",
        "network": f"{PLOTS}.network:plot_network",
        "macro-micro": f"{PLOTS}.macro_micro:plot_macro_micro",
    }
    drawing = f"{PLOTS}.drawing:network_svg"

    def spaces(
        self, task: Mapping[str, Any], *, profile: str, given: Given, inherit: bool = False
    ) -> dict[str, Space]:
        """Make both spaces; the micro space follows the other one in its task and limits."""
        sizes = self.profiles[profile]
        common = {**task, "inherit": SHARE} if inherit else dict(task)
        values = {**sizes.get("macro", {}), **common, **tuples(given.get("macro", {}))}
        macro = MacroSpace(**values)
        start = {
            "confirm_epochs": None,
            "finalists": POLICIES[macro.policy].finalists,
            **sizes.get("micro", {}),
        }
        micro = self.beside(macro, **{**start, **tuples(given.get("micro", {}))})
        if micro.finalists:
            top = largest_chain(macro)
            micro = replace(micro, largest=(top.depth, top.width))
        return {"macro": macro, "micro": micro}

    def adapted(
        self, spaces: Mapping[str, Space], *, n_train: int, given: Given
    ) -> dict[str, Space]:
        """On few images some policies train for more epochs than the profile."""
        macro = spaces["macro"]
        assert isinstance(macro, MacroSpace)
        if "base_epochs" in given.get("macro", {}):
            return dict(spaces)
        epochs = POLICIES[macro.policy].epochs_for(macro.base_epochs, n_train)
        return {**spaces, "macro": replace(macro, base_epochs=epochs)}

    def beside(self, macro: MacroSpace, **given: Any) -> MicroSpace:
        """A micro space for the same task as a macro space, with these fields of its own."""
        shared = {name: getattr(macro, name) for name in SHARED}
        start = {"depth": macro.min_depth, "width": macro.min_width}
        return MicroSpace(**{**start, **shared, **given})

    def joined(self, spaces: Mapping[str, Space]) -> dict[str, Space]:
        """The spaces as a search stores them; the start of the micro space is not yet known."""
        macro = spaces.get("macro") or MacroSpace()
        assert isinstance(macro, MacroSpace)
        micro = spaces.get("micro") or MicroSpace(**{n: getattr(macro, n) for n in SHARED})
        assert isinstance(micro, MicroSpace)
        check_same({"macro": macro, "micro": micro}, SHARED)
        return {
            "macro": macro,
            "micro": replace(micro, depth=macro.min_depth, width=macro.min_width),
        }

    def ignored(self, policy: str) -> Mapping[str, Sequence[str]]:
        """The fields of both spaces for which the rules of a policy have no use."""
        return POLICIES[policy].ignored

    def recipes(
        self, policy: str, *, input_shape: Shape, n_train: int, flip: bool
    ) -> tuple[Recipe, Recipe]:
        """How a policy trains its candidates, and what is found."""
        return POLICIES[policy].recipes(input_shape, n_train, flip)

    def sample(self, spaces: Mapping[str, Space]) -> list[Network]:
        """Networks to be timed: shallow and deeper, narrow and wide, with each kind of layer."""
        macro = spaces["macro"]
        assert isinstance(macro, MacroSpace)
        return [*sample(macro)]

    def largest(self, spaces: Mapping[str, Space]) -> Network:
        """The chain of the macro space with most parameters that fits; of equals the deepest."""
        macro = spaces["macro"]
        assert isinstance(macro, MacroSpace)
        return largest_chain(macro)

    def survey(self, spaces: Mapping[str, Space]) -> SpaceSurvey:
        """How many chains there are, their sizes, and how many fit the limits."""
        macro = spaces["macro"]
        assert isinstance(macro, MacroSpace)
        return survey(macro)

    def rivals(
        self, spaces: Mapping[str, Space], network: Network, seed: int
    ) -> Sequence[tuple[str, Network]]:
        """The largest chain that fits, and five random ones of equal parameters."""
        macro, micro = spaces["macro"], spaces["micro"]
        assert isinstance(macro, MacroSpace) and isinstance(micro, MicroSpace)
        return rivals(macro, micro, as_chain(network), seed)

    def build(self, network: Network, *, input_shape: Shape, classes: int, generator: Any) -> Any:
        """The chain as a torch module."""
        build = resolve_name(f"{FOLDER}.network:build")
        return build(network, input_shape=input_shape, classes=classes, generator=generator)

    def inherit(
        self, module: Any, network: Network, *, parent: Network, weights: Mapping[str, Any]
    ) -> None:
        """Fill a chain with the weights of a shallower, wider or otherwise operated one."""
        inherit = resolve_name(f"{FOLDER}.weights:inherit")
        inherit(module, as_chain(network), parent=as_chain(parent), weights=weights)

    def largest_output(self, network: Network, *, input_shape: Shape) -> int:
        """Values behind the stem, which is the widest where the image is largest."""
        channels, height, width = input_shape
        return max(channels, 2 * as_chain(network).width) * height * width

    def least_weights(
        self, network: Network, *, input_shape: Shape, classes: int
    ) -> tuple[int, int]:
        """Parameters, and the tensors of the norms: one behind the stem and each layer."""
        chain = as_chain(network)
        return count_params(chain, input_shape, classes), TENSORS_OF_NORM * (chain.depth + 1)

    def expected_weights(
        self, network: Network, *, input_shape: Shape, classes: int
    ) -> Mapping[str, Any]:
        """The state dict of a chain, without values."""
        weights: Mapping[str, Any] = resolve_name(f"{FOLDER}.network:expected_weights")(
            as_chain(network), input_shape=input_shape, classes=classes
        )
        return weights

    def source(self, trained: Any, stem: str, digest: str) -> str:
        """A trained chain as a Python module that needs torch only."""
        text: str = resolve_name(f"{FOLDER}.source:python_source")(trained, stem, digest)
        return text


EGNAS = Egnas()
