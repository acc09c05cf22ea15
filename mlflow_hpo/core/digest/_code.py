"""Code as it runs: bytecode in a form that line numbers, file names, docstrings and unused constants do not change."""

from __future__ import annotations

import dis
import inspect
from bisect import bisect_left
from collections.abc import Iterator
from types import CodeType
from typing import Any

from mlflow_hpo.core.digest._described import Described

_FILLING = frozenset({"EXTENDED_ARG", "CACHE", "NOP"})
# What the compiler stores in modules and classes beside what is written there.
_NOTES = frozenset({"__doc__", "__firstlineno__", "__static_attributes__"})
_KIND = (
    inspect.CO_VARARGS
    | inspect.CO_VARKEYWORDS
    | inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
    | inspect.CO_ITERABLE_COROUTINE
)
_JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)
_CONSTANTS = frozenset(dis.hasconst)
_GLOBALS = frozenset({"LOAD_GLOBAL", "LOAD_NAME"})
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})


def describe_code(code: CodeType) -> Described:
    """Describe a code object; its constants, nested code among them, are parts."""
    instructions = _instructions(code)
    offsets = [one.offset for one in instructions]
    parts: list[Any] = [_signature(code)]
    for one in instructions:
        parts += _written(one, offsets)
    for entry in dis.Bytecode(code).exception_entries:  # type: ignore[attr-defined]  # not in typeshed
        places = [bisect_left(offsets, place) for place in (entry.start, entry.end, entry.target)]
        parts.append(f"except {places} {entry.depth} {entry.lasti}")
    return Described("code", parts)


def references(code: CodeType) -> Iterator[tuple[str, ...]]:
    """Yield the global names that code reads, each with the attributes that are looked up on it at once."""
    for one in _nested(code):
        instructions = _instructions(one)
        for i, instruction in enumerate(instructions):
            if instruction.opname in _GLOBALS:
                yield (instruction.argval, *_attributes(instructions[i + 1 :]))


def imports(code: CodeType) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Yield name, level and imported items of the import statements in code."""
    for one in _nested(code):
        instructions = _instructions(one)
        for i, instruction in enumerate(instructions):
            if instruction.opname == "IMPORT_NAME":
                level, items = instructions[i - 2].argval, instructions[i - 1].argval
                yield instruction.argval, level, items or ()


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _instructions(code: CodeType) -> list[dis.Instruction]:
    found = [one for one in dis.get_instructions(code) if one.opname not in _FILLING]
    notes = {i for i, one in enumerate(found) if one.opname == "STORE_NAME" and one.argval in _NOTES}
    return [one for i, one in enumerate(found) if i not in notes and i + 1 not in notes]


def _attributes(instructions: list[dis.Instruction]) -> Iterator[str]:
    for one in instructions:
        if one.opname not in _ATTRIBUTES:
            return
        yield one.argval


def _signature(code: CodeType) -> str:
    n_names = code.co_argcount + code.co_kwonlyargcount
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    return f"{counts} {code.co_varnames[:n_names]} {code.co_flags & _KIND}"


def _written(one: dis.Instruction, offsets: list[int]) -> list[Any]:
    if one.opcode in _CONSTANTS:
        return [one.opname, one.argval]
    operand = bisect_left(offsets, one.argval) if one.opcode in _JUMPS else one.argval
    return [f"{one.opname} {operand}"]
