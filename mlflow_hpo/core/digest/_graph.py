"""The digest of a whole value: hashes from the leaves up, and rounds of hashing where values refer to each other.

A value that leads into no circle is hashed from its tag and the hashes of its parts. What is left over (two functions
that call each other, a class whose methods name it) is told apart as the states of automata are: all start equal,
and in each round each is hashed anew from its tag and the last hashes of its parts, until a round tells no more of
them apart. That takes no more rounds than there are members, and depends neither on where the walk began nor on the
order in which a set handed out its items.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Hashable, Iterable, Sequence
from types import EllipsisType, NoneType, NotImplementedType
from typing import Any, TypeAlias

from mlflow_hpo.core.digest._described import Described
from mlflow_hpo.core.digest._errors import UndigestibleError
from mlflow_hpo.core.digest._modules import Source

# The hash of what leads into no circle, or the number of what does.
_Name: TypeAlias = bytes | int
_Node: TypeAlias = tuple[Described, list[_Name]]
_Walk: TypeAlias = Generator["_Walk", Any, _Name]

_ATOMS: dict[type, Callable[[Any], bytes | memoryview]] = {
    NoneType: lambda _: b"",
    EllipsisType: lambda _: b"",
    NotImplementedType: lambda _: b"",
    bool: lambda value: b"1" if value else b"0",
    int: lambda value: hex(value).encode(),  # str() refuses long ones
    float: lambda value: repr(value).encode(),
    complex: lambda value: repr(value).encode(),
    str: lambda value: value.encode("utf-8", "surrogatepass"),
    bytes: lambda value: value,
    memoryview: lambda value: value if value.c_contiguous else value.tobytes(),
}


class Graph:
    """A walk over one value and all it is made of.

    Parameters
    ----------
    describe : callable
        Takes a value apart, given whether its whole state counts.
    """

    def __init__(self, describe: Callable[[Any, bool], Described]) -> None:
        self._describe = describe
        self._names: dict[Hashable, _Name] = {}
        self._nodes: dict[int, _Node] = {}
        self._numbered = 0
        self._alive: list[Any] = []  # an id means something only as long as its object lives

    def digest(self, value: Any) -> str:
        """Return the hexadecimal digest of a value."""
        name = _run(self._visit(value, kept=False))
        return (name if isinstance(name, bytes) else self._settle(name)).hex()

    def _visit(self, value: Any, kept: bool) -> _Walk:
        if type(value) in _ATOMS:
            return _hash_atom(value)
        if isinstance(value, Described):
            name: _Name = yield self._assemble(value, kept, self._next_number())
            return name
        key = (value if isinstance(value, Source) else id(value), kept)
        if key not in self._names:
            self._alive.append(value)
            self._names[key] = number = self._next_number()
            self._names[key] = yield self._assemble(self._describe(value, kept), kept, number)
        return self._names[key]

    def _assemble(self, described: Described, kept: bool, number: int) -> _Walk:
        names: list[_Name] = []
        for i, part in enumerate(described.parts):
            try:
                atom = type(part) in _ATOMS
                names.append(_hash_atom(part) if atom else (yield self._visit(part, kept or described.kept)))
            except UndigestibleError as error:
                error.enter(described.label(i))
                raise
        hashes = [name for name in names if isinstance(name, bytes)]
        if len(hashes) == len(names):
            return _hash_described(described, hashes)
        self._nodes[number] = described, names
        return number

    def _next_number(self) -> int:
        self._numbered += 1
        return self._numbered

    def _settle(self, root: int) -> bytes:
        colours, kinds = dict.fromkeys(self._nodes, b"\0" * 32), 0
        while kinds < len(set(colours.values())):
            kinds = len(set(colours.values()))
            colours = {
                number: _hash_described(described, [colours[n] if isinstance(n, int) else n for n in names])
                for number, (described, names) in self._nodes.items()
            }
        # The root alone would be as deep as there were rounds; all kinds together say what leads from each to which.
        return _hash("circle", [colours[root], *sorted(set(colours.values()))])


def _run(walk: _Walk) -> _Name:
    """Run a walk that yields further walks and is sent their results: Python's stack is short."""
    stack: list[_Walk] = [walk]
    result: _Name | None = None  # a generator starts with None
    error: UndigestibleError | None = None
    while stack:
        try:
            deeper = stack[-1].send(result) if error is None else stack[-1].throw(error)
        except StopIteration as end:
            stack.pop()
            result, error = end.value, None
        except UndigestibleError as raised:
            stack.pop()
            error = raised
        else:
            stack.append(deeper)
            result = error = None
    if error is not None:
        raise error
    assert result is not None
    return result


def _hash_atom(value: Any) -> bytes:
    return _hash(type(value).__name__, [_ATOMS[type(value)](value)])


def _hash_described(described: Described, parts: Sequence[bytes]) -> bytes:
    return _hash(described.tag, parts if described.ordered else sorted(parts))


def _hash(tag: str, parts: Iterable[bytes | memoryview]) -> bytes:
    """Hash a tag and either one part of any length or any number of hashes, which are equally long."""
    state = hashlib.sha256(tag.encode() + b"\0")
    for part in parts:
        state.update(part)
    return state.digest()
