"""What the digest sees of a value: a tag and parts, which are values again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


def _unlabelled(_: int) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Described:
    """A value taken apart, one level deep.

    Attributes
    ----------
    tag : str
        What kind of value it is; no other kind has this tag.
    parts : sequence
        The values it is made of, or further descriptions.
    label : callable
        How part number `i` is written behind the path of the whole, such as ".alpha" or "[3]".
    ordered : bool
        Whether the order of the parts matters.
    kept : bool
        Whether the parts come with their whole state. Elsewhere an estimator counts by its parameters, because
        a search clones it.
    """

    tag: str
    parts: Sequence[Any] = ()
    label: Callable[[int], str] = _unlabelled
    ordered: bool = True
    kept: bool = False


def sequence(tag: str, items: Sequence[Any], *, kept: bool = False) -> Described:
    """Describe items whose order matters."""
    return Described(tag, items, "[{}]".format, kept=kept)


def mapping(tag: str, items: Mapping[Any, Any], *, label: str = "[{!r}]", kept: bool = False) -> Described:
    """Describe items that are found by their keys."""
    keys = list(items)
    pairs = [Described("pair", pair) for pair in items.items()]
    return Described(tag, pairs, lambda i: label.format(keys[i]), ordered=False, kept=kept)


def attributes(tag: str, items: Mapping[str, Any], *, kept: bool = True) -> Described:
    """Describe what an object holds by name."""
    return mapping(tag, items, label=".{}", kept=kept)
