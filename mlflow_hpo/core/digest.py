"""Digests of all that decides a trial's result: values, data, estimators, and the code of functions with what they use.

joblib's hash names a function that is imported and does not see that it was edited: stale scores would be replayed.
Here a function of the user's counts by its code, its closure and the globals it refers to, down to the constants and
helpers in other modules of the user's; one of an installed package counts by its name and the package's version.
Comments, docstrings and line numbers do not count. Another version of Python compiles other code: other digests.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import importlib.metadata
import re
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

import numpy as np
import pandas as pd

from mlflow_hpo.core._user_code import code_parts, imported_modules, is_user_module
from mlflow_hpo.core.errors import HPOError

_LENGTH = 32
# Python's own entries of a class, some of them only at times.
_NOT_OF_A_CLASS = frozenset(
    {
        *("__dict__", "__doc__", "__module__", "__weakref__", "__qualname__", "__annotations__", "__slotnames__"),
        *("__firstlineno__", "__static_attributes__", "__abstractmethods__", "_abc_impl"),
        *("__parameters__", "__orig_bases__"),
    }
)
_NUMBERED = re.compile(r"_\d+$")


class UndigestibleError(HPOError):
    """A value says nothing about itself that would be the same in another process."""


def digest(value: Any) -> str:
    """Return the digest of a value: equal for equal values, in every process.

    Parameters
    ----------
    value : object
        Plain data, arrays, tables, estimators, functions, and whatever they hold.

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    UndigestibleError
        Something in it is known by its identity alone; the message says what, and where.

    Examples
    --------
    >>> digest({"a": 1, "b": [2.0]}) == digest({"b": [2.0], "a": 1})
    True
    >>> digest(1) == digest(1.0)
    False
    """
    return _Walk().digest(value, "")


def digest_parts(parts: Mapping[str, Any]) -> dict[str, str]:
    """Return the digest of each of several values.

    Parameters
    ----------
    parts : mapping of str to object

    Raises
    ------
    UndigestibleError
        The message begins with the part's name.
    """
    return {name: _Walk().digest(value, name) for name, value in parts.items()}


class _Walk:
    """Walks one object graph; objects that are met again inside of themselves count by their depth."""

    def __init__(self) -> None:
        self._above: dict[int, int] = {}

    def digest(self, value: Any, path: str) -> str:
        """Return the digest of what is at a path."""
        if id(value) in self._above:
            return self._hash("again", [str(self._above[id(value)])])
        self._above[id(value)] = len(self._above)
        try:
            return self._digest(value, path)
        finally:
            del self._above[id(value)]

    def _digest(self, value: Any, path: str) -> str:
        for kinds, method in _METHODS:
            if isinstance(value, kinds):
                return method(self, value, path)
        return self._instance(value, path)

    def _hash(self, kind: str, parts: Iterable[str | bytes | memoryview]) -> str:
        state = hashlib.sha256(kind.encode())
        for part in parts:
            data = part.encode() if isinstance(part, str) else part
            state.update(len(data).to_bytes(8, "little"))
            state.update(data)
        return state.hexdigest()[:_LENGTH]

    def _all(self, kind: str, values: Mapping[str, Any], path: str) -> str:
        """Return the digest of named parts of one thing."""
        return self._hash(kind, [name + self.digest(values[name], _join(path, name)) for name in sorted(values)])

    def plain(self, value: Any, path: str) -> str:
        return self._hash(type(value).__name__, [repr(value)])

    def raw(self, value: Any, path: str) -> str:
        return self._hash("bytes", [bytes(value)])

    def enumeration(self, value: enum.Enum, path: str) -> str:
        return self._hash("enum", [_qualified(type(value)), value.name])

    def sequence(self, value: list[Any] | tuple[Any, ...], path: str) -> str:
        items = [self.digest(item, f"{path}[{index}]") for index, item in enumerate(value)]
        return self._hash(type(value).__name__, items)

    def unordered(self, value: Set[Any], path: str) -> str:
        return self._hash("set", sorted(self.digest(item, path) for item in value))

    def mapping(self, value: Mapping[Any, Any], path: str) -> str:
        items = [
            self.digest(key, path) + self.digest(item, _join(path, key if isinstance(key, str) else repr(key)))
            for key, item in value.items()
        ]
        return self._hash("mapping", sorted(items))

    def array(self, value: np.ndarray, path: str) -> str:
        if value.dtype.hasobject:
            return self._hash("objects", [str(value.shape), self.sequence(value.ravel().tolist(), path)])
        data = np.ascontiguousarray(value).reshape(-1).view(np.uint8) if value.size else np.empty(0, np.uint8)
        return self._hash("array", [str(value.dtype), str(value.shape), data.data])

    def scalar(self, value: np.generic, path: str) -> str:
        return self._hash("scalar", [str(value.dtype), value.tobytes()])

    def random_state(self, value: np.random.RandomState, path: str) -> str:
        return self._hash("random", [self.digest(value.get_state(legacy=False), path)])

    def generator(self, value: np.random.Generator, path: str) -> str:
        return self._hash("random", [self.digest(value.bit_generator.state, path)])

    def table(self, value: pd.DataFrame, path: str) -> str:
        columns = [self.column(value.iloc[:, place], path) for place in range(value.shape[1])]
        return self._hash("table", [self.digest(value.index, path), self.digest(value.columns, path), *columns])

    def column(self, value: pd.Series | pd.Index, path: str) -> str:
        values = value.astype(object) if isinstance(value.dtype, pd.api.extensions.ExtensionDtype) else value
        index = [self.digest(value.index, path)] if isinstance(value, pd.Series) else []
        return self._hash("column", [str(value.dtype), self.digest(values.to_numpy(), path), *index])

    def missing(self, value: Any, path: str) -> str:
        return self._hash("missing", [repr(value)])

    def module(self, value: types.ModuleType, path: str) -> str:
        return self._modules([value.__name__])

    def _modules(self, names: Iterable[str]) -> str:
        """Return the digest of modules: of the user's with all of theirs that they import, of others their version."""
        parts = [f"{name}{content}" for name, content in sorted(imported_modules(names).items())]
        return self._hash("modules", parts)

    def function(self, value: types.FunctionType, path: str) -> str:
        if not is_user_module(value.__module__):
            return self._named(value)
        code = code_parts(value)
        held = {
            "defaults": value.__defaults__,
            "keyword defaults": value.__kwdefaults__,
            "closure": [_content(cell) for cell in value.__closure__ or ()],
            **code.references,
        }
        return self._hash("function", [code.digest, self._modules(code.imports), self._all("uses", held, path)])

    def bound_method(self, value: types.MethodType, path: str) -> str:
        return self._hash("method", [self.digest(value.__func__, path), self.digest(value.__self__, path)])

    def partial(self, value: functools.partial[Any], path: str) -> str:
        return self._all("partial", {"function": value.func, "args": value.args, "keywords": value.keywords}, path)

    def wrapped(self, value: Any, path: str) -> str:
        return self._hash(type(value).__name__, [self.digest(value.__func__, path)])

    def property_(self, value: property, path: str) -> str:
        return self._hash("property", [self.digest([value.fget, value.fset, value.fdel], path)])

    def class_(self, value: type, path: str) -> str:
        if not is_user_module(value.__module__):
            return self._named(value)
        members = {name: member for name, member in vars(value).items() if name not in _NOT_OF_A_CLASS}
        return self._hash("class", [self.digest(value.__bases__, path), self._all("members", members, path)])

    def builtin(self, value: Any, path: str) -> str:
        owner = getattr(value, "__self__", None)
        if owner is None or isinstance(owner, types.ModuleType):
            return self._named(value)
        return self._hash("method", [value.__name__, self.digest(owner, path)])

    def _named(self, value: Any) -> str:
        module = getattr(value, "__module__", None) or ""
        return self._hash("named", [_qualified(value), _version(module.partition(".")[0])])

    def _instance(self, value: Any, path: str) -> str:
        kind = type(value)
        identity = self.digest(kind, path)
        if hasattr(value, "get_params") and hasattr(kind, "_get_param_names"):
            return self._hash("estimator", [identity, self._all("params", value.get_params(deep=False), path)])
        if _is_keras(kind) and hasattr(value, "get_config"):
            return self._hash("keras", [identity, self.digest(_without_numbers(value.get_config()), path)])
        return self._hash("instance", [identity, *(self.digest(part, path) for part in _state(value, path))])


