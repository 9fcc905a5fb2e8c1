"""The errors and warnings that a user of this package can meet.

    EgnasError
    ├── InvalidSpace (ValueError)   a space, an architecture or an option is out of its bounds
    ├── DataError                   a data set is missing, damaged or unsuitable
    ├── SearchError                 a storage or a search in it cannot be used as asked
    ├── TraceError                  a recorded search cannot be read
    ├── SearchDone                  the walk has ended: there is nothing left to ask for
    └── NothingToTrain              all that is left to do is in the hands of other workers

    EgnasWarning (UserWarning)      what was asked for has no effect here, or not the one meant

Each message is one line of fewer than 400 characters that names the bound, then the value.
"""

from ._core.text import one_line


class EgnasError(Exception):
    """Base of every error that this package raises on purpose."""

    def __str__(self) -> str:
        """The message on one line; of what is too long, the middle is left out."""
        return one_line(super().__str__())


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

    def __str__(self) -> str:
        """The words on one line, as those of an error."""
        return one_line(super().__str__())
