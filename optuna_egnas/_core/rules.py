"""What plain values, as they are stored, must be: rules for values of one kind, and of others.

A rule is a function of a value. It returns what the value must be, in words, where it is
something else, and None where it is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ..errors import InvalidSpace
from .history import Trained
from .text import clipped, short

Rule = Callable[[Any], "str | None"]
LARGEST = 2**53
LONGEST_NAME = 500
"""Characters of a name: what Optuna's tables hold, less those of a slash and a role."""
CENTURIES = 1e10
"""Seconds: nothing takes longer."""
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What it may raise to read a record that is another than expected."""


def anything(found: Any) -> str | None:
    """Every value is right."""
    return None


def text(found: Any) -> str | None:
    return None if isinstance(found, str) else "text"


def name(found: Any) -> str | None:
    good = isinstance(found, str) and found.strip() and len(found) <= LONGEST_NAME
    return None if good else f"a name of 1 to {LONGEST_NAME} characters"


def plain_word(found: Any) -> str | None:
    good = isinstance(found, str) and re.fullmatch(r"[\w -]{1,40}", found)
    return None if good else "a word"


def file_name(found: Any) -> str | None:
    """The name of a file alone: no path, which could lead out of its folder."""
    good = isinstance(found, str) and re.fullmatch(r"(?!\.\.?$)[\w.-]{1,255}", found)
    return None if good else "the name of a file"


def whole(found: Any) -> str | None:
    good = isinstance(found, int) and not isinstance(found, bool) and abs(found) < LARGEST
    return None if good else "a whole number"


def count(found: Any) -> str | None:
    return "a whole number of at least 0" if whole(found) or found < 0 else None


def positive(found: Any) -> str | None:
    return "a whole number of at least 1" if whole(found) or found < 1 else None


def few(found: Any) -> str | None:
    """A number of things that are gone through one by one."""
    return "a whole number from 1 to 100,000" if positive(found) or found > 100_000 else None


def small(found: Any) -> str | None:
    return "a whole number from 1 to 10,000" if positive(found) or found > 10_000 else None


def short_text(found: Any) -> str | None:
    good = isinstance(found, str) and len(found) <= 100
    return None if good else "a text of at most 100 characters"


def number(found: Any) -> str | None:
    good = isinstance(found, (int, float)) and not isinstance(found, bool)
    return None if good and abs(found) < 1e300 else "a finite number"


def seconds(found: Any) -> str | None:
    good = not number(found) and 0 <= found <= CENTURIES
    return None if good else f"a number from 0 to {CENTURIES:.0e}"


def flag(found: Any) -> str | None:
    return None if isinstance(found, bool) else "true or false"


def moment(found: Any) -> str | None:
    try:
        good = datetime.fromisoformat(found).tzinfo is not None
    except UNREADABLE:
        good = False
    return None if good else "a time in ISO 8601 with its zone"


def optional(rule: Rule) -> Rule:
    """The rule of values that are null or obey another rule."""

    def check(found: Any) -> str | None:
        wrong = None if found is None else rule(found)
        return wrong and f"{wrong}, or null"

    return check


def one_of(*values: str) -> Rule:
    """The rule of values that are one of these texts."""
    return lambda found: None if found in values else f"one of {', '.join(values)}"


def list_of(rule: Rule) -> Rule:
    """A list, each of whose items is right by this rule."""

    def check(found: Any) -> str | None:
        if not isinstance(found, list):
            return "a list"
        wrong = next((wrong for item in found if (wrong := rule(item))), None)
        return wrong and f"a list, each item {wrong}"

    return check


def fields(rules: Mapping[str, Rule], *, others: bool = True) -> Rule:
    """An object with these fields; `others`: there may be more of them."""

    def check(found: Any) -> str | None:
        if not isinstance(found, dict):
            return "an object"
        for key, rule in rules.items():
            wrong = rule(found.get(key))
            if wrong:
                return f"an object whose `{key}` is {wrong}"
        unknown = next((key for key in found if key not in rules), None)
        if unknown is not None and not others:
            return f"an object without a field {short(unknown, 40)}"
        return None

    return check


def details(found: Any) -> str | None:
    """What an outcome may carry."""
    try:
        Trained(score=0.0, details=found)
    except InvalidSpace:
        return "an object of plain values"
    return None


def all_of(first: Rule, second: Rule) -> Rule:
    """What both rules ask for."""
    return lambda found: first(found) or second(found)


def quoted(text: str) -> str:
    """A name in a message."""
    return repr(clipped(text, 80))
