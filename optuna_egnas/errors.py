"""The errors and warnings that a user of this package can meet.

    EgnasError
    ├── InvalidSpace (ValueError)   a space, an architecture or an option is out of its bounds
    ├── DataError                   a data set is missing, damaged or unsuitable
    ├── SearchError                 a storage or a search in it cannot be used as asked
    ├── TraceError                  a recorded search cannot be read
    ├── SearchDone                  the walk has ended: there is nothing left to ask for
    └── NothingToTrain              all that is left to do is in the hands of other workers

    EgnasWarning (UserWarning)      what was asked for has no effect here, or not the one meant

Each message is one line that names the bound, then the value.
"""

LONGEST = 160
"""Characters of somebody else's error that are repeated."""


class EgnasError(Exception):
    """Base of every error that this package raises on purpose."""


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


class EgnasWarning(UserWarning):
    """What was asked for has no effect here, or not the one that was meant; said once."""


def one_line(error: Exception) -> str:
    """The kind and the text of somebody else's error, without line breaks, cut where long."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
