"""What a search will be, read and checked before anything of it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ._core.macro import MacroSpace
from ._core.micro import MicroSpace
from ._stored import asked_recipes, decided_recipe
from .errors import SearchError
from .evaluation._conditions import plain_modes
from .evaluation._data import LabelledImages, TrainingData, load_training, split
from .evaluation._precision import AUTO, check_precision
from .evaluation._training import Recipe
from .options import SearchOptions, spaces

if TYPE_CHECKING:
    from torch import Tensor
    from torch.utils.data import Dataset

    from ._link import Link


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """The data, divided; the spaces; how networks are trained, and where.

    `recipe` is that of the candidates, `final_recipe` that of what is found.
    `is_open`: the recipe's precision is still to be decided, once for the whole search.
    """

    name: str
    content: TrainingData
    training: LabelledImages
    validation: LabelledImages
    macro: MacroSpace
    micro: MicroSpace
    recipe: Recipe
    final_recipe: Recipe
    is_open: bool
    device: torch.device

    def decided(self, options: SearchOptions, link: Link | None) -> Mapping[str, Any]:
        """What is decided once for a search, given its stored link, if it has one."""
        if not self.is_open:
            return {}
        return decided_recipe(link, options, self.macro, self.recipe, self.device)


@plain_modes()
def plan(
    data: str | tuple[Tensor, Tensor] | Dataset[Any],
    *,
    name: str | None,
    device: str,
    options: SearchOptions,
    policy_of: Callable[[str], str | None] = lambda _: None,
) -> Plan:
    """Read the data and check everything; for the arguments and the errors see `search`.

    `policy_of` knows the policy of a search that is there, by its name: it is kept.
    """
    where = choose_device(device)
    content = load_training(data, options.data)
    training, validation = split(
        content,
        valid_fraction=options.valid_fraction,
        seed=options.seed,
        subset=options.subset,
    )
    check_precision(options.precision, where)
    name = name or _default_name(content.name)
    if "policy" not in options.macro and (kept := policy_of(name)) is not None:
        options = replace(options, macro={**options.macro, "policy": kept})
    macro, micro = spaces(content, len(validation.labels), options)
    recipe, final = asked_recipes(content, options, macro.policy, len(training.labels))
    return Plan(
        name=name,
        content=content,
        training=training,
        validation=validation,
        macro=macro,
        micro=micro,
        recipe=recipe,
        final_recipe=final,
        is_open=options.precision == AUTO and "precision" not in options.recipe,
        device=where,
    )


def choose_device(device: str) -> torch.device:
    """The device of this name; `auto` takes CUDA, else Apple's MPS, else the CPU."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen).cpu()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise SearchError(
            f"`device` must be auto or one that torch can use here, but got {device!r}: {reason}"
        ) from None
    return chosen


def _default_name(data: str) -> str:
    return Path(data.removeprefix("folder:")).resolve().name if ":" in data else data
