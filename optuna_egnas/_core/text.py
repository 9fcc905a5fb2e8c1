"""Text that users, files and other programs have given, made safe to be shown.

Names, class names, paths and error messages may hold anything: line breaks, escape sequences that
a terminal obeys, marks that turn the direction of writing, the syntax of Markdown or HTML.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from html import escape

UNSEEN = frozenset("\u00ad\u061c\u200b\u200e\u200f\u2060\ufeff\ufffe\uffff")
"""Signs that are not seen, beside those of whole categories."""
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Signs that change the direction in which what follows is shown."""
CATEGORIES = frozenset(("Cc", "Cs", "Zl", "Zp"))
"""Controls, halves of a character (bytes that are no text), line and paragraph separators."""
LONGEST, TAIL = 390, 130
"""Characters of a message of one line; of these, so many from its end where it is shortened."""
REPEATED = 160
"""Characters of somebody else's error that a message repeats."""


def printable(text: str) -> str:
    r"""The text with all that is not seen, or that a terminal obeys, as escapes.

    Examples:
        >>> printable("two\nlines")
        'two\\nlines'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(sign) if _is_hidden(sign) else sign for sign in text)


def one_line(message: str) -> str:
    """A message as one line of at most `LONGEST` characters, shortened in its middle."""
    line = printable(" ".join(message.splitlines()))
    if len(line) <= LONGEST:
        return line
    return f"{line[: LONGEST - TAIL - 5]} ... {line[-TAIL:]}"


def short(found: object, longest: int = 60) -> str:
    r"""A value as a message shows it: on one line, and cut where it is long.

    Examples:
        >>> short(["a", 1])
        "['a', 1]"
    """
    try:
        # Of what may be of any length, the beginning.
        shown = repr(found[:200] if isinstance(found, (str, bytes, list)) else found)
    # Python writes neither whole numbers of thousands of digits nor what is nested as deeply, and
    # objects of others may raise anything.
    except Exception:
        shown = f"<{type(found).__name__} too large to show>"
    return clipped(printable(" ".join(shown.split())), longest)


def reason(error: BaseException) -> str:
    """The kind and the text of somebody else's error, without line breaks, cut where long."""
    return clipped(" ".join(f"{type(error).__name__}: {error}".split()), REPEATED)


def clipped(text: str, longest: int) -> str:
    """Cut a text to a number of characters; three dots show that something was cut off."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def markdown(text: str) -> str:
    r"""The text as Markdown that shows it as it is.

    Examples:
        >>> markdown("a *b*")
        'a \\*b\\*'
    """
    escaped = re.sub(r"([\\`*_{}\[\]<>#|~$&!])", r"\\\1", printable(text))
    # Addresses become links by themselves, some without their scheme.
    return re.sub(r"(?i)(:)(?=//)|(?<=www)(\.)", r"\\\1\2", escaped)


def html(text: str) -> str:
    """The text as HTML, and as plotly reads it."""
    return escape(printable(text))


def shell_word(text: str) -> str:
    r"""The text as one word of a command line of bash or zsh, on one line.

    Examples:
        >>> shell_word("two\nlines")
        "$'two\\nlines'"
    """
    if printable(text) == text:
        return shlex.quote(text)
    plain = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{printable(plain)}'"


def _is_hidden(sign: str) -> bool:
    return unicodedata.category(sign) in CATEGORIES or sign in UNSEEN or sign in TURNING


def _escaped(sign: str) -> str:
    if "\udc80" <= sign <= "\udcff":
        # A byte of a file name or an argument that is no text.
        return f"\\x{ord(sign) - 0xDC00:02x}"
    return sign.encode("unicode_escape").decode("ascii")
