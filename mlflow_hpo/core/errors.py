"""The errors people meet: what is wrong, what is allowed, what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HPOError(Exception):
    """Root of every error that mlflow_hpo raises on purpose."""


class InvalidArgumentError(HPOError, ValueError):
    """A parameter holds a value that is not allowed."""


class UnsupportedOptionError(HPOError, NotImplementedError):
    """An option exists in the interface, but this version cannot honour it."""


class StudyFileError(HPOError, ValueError):
    """A study file cannot be used as it is written."""


class NotFoundError(HPOError, LookupError):
    """A run, a trial or a model that was named does not exist."""


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Word the hint for a name that is close to an allowed one.

    Parameters
    ----------
    word : str
        The name that was given.
    allowed : iterable of str
        The names that would have been accepted.

    Returns
    -------
    str
        A sentence that starts with a space, or an empty string where nothing is close.

    Examples
    --------
    >>> did_you_mean("learning_rat", ["learning_rate", "dropout_rate"])
    " Did you mean 'learning_rate'?"
    >>> did_you_mean("zzz", ["learning_rate"])
    ''
    """
    close = difflib.get_close_matches(word, list(allowed), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
