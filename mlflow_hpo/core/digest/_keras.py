"""Keras's objects: by their configuration, with automatic names counted anew, and what a configuration leaves out."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Hashable, Iterator
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from mlflow_hpo.core.digest._described import Described, attributes, sequence
from mlflow_hpo.core.digest._functions import describe_wrapper
from mlflow_hpo.core.digest._modules import is_installed

_NUMBERED = re.compile(r"_\d+$")


def describe_keras(value: Any) -> Described:
    """Describe an object of Keras or TensorFlow, or of a user's subclass.

    Raises
    ------
    LookupError
        It has neither a configuration nor a value: its state says more.
    """
    if isinstance(value, list | tuple):  # lists that keep track of what is put into them
        return sequence("list", list(value))
    if isinstance(value, dict):
        return Described("dict", [dict(value)])
    if hasattr(value, "__wrapped__"):  # tf.function
        return describe_wrapper(value)
    if callable(getattr(value, "numpy", None)):
        return Described("tensor", [np.asarray(value.numpy())])
    if not hasattr(value, "get_config"):
        raise LookupError
    parts = {
        "config": _config(value),
        "compiled": _renamed(getattr(value, "get_compile_config", lambda: None)()),
        "weights": [np.asarray(weight) for weight in getattr(value, "get_weights", list)()],
        "layers": list(getattr(value, "layers", [])),
        **_unsaid(value),
    }
    return Described("keras", [type(value), attributes("state", parts)], kept=True)


def _config(value: Any) -> Any:
    try:
        return _renamed(value.get_config())
    except NotImplementedError:  # of a user's class that does not say how it is made
        return None


def _unsaid(value: Any) -> dict[str, Any]:
    """Return what a configuration may lack: functions, of which it has the names, and a subclass's attributes."""
    known = _keras_names(*type(value).__mro__)
    return {k: v for k, v in vars(value).items() if k not in known or (isinstance(v, FunctionType) and _is_users(v))}


@lru_cache
def _keras_names(*bases: Hashable) -> frozenset[str]:
    installed = [base for base in bases if isinstance(base, type) and is_installed(base.__module__)]
    return frozenset(name for base in installed for name in _names(base))


def _is_users(function: FunctionType) -> bool:
    return not is_installed(function.__globals__.get("__name__") or "")


def _names(base: type) -> Iterator[str]:
    """Yield the names that the methods of a class use: attributes that it sets itself are among them."""
    for value in vars(base).values():
        function = inspect.unwrap(getattr(value, "fget", None) or getattr(value, "__func__", value))
        if isinstance(function, FunctionType):
            yield from _code_names(function.__code__)


def _code_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_names(constant)


def _renamed(config: Any) -> Any:
    """Return a configuration with names numbered from the first on: Keras counts on as long as a process lives."""
    numbers: Counter[str] = Counter()
    new: dict[str, str] = {}
    for name in dict.fromkeys(_given_names(config)):
        stem = _NUMBERED.sub("", name)
        new[name] = f"{stem}#{numbers[stem]}"
        numbers[stem] += 1
    return _replaced(config, new)


def _given_names(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        if isinstance(config.get("name"), str):
            yield config["name"]
        for value in config.values():
            yield from _given_names(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _given_names(value)


def _replaced(config: Any, new: dict[str, str]) -> Any:
    if isinstance(config, dict):
        return {key: _replaced(value, new) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [_replaced(value, new) for value in config]
    return new.get(config, config) if isinstance(config, str) else config
