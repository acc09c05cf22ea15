"""A mistake in a study file, before it is known in which line it stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake.

    Parameters
    ----------
    path : tuple of str or int
        Keys and list indices that lead to it.
    message : str
        What is wrong, what is allowed, and what to do next.
    """

    path: tuple[str | int, ...]
    message: str
