"""Digests of all that decides a trial's result: values, data, estimators, and functions by their code.

Values that differ in what they do have different digests. The reverse is not promised: numpy's 1 is not Python's 1, and
another version of Python, whose bytecode differs, or of a package that is used gives another digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow_hpo.core.digest._describe import describe
from mlflow_hpo.core.digest._errors import UndigestibleError
from mlflow_hpo.core.digest._graph import Graph

__all__ = ["UndigestibleError", "digest", "digest_parts"]


def digest(value: Any) -> str:
    """Return the digest of a value: the same in every process where the value does the same.

    Parameters
    ----------
    value : object
        Plain data, arrays and tables; estimators, which count by their parameters; distributions, splitters, random
        generators by their state; functions and classes by their code and all that it reads.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    UndigestibleError
        Something in it exists in this process only, such as an open file or a lock.

    Notes
    -----
    A function of the user counts by its bytecode, defaults, closure and the globals it reads, functions and classes
    among them in the same way; line numbers, file names, docstrings and comments do not count. A module that is used as
    a whole (`helpers.layer()`, or an import within a function) counts by its source file and those of the
    user's modules it imports. What belongs to Python or an installed package counts by its name and version. Data files
    that code reads, environment variables and modules that are imported by a computed name are not seen.

    Examples
    --------
    >>> digest({"units": 64, "rate": 0.1}) == digest({"rate": 0.1, "units": 64})
    True
    >>> len({digest(1), digest(1.0), digest(True)})
    3
    """
    return Graph(describe).digest(value)


def digest_parts(parts: Mapping[str, Any]) -> dict[str, str]:
    """Return the digest of each named part.

    Parameters
    ----------
    parts : mapping of str to object
        The parts; errors name them.

    Returns
    -------
    dict of str to str
        The digests by the same names.

    Raises
    ------
    UndigestibleError
        A part cannot be digested; the path in the message begins with the part's name.

    Examples
    --------
    >>> digest_parts({"space": [1, 2]}) == {"space": digest([1, 2])}
    True
    """
    return {name: _digest_part(name, value) for name, value in parts.items()}


def _digest_part(name: str, value: Any) -> str:
    try:
        return digest(value)
    except UndigestibleError as error:
        error.enter(name)
        raise
