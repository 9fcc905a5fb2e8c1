"""Options of the user, each declared once: on its field, with its help, its flag and its bounds.

The command line, the checks, the docstrings and the table of the documentation are made of these
declarations; a study file has the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, field, fields, replace
from textwrap import wrap
from typing import Any, TypeVar, get_args, get_type_hints

from ..errors import EgnasError, InvalidSpace
from .records import WORDS, wrong_kind
from .text import short

KEY = "option"
READERS: dict[type, Callable[[str], Any]] = {
    bool: {"true": True, "false": False}.__getitem__,
    int: int,
    float: float,
}
"""How a text becomes a value of each type; any other text stays as it is."""
INDENT = " " * 4
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What is declared of an option beside its name, its type and its default.

    Args:
        help: what it is, as a phrase.
        flag: on the command line, what turns it off after a slash; empty: it is not there.
        default: its default in words, where the value does not say it.
        at_least, at_most: bounds, both allowed.
        above, below: bounds, both excluded.
        read: makes the value of the command line's text.
    """

    help: str
    flag: str = ""
    default: str = ""
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    read: Callable[[str], Any] | None = None

    @property
    def bounds(self) -> str:
        """The bounds in words; empty where there are none."""
        named = {
            "above": self.above,
            "at least": self.at_least,
            "at most": self.at_most,
            "below": self.below,
        }
        given = {word: value for word, value in named.items() if value is not None}
        return " and ".join(f"{word} {_digits(value)}" for word, value in given.items())

    def broken(self, value: Any) -> str:
        """The bounds that a number breaks, in words; empty where it breaks none."""
        if self.above is not None or self.below is not None:
            above = self.above is None or value > self.above
            below = self.below is None or value < self.below
            return "" if above and below and not self._outside(value) else self.bounds
        return self._outside(value)

    def _outside(self, value: Any) -> str:
        if value != value:
            return "a number"
        if self.at_least is not None and value < self.at_least:
            return f"at least {_digits(self.at_least)}"
        if self.at_most is not None and value > self.at_most:
            return f"at most {_digits(self.at_most)}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """An option of a class: the name of its field, its type, its default, and what is declared."""

    name: str
    kind: Any
    default: Any
    option: Option

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off."""
        return self.kind is bool or bool in get_args(self.kind)

    def check(self, value: object, error: type[EgnasError] = InvalidSpace) -> None:
        """Refuse a value of another type or out of the bounds; None may be the default.

        Raises:
            EgnasError: of the given class; it names the bounds and the value.
        """
        words = wrong_kind(value, self.kind)
        if words is None and value is not None:
            words = self.option.broken(value) or None
        if words is not None:
            raise error(f"`{self.name}` must be {words}, but got {self.name}={short(value)}.")

    def read_text(self, text: str) -> Any:
        """The value that a text spells: true or false, a number, or the text itself.

        Raises:
            InvalidSpace: the text spells no value of this type.
        """
        plain = [kind for kind in (self.kind, *get_args(self.kind)) if kind in READERS]
        if not plain:
            return text
        try:
            return READERS[plain[0]](text)
        except (KeyError, ValueError):
            words = WORDS[plain[0]]
            raise InvalidSpace(
                f"`{self.name}` must be {words}, but got {self.name}={short(text)}."
            ) from None

    @property
    def default_in_words(self) -> str:
        """Its default, for a person; empty where it is off or none."""
        if self.option.default or self.default is None or self.default is False:
            return self.option.default
        return _digits(self.default) if isinstance(self.default, float) else str(self.default)

    @property
    def help(self) -> str:
        """What it is, with its default."""
        default = self.default_in_words
        return f"{self.option.help}; default: {default}." if default else f"{self.option.help}."


def option(standard: Any, *, help: str, **declared: Any) -> Any:
    """A field of a dataclass that is an option, with its default; the rest as in `Option`.

    `flag` makes an option of `egnas search` of a field of this package's own methods. The command
    line does not know the spaces of other methods: their fields are set in a study file, in the
    table of their study, or in Python with `SearchOptions(spaces={"study": {"field": value}})`.

    Examples:
        >>> from dataclasses import dataclass
        >>> from optuna_egnas.methods import Space, check_task, option
        >>> @dataclass(frozen=True, slots=True, kw_only=True)
        ... class Mine(Space):
        ...     patience: int = option(2, help="fails that are forgiven", at_least=0)
        ...
        ...     def __post_init__(self):
        ...         check_task(self)
    """
    return field(default=standard, metadata={KEY: Option(help=help, **declared)})


def shared(standard: Any, declared: Option, *, default: str = "") -> Any:
    """A field that is an option which other classes have too; `default` as in `Option`."""
    return field(default=standard, metadata={KEY: replace(declared, default=default)})


def options_of(kind: type) -> Iterator[Declared]:
    """The options that a dataclass declares, in the order of its fields."""
    kinds = get_type_hints(kind)
    for each in fields(kind):
        if KEY in each.metadata:
            default = None if each.default is MISSING else each.default
            yield Declared(
                name=each.name,
                kind=kinds[each.name],
                default=default,
                option=each.metadata[KEY],
            )


def check_options(options: object, error: type[EgnasError] = InvalidSpace) -> None:
    """Refuse values of another type than declared or out of the bounds; None may be a default.

    Raises:
        EgnasError: of the given class; it names the bounds and the value.
    """
    for each in options_of(type(options)):
        each.check(getattr(options, each.name), error)


def documented(kind: type[T]) -> type[T]:
    """The class with its options in its docstring."""
    lines = []
    for each in options_of(kind):
        lines += wrap(
            f"{each.name}: {each.help}",
            96,
            initial_indent=INDENT,
            subsequent_indent=2 * INDENT,
        )
    kind.__doc__ = f"{kind.__doc__}\n\nArgs:\n" + "\n".join(lines)
    return kind


def _digits(value: float) -> str:
    """A number as it is best read."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:g}"
