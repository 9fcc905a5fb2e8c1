"""The errors and warnings that a user of this package can meet.

    EgnasError
    ├── InvalidSpace (ValueError)   a space, an architecture or an option is out of its bounds
    ├── DataError                   a data set is missing, damaged or unsuitable
    ├── SearchError                 a storage or a search in it cannot be used as asked
    ├── TraceError                  a recorded search cannot be read
    ├── SearchDone                  the walk has ended: there is nothing left to ask for
    └── NothingToTrain              other workers train all that is left to do

    EgnasWarning (UserWarning)      what was asked for has no effect here, or not the one meant

Each message is one line of fewer than 400 characters that names the bound, then the value.
"""

from __future__ import annotations

from ._core.text import one_line

__all__ = [
    "DataError",
    "EgnasError",
    "EgnasWarning",
    "InvalidSpace",
    "NothingToTrain",
    "SearchDone",
    "SearchError",
    "TraceError",
]


class EgnasError(Exception):
    """Base of every error that this package raises on purpose.

    Examples:
        >>> from optuna_egnas import Budget, EgnasError
        >>> try:
        ...     Budget(epochs=0)
        ... except EgnasError as error:
        ...     print(error)
        `epochs` must be a whole number of at least 1, but got epochs=0.
    """

    def __str__(self) -> str:
        """The message on one line; of what is too long, the middle is left out."""
        return one_line(super().__str__())


class InvalidSpace(EgnasError, ValueError):
    """A space, an architecture or an option is out of its bounds.

    Examples:
        >>> from optuna_egnas import MacroSpace
        >>> MacroSpace(min_depth=0)
        Traceback (most recent call last):
        optuna_egnas.errors.InvalidSpace: `min_depth` must be at least 1, but got min_depth=0.
    """


class DataError(EgnasError):
    """A data set is missing, damaged or unsuitable.

    Examples:
        >>> from optuna_egnas.options import DataOptions
        >>> DataOptions(test_fraction=1)
        Traceback (most recent call last):
        optuna_egnas.errors.DataError: `test_fraction` must be above 0 and below 1, but got ...
    """


class SearchError(EgnasError):
    """A storage, or a search in it, cannot be used as asked.

    Examples:
        >>> from optuna_egnas import create_linked_studies
        >>> create_linked_studies(storage="egnas.db", name="mine")
        Traceback (most recent call last):
        optuna_egnas.errors.SearchError: A storage must be a URL such as sqlite:///egnas.db or ...
    """


class TraceError(EgnasError):
    """A recorded search cannot be read.

    Examples:
        >>> from pathlib import Path
        >>> from optuna_egnas.replay import read_trace
        >>> read_trace(Path("missing.json"))
        Traceback (most recent call last):
        optuna_egnas.errors.TraceError: Cannot read the trace missing.json: No such file ...
    """


class SearchDone(EgnasError):
    """The walk has ended: there is nothing left to ask for.

    Examples:
        >>> import optuna
        >>> from optuna_egnas import MacroSampler, MacroSpace
        >>> space = MacroSpace(min_depth=1, max_depth=1, min_width=4, max_width=4)
        >>> study = optuna.create_study(direction="maximize", sampler=MacroSampler(space))
        >>> first = study.ask()
        >>> depth = first.suggest_int("depth", 1, 50)
        >>> frozen = study.tell(first, 0.9)
        >>> study.ask().suggest_int("depth", 1, 50)
        Traceback (most recent call last):
        optuna_egnas.errors.SearchDone: The walk has ended: no candidate is left to ask for.
    """


class NothingToTrain(EgnasError):
    """All that is left to do is in the hands of other workers: ask again later.

    Examples:
        >>> import optuna
        >>> from optuna_egnas import MacroSampler, MacroSpace
        >>> space = MacroSpace(min_depth=1, max_depth=1, min_width=4, max_width=4)
        >>> study = optuna.create_study(direction="maximize", sampler=MacroSampler(space))
        >>> first = study.ask()
        >>> depth = first.suggest_int("depth", 1, 50)
        >>> study.ask().suggest_int("depth", 1, 50)  # the only network is in training
        Traceback (most recent call last):
        optuna_egnas.errors.NothingToTrain: Other workers are training all remaining ...
    """


class EgnasWarning(UserWarning):
    """What was asked for has no effect here, or not the one that was meant; said once.

    Examples:
        >>> import optuna, warnings
        >>> from optuna_egnas import MacroSampler, MacroSpace
        >>> study = optuna.create_study(direction="maximize", sampler=MacroSampler(MacroSpace()))
        >>> trial = study.ask()
        >>> with warnings.catch_warnings(record=True) as said:
        ...     warnings.simplefilter("always")
        ...     frozen = study.tell(trial, 90)  # a percentage; fractions of 1 are meant
        >>> said[0].category.__name__
        'EgnasWarning'
    """

    def __str__(self) -> str:
        """The words on one line, as those of an error."""
        return one_line(super().__str__())
