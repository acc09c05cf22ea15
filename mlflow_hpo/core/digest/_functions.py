"""Functions and classes: the user's by their code and what it reads, those of packages by name and version."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator
from types import CellType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from mlflow_hpo.core.digest._code import references
from mlflow_hpo.core.digest._described import Described, attributes, mapping
from mlflow_hpo.core.digest._modules import Source, find, imported, is_installed, reference

# They say where code stands, not what it does.
_WHERE = frozenset({"__name__", "__qualname__", "__module__", "__file__", "__path__", "__package__", "__spec__"})
_PLACE = _WHERE | {"__loader__", "__cached__", "__builtins__", "__doc__", "__firstlineno__"}
# What Python and its library keep on a class, some of it only once the class was used.
_KEPT_ON_CLASSES = _PLACE | {
    "__dict__",
    "__weakref__",
    "__annotations__",
    "__annotate__",
    "__annotate_func__",
    "__annotations_cache__",
    "__static_attributes__",
    "__slotnames__",
    "_abc_impl",
}


def describe_function(function: FunctionType) -> Described:
    """Describe a function by its code, what it closes over and the globals it reads."""
    own: dict[str, Any] = {
        "__code__": function.__code__,
        "__defaults__": _constants(function.__defaults__ or ()),
        "__kwdefaults__": mapping("kwdefaults", _named(function.__kwdefaults__ or {})),
        "__closure__": mapping("closure", _named(_closure(function))),
    }
    module = function.__globals__.get("__name__") or ""
    if is_installed(module):
        if is_there(module, function.__qualname__, function):
            return reference(module, function.__qualname__)
        return attributes("installed function", {**own, "module": reference(module)})
    own["__name__"] = function.__name__
    own["__globals__"] = mapping("globals", _named(_globals(function)))
    own["imports"] = Described("imports", imported(function.__code__, function.__globals__.get("__package__") or ""))
    own["__dict__"] = mapping("dict", {k: v for k, v in vars(function).items() if k != "__wrapped__"})
    return attributes("function", own)


def describe_class(cls: type) -> Described:
    """Describe a class by its bases and all that its body defines."""
    if is_installed(cls.__module__) and "<locals>" not in cls.__qualname__:
        return reference(cls.__module__, cls.__qualname__)
    body = {name: value for name, value in vars(cls).items() if name not in _KEPT_ON_CLASSES and not _is_slot(value)}
    head = Described("class head", [cls.__name__, type(cls), *cls.__bases__])
    return Described("class", [head, attributes("class body", _named(body))], kept=True)


def describe_method(method: MethodType) -> Described:
    """Describe a bound method."""
    return attributes("method", {"__func__": method.__func__, "__self__": method.__self__})


def describe_partial(partial: functools.partial[Any]) -> Described:
    """Describe a partial function."""
    parts = {"func": partial.func, "args": partial.args, "keywords": partial.keywords, "class": type(partial)}
    return attributes("partial", parts)


def describe_property(value: property) -> Described:
    """Describe a property."""
    return attributes("property", {"fget": value.fget, "fset": value.fset, "fdel": value.fdel})


def describe_wrapper(value: Any) -> Described:
    """Describe what stands around one function and keeps nothing but results: a class method, a cache."""
    wrapped = value.func if isinstance(value, functools.cached_property) else value.__wrapped__
    return attributes("wrapper", {"class": type(value), "__wrapped__": wrapped})


def is_there(module: str, qualified: str, value: Any) -> bool:
    """Return whether a name of a module leads to this very value."""
    found: Any = sys.modules.get(module)
    for word in qualified.split("."):
        found = getattr(found, word, None)
    return found is value


def _is_slot(value: Any) -> bool:
    return isinstance(value, MemberDescriptorType)  # `__slots__` says it already


def _closure(function: FunctionType) -> dict[str, Any]:
    cells = function.__closure__ or ()
    return {name: _content(cell) for name, cell in zip(function.__code__.co_freevars, cells, strict=True)}


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return Described("empty cell")


def _globals(function: FunctionType) -> dict[str, Any]:
    known = function.__globals__
    found: dict[str, Any] = {}
    for name, *attribute_names in references(function.__code__):
        if name in known and name not in _PLACE:
            found[name] = known[name]
            found.update(_submodules(known[name], name, attribute_names))
    return found


def _submodules(value: Any, written: str, attribute_names: list[str]) -> Iterator[tuple[str, Source]]:
    """Yield the user's modules that are named as attributes of their package, as in `package.module.function`."""
    name = getattr(value, "__name__", None) if isinstance(value, ModuleType) else None
    for attribute in attribute_names:
        name, written = f"{name}.{attribute}", f"{written}.{attribute}"
        found = find(name) if name in sys.modules else None
        if not isinstance(found, Source):
            return
        yield written, found


def _named(items: dict[str, Any]) -> dict[str, Any]:
    return {name: _sentinel(value) for name, value in items.items()}


def _constants(values: Iterable[Any]) -> Described:
    return Described("defaults", [_sentinel(value) for value in values], "[{}]".format)


def _sentinel(value: Any) -> Any:
    """Let a bare `object()` pass where code names it: then it means no more than its name."""
    return Described("sentinel") if type(value) is object else value