_METHODS: list[tuple[Any, Callable[[_Walk, Any, str], str]]] = [
    (enum.Enum, _Walk.enumeration),
    (np.generic, _Walk.scalar),  # before `float`: some are
    ((bool, int, float, complex, str, type(None), type(Ellipsis), slice, range), _Walk.plain),
    ((bytes, bytearray), _Walk.raw),
    ((list, tuple), _Walk.sequence),
    ((set, frozenset), _Walk.unordered),
    ((dict, types.MappingProxyType), _Walk.mapping),
    (np.ndarray, _Walk.array),
    (np.random.RandomState, _Walk.random_state),
    (np.random.Generator, _Walk.generator),
    (pd.DataFrame, _Walk.table),
    ((pd.Series, pd.Index), _Walk.column),
    ((type(pd.NA), type(pd.NaT)), _Walk.missing),
    (types.ModuleType, _Walk.module),
    (types.FunctionType, _Walk.function),
    (types.MethodType, _Walk.bound_method),
    (functools.partial, _Walk.partial),
    ((staticmethod, classmethod), _Walk.wrapped),
    (property, _Walk.property_),
    (type, _Walk.class_),
    ((types.BuiltinFunctionType, np.ufunc, types.WrapperDescriptorType, types.MethodDescriptorType), _Walk.builtin),
]


def _state(value: Any, path: str) -> list[Any]:
    """Return what an object would be pickled as, without its class."""
    try:
        reduced = value.__reduce_ex__(2)
    except Exception as error:
        raise UndigestibleError(
            f"{path or 'The value'} is a {_qualified(type(value))}, which says nothing about itself: {error}"
        ) from error
    if isinstance(reduced, str):
        return [reduced]
    # Objects that pickle their items one by one hand over iterators.
    function, args, state, items, pairs = (*reduced, *(None,) * 5)[:5]
    return [function, [arg for arg in args if arg is not type(value)], state, list(items or ()), list(pairs or ())]


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name that has no value yet
        return None


def _is_keras(kind: type) -> bool:
    return any(base.__module__.partition(".")[0] == "keras" for base in kind.__mro__)


def _without_numbers(config: Any) -> Any:
    """Return a Keras configuration without the numbers that Keras counts up within a process."""
    if isinstance(config, Mapping):
        return {
            key: _NUMBERED.sub("", item) if key == "name" and isinstance(item, str) else _without_numbers(item)
            for key, item in config.items()
        }
    return [_without_numbers(item) for item in config] if isinstance(config, list | tuple) else config


def _qualified(value: Any) -> str:
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", "")
    return f"{getattr(value, '__module__', None)}.{name}"


@functools.cache
def _version(package: str) -> str:
    version = getattr(sys.modules.get(package), "__version__", None)
    if isinstance(version, str):
        return version
    try:
        return importlib.metadata.version(package)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return ""


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
