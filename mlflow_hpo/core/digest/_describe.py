"""Which kind of value is taken apart by which function."""

from __future__ import annotations

import functools
from collections.abc import Callable
from enum import Enum
from types import CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

import numpy as np

from mlflow_hpo.core.digest import _arrays, _functions, _objects
from mlflow_hpo.core.digest._code import describe_code
from mlflow_hpo.core.digest._described import Described, mapping, sequence
from mlflow_hpo.core.digest._modules import Source, describe_module, describe_source


def _set(value: Any) -> Described:
    return Described("set", list(value), lambda _: "{...}", ordered=False)


# Subclasses of these hold more than their items.
_EXACTLY: dict[type, Callable[[Any], Described]] = {
    list: functools.partial(sequence, "list"),
    tuple: functools.partial(sequence, "tuple"),
    dict: functools.partial(mapping, "dict"),
    set: _set,
    frozenset: _set,
    MappingProxyType: functools.partial(mapping, "dict"),
    np.ndarray: _arrays.describe_array,
    np.memmap: _arrays.describe_array,
    CodeType: describe_code,
    Source: describe_source,
    property: _functions.describe_property,
    staticmethod: _functions.describe_wrapper,
    classmethod: _functions.describe_wrapper,
    functools.cached_property: _functions.describe_wrapper,
    FunctionType: _functions.describe_function,
    MethodType: _functions.describe_method,
}
# The first that fits.
_INSTANCES: dict[type, Callable[[Any], Described]] = {
    Enum: _objects.describe_member,
    type: _functions.describe_class,
    ModuleType: describe_module,
    functools.partial: _functions.describe_partial,
    np.generic: _arrays.describe_scalar,
    np.ufunc: _arrays.describe_ufunc,
    set: lambda value: Described("set subclass", [type(value), frozenset(value), vars(value)], kept=True),
}


def describe(value: Any, kept: bool) -> Described:
    """Take a value apart, one level deep.

    Parameters
    ----------
    value : object
        Anything but the plain values that are hashed as they are.
    kept : bool
        Whether an estimator counts with its whole state, not by its parameters alone.

    Raises
    ------
    UndigestibleError
        It has no parts that another process would have too.
    """
    handler = _EXACTLY.get(type(value))
    if handler is not None:
        return handler(value)
    for kind, handler in _INSTANCES.items():
        if isinstance(value, kind):
            return handler(value)
    return _objects.describe_object(value, kept)
