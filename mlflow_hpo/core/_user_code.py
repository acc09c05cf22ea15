"""Which code is the user's, and what it consists of: functions and what they name, modules and what they import."""

from __future__ import annotations

import dis
import functools
import hashlib
import importlib.util
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_INSTALLED = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_OURS = "mlflow_hpo"


@dataclass(frozen=True)
class CodeParts:
    """What a function consists of.

    Parameters
    ----------
    digest : str
        Of its instructions and constants.
    references : dict of str to object
        The globals that it names.
    imports : frozenset of str
        The modules that it imports when it runs.
    """

    digest: str
    references: dict[str, Any]
    imports: frozenset[str]


def code_parts(function: types.FunctionType) -> CodeParts:
    """Return what a function consists of, without its docstring and where it stands."""
    codes = list(_codes(function.__code__))
    names = {name for code in codes for name in code.co_names}
    references = {name: function.__globals__[name] for name in names if name in function.__globals__}
    imports = {name for code in codes for name in _imports(code, function.__globals__.get("__package__") or "")}
    text = repr([_essence(code) for code in codes])
    return CodeParts(hashlib.sha256(text.encode()).hexdigest(), references, frozenset(imports))


def is_user_module(name: str | None) -> bool:
    """Return whether a module is the user's own: neither Python's, nor installed, nor a part of this package."""
    root = (name or "").partition(".")[0]
    if root in ("", _OURS) or root in sys.stdlib_module_names or root.startswith("_cython_"):
        return False
    file = _file_of(name or "")
    return file is None or not any(file.is_relative_to(folder) for folder in _INSTALLED)


def imported_modules(names: Iterable[str]) -> dict[str, str]:
    """Return modules, and of the user's among them also those of the user's that they import.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    dict of str to str
        The digest of a user's module's source; of others nothing but the name is known here.
    """
    found: dict[str, str] = {}
    pending = list(names)
    while pending:
        name = pending.pop()
        if name in found:
            continue
        file = _file_of(name) if is_user_module(name) else None
        found[name] = hashlib.sha256(file.read_bytes()).hexdigest() if file is not None else ""
        if file is not None and (module := sys.modules.get(name)) is not None:
            pending += [other for other in _named_in(module) if is_user_module(other)]
    return found


def _named_in(module: types.ModuleType) -> Iterator[str]:
    for value in vars(module).values():
        name = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
        if isinstance(name, str) and name != module.__name__:
            yield name


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _essence(code: types.CodeType) -> tuple[Any, ...]:
    constants = [_constant(value) for value in code.co_consts]
    # A function's docstring is its first constant; a body without one has None there, or what it uses first.
    is_function = bool(code.co_flags & 0x2)
    if is_function and constants and isinstance(code.co_consts[0], str) and not _is_used_first(code):
        constants[0] = _constant(None)
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return (code.co_code, constants, names, counts)


def _is_used_first(code: types.CodeType) -> bool:
    return any(step.opname == "LOAD_CONST" and step.arg == 0 for step in dis.get_instructions(code))


def _constant(value: Any) -> Any:
    if isinstance(value, types.CodeType):
        return "code"
    if isinstance(value, frozenset):
        return ("set", sorted(map(repr, value)))
    return (type(value).__name__, repr(value))


def _imports(code: types.CodeType, package: str) -> Iterator[str]:
    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME" and isinstance(step.argval, str):
            yield step.argval
            if package:
                yield f"{package}.{step.argval}"


@functools.cache
def _spec_file(name: str) -> str | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None
    return spec.origin if spec is not None and spec.has_location else None


def _file_of(name: str) -> Path | None:
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None) if module is not None else _spec_file(name)
    return Path(file).resolve() if file and Path(file).exists() else None
