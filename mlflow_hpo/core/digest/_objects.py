"""Objects: estimators by their parameters, Keras's objects by their configuration, all others by their state."""

from __future__ import annotations

import copyreg
import logging
import random
import sys
from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np

from mlflow_hpo.core.digest._arrays import describe_pandas, describe_scipy
from mlflow_hpo.core.digest._described import Described, attributes, mapping, sequence
from mlflow_hpo.core.digest._errors import undigestible
from mlflow_hpo.core.digest._functions import describe_wrapper, is_there
from mlflow_hpo.core.digest._keras import describe_keras
from mlflow_hpo.core.digest._modules import is_installed, reference

# Generators that a whole process shares: what state they are in is an accident, as with `random_state=None`.
_SHARED = {id(np.random.mtrand._rand): "numpy.random", id(random._inst): "random"}
_LIBRARIES = {
    "pandas": describe_pandas,
    "scipy": describe_scipy,
    "keras": describe_keras,
    "tensorflow": describe_keras,
}


def describe_object(value: Any, kept: bool) -> Described:
    """Describe an object that nothing else is known about.

    Parameters
    ----------
    value : object
        An instance of any class.
    kept : bool
        Whether an estimator counts with its whole state.
    """
    if id(value) in _SHARED:
        return Described("shared generator", [_SHARED[id(value)]])
    if isinstance(value, logging.Logger):  # its name is a module's
        return Described("logger")
    if _is_cloned(value) and not kept:
        return _describe_estimator(value)
    for library in _libraries(type(value)):
        try:
            return _LIBRARIES[library](value)
        except LookupError:
            continue
    return _describe_state(value)


def describe_member(member: Enum) -> Described:
    """Describe a member of an enumeration."""
    return attributes("enum", {"class": type(member), "name": member.name, "value": member.value})


def _libraries(cls: type) -> list[str]:
    return [root for base in cls.__mro__ if (root := base.__module__.partition(".")[0]) in _LIBRARIES]


def _is_cloned(value: Any) -> bool:
    """Return whether scikit-learn makes a new object of this one's parameters; a frozen estimator passes as it is."""
    if not hasattr(value, "get_params"):
        return False
    base = sys.modules.get("sklearn.base")
    clone = getattr(type(value), "__sklearn_clone__", None)
    return clone is None or (base is not None and clone is base.BaseEstimator.__sklearn_clone__)


def _describe_estimator(estimator: Any) -> Described:
    params = {name: _as_cloned(value) for name, value in estimator.get_params(deep=False).items()}
    return Described("estimator", [type(estimator), attributes("params", params, kept=False)])


def _as_cloned(value: Any) -> Any:
    """Follow `sklearn.base.clone` into estimators and collections of them; all else it copies with its state."""
    if type(value) in (list, tuple):
        return sequence(type(value).__name__, [_as_cloned(item) for item in value])
    if type(value) in (set, frozenset):
        return Described("set", [_as_cloned(item) for item in value], ordered=False)
    return value if _is_cloned(value) else Described("copied", [value], kept=True)


def _describe_state(value: Any) -> Described:
    if type(value) is object:
        raise undigestible(value, "it is nothing but itself")
    try:
        reduced = _reduced(value)
    except Exception as error:  # a method of anybody's class
        return _describe_otherwise(value, error)
    if isinstance(reduced, str):
        return _describe_global(value, reduced)
    make, args, state, items, pairs = (*reduced, None, None, None)[:5]
    parts = [make, args, _describe_attributes(state), items and list(items), pairs and mapping("items", dict(pairs))]
    return Described("object", parts, kept=True)


def _reduced(value: Any) -> Any:
    """Return what pickle would make the object of again."""
    registered: Callable[[Any], Any] | None = copyreg.dispatch_table.get(type(value))
    return value.__reduce_ex__(2) if registered is None else registered(value)


def _describe_attributes(state: Any) -> Any:
    match state:
        case dict():
            return attributes("state", state)
        case (None | dict(), dict() as slots):
            return Described("states", [attributes("state", state[0] or {}), attributes("slots", slots)])
    return state


def _describe_otherwise(value: Any, error: Exception) -> Described:
    """Describe an object that cannot be pickled: by the function that it wraps, if it has one."""
    if is_installed(type(value).__module__) and hasattr(value, "__wrapped__"):
        return describe_wrapper(value)
    raise undigestible(value, error) from error


def _describe_global(value: Any, name: str) -> Described:
    """Describe what pickles as a name: where it was defined is asked of itself, not of all modules there are."""
    module = getattr(value, "__module__", None) or type(value).__module__
    if is_installed(module) and is_there(module, name, value):
        return reference(module, name)
    if hasattr(value, "__wrapped__"):
        return describe_wrapper(value)
    return Described("global", [type(value), name])
