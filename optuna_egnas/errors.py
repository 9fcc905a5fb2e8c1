"""The errors that a user of this package can meet.

    EgnasError
    ├── InvalidSpace (ValueError)   a space, an architecture or an option is out of its bounds
    ├── DataError                   a data set is missing, damaged or unsuitable
    ├── SearchError                 a storage or a search in it cannot be used as asked
    ├── TraceError                  a recorded search cannot be read
    ├── SearchDone                  the walk has ended: there is nothing left to ask for
    └── NothingToTrain              all that is left to do is in the hands of other workers

Each message is one line of fewer than 400 characters that names the bound, then the value.
"""

REPEATED = 160
"""Characters of somebody else's error that a message repeats."""
LONGEST = 399
"""Characters of a message."""


def short(found: object, at_most: int = 60) -> str:
    """A value as a message shows it: on one line, and cut where it is long."""
    try:
        shown = " ".join(repr(found).split())
    # Python writes neither whole numbers of thousands of digits nor what is nested as deeply.
    except (ValueError, RecursionError):
        shown = f"<{type(found).__name__} too large to show>"
    return shown if len(shown) <= at_most else f"{shown[: at_most - 3]}..."


class EgnasError(Exception):
    """Base of every error that this package raises on purpose."""

    def __str__(self) -> str:
        """The message on one line; of what is too long, the middle is left out."""
        text = " ".join(super().__str__().splitlines())
        half = (LONGEST - 5) // 2
        return text if len(text) <= LONGEST else f"{text[:half]} ... {text[-half:]}"


class InvalidSpace(EgnasError, ValueError):
    """A space, an architecture or an option is out of its bounds."""


class DataError(EgnasError):
    """A data set is missing, damaged or unsuitable."""


class SearchError(EgnasError):
    """A storage, or a search in it, cannot be used as asked."""


class TraceError(EgnasError):
    """A recorded search cannot be read."""


class SearchDone(EgnasError):
    """The walk has ended: there is nothing left to ask for."""


class NothingToTrain(EgnasError):
    """All that is left to do is in the hands of other workers: ask again later."""


def one_line(error: Exception) -> str:
    """The kind and the text of somebody else's error, without line breaks, cut where long."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= REPEATED else f"{text[:REPEATED]}..."
