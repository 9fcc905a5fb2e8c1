"""Parameters of the commands that are declared elsewhere: as fields of options and of spaces."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import wraps
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from .._core.declared import Declared, options_of
from .._core.method import METHODS, method

CHOSEN = "chosen"
"""The argument of a command in whose place the parameters come."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was given on the command line, by the class that declares it."""

    values: Mapping[type, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, kind: type) -> dict[str, Any]:
        """The given options of one class, by the names of its fields."""
        return dict(self.values.get(kind, {}))

    def of_spaces(self) -> dict[str, Any]:
        """The given fields of the spaces of the methods."""
        return {key: value for kind in space_kinds() for key, value in self.of(kind).items()}


def space_kinds() -> list[type]:
    """The spaces of the methods of this package."""
    return [role.space for name in METHODS for role in method(name).roles]


def typed(declared: Declared, *more: str) -> Any:
    """What the command line says of a declared option; `more`: other flags for it."""
    return typer.Option(declared.option.flag, *more, help=told(declared), show_default=False)


def told(declared: Declared) -> str:
    """What a declared option is, as a sentence."""
    return declared.help[:1].upper() + declared.help[1:]


def with_options(
    *kinds: type, only: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command whose argument `chosen` is given as one parameter for each option of the classes.

    Args:
        kinds: classes whose fields are options; those without a flag are left out.
        only: names of fields; empty: all.
    """
    listed = dict(_listed(kinds, only))

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**given: Any) -> None:
            values: dict[type, dict[str, Any]] = {}
            for name, (kind, each) in listed.items():
                value = given.pop(name)
                if value is not None:
                    read = each.option.read
                    values.setdefault(kind, {})[each.name] = read(value) if read else value
            command(**given, **{CHOSEN: Chosen(values)})

        signature = inspect.signature(command, eval_str=True)
        parameters: dict[str, inspect.Parameter] = {}
        for name, own in signature.parameters.items():
            parameters |= _parameters(listed) if name == CHOSEN else {name: own}
        run.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=list(parameters.values())
        )
        run.__annotations__ = {name: each.annotation for name, each in parameters.items()}
        return run

    return decorate


def _listed(
    kinds: Collection[type], only: Collection[str]
) -> Iterator[tuple[str, tuple[type, Declared]]]:
    """The options by the names of their parameters; the first class that has a flag has it."""
    seen = set()
    for kind in kinds:
        for each in options_of(kind):
            flag = each.option.flag
            if flag and flag not in seen and (not only or each.name in only):
                seen.add(flag)
                yield flag.split("/")[0].lstrip("-").replace("-", "_"), (kind, each)


def _parameters(
    listed: Mapping[str, tuple[type, Declared]],
) -> dict[str, inspect.Parameter]:
    """The parameters of a command, one for each option; None stands for an option not given."""
    return {
        name: inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=None,
            annotation=Annotated[
                _kind(each) | None,
                typed(each),
            ],
        )
        for name, (_, each) in listed.items()
    }


def _kind(each: Declared) -> Any:
    """The type of what is typed: text where it is read later, or one of some texts."""
    if each.option.read is not None or get_origin(each.kind) is Literal:
        return str
    plain = [kind for kind in get_args(each.kind) if kind is not NoneType]
    return plain[0] if plain else each.kind
