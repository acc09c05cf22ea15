"""The errors people meet: what is wrong, what is allowed, what to do next."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_LONGEST = 500
_DRAWN = re.compile(r"-{5,}|\x1b\[[\d;]*m")  # what libraries draw between the parts of a message, and their colours


class HPOError(Exception):
    """Root of every error that mlflow_hpo raises on purpose."""


class InvalidArgumentError(HPOError, ValueError):
    """A parameter holds a value that is not allowed."""


class UnsupportedOptionError(HPOError, NotImplementedError):
    """An option exists in the interface, but this version cannot honour it."""


class StudyFileError(HPOError, ValueError):
    """A study file cannot be used as it is written."""


class StudyIsRunningError(HPOError):
    """Another process runs the study of the same name."""


class StoreDeniedError(HPOError, PermissionError):
    """The tracking store does not let this user write."""


class NonFiniteLossError(HPOError, ArithmeticError):
    """The loss of a fit is NaN or infinite: what it trains further is lost time."""


class MissingPackageError(HPOError, ImportError):
    """What was asked for needs a package that is not installed."""


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
    known = {name.casefold(): name for name in allowed}
    close = [known[name] for name in difflib.get_close_matches(word[:_LONGEST].casefold(), known, n=1)]
    return f" Did you mean {close[0]!r}?" if close else ""


def brief(error: BaseException) -> str:
    r"""Return what an error of somebody else's says, as one line of bounded length.

    Parameters
    ----------
    error : BaseException
        Any error; one that cannot even say what it is has its type named.

    Returns
    -------
    str
        Its type and its message; of a message that quotes a traceback, what stands before it and what it ends with.

    Examples
    --------
    >>> brief(ValueError("no such\n    column"))
    'ValueError: no such column'
    """
    try:
        said = str(error)
    except Exception:  # the message is code too
        said = ""
    before, quoted, after = said.partition("Traceback (most recent call last):")
    if quoted:
        said = f"{before} {_last_error(after)}"
    return _cut(f"{type(error).__name__}: {_DRAWN.sub(' ', said)}".strip().removesuffix(":"))


def _last_error(traceback: str) -> str:
    """Return the line that a traceback ends with: the first below it that is not indented."""
    return next((line for line in traceback.splitlines() if line.strip() and not line.startswith(" ")), "")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
