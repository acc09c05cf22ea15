"""How a search's settings and its space read on the study's run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_SPACES = ("param_grid", "param_distributions", "search_spaces", "dimensions")
_NOT_SETTINGS = {"estimator", "tracking", *_SPACES}


def describe_settings(search: Any) -> dict[str, str]:
    """Return what was set on a search, its estimator, space and tracking aside."""
    params: Mapping[str, Any] = search.get_params(deep=False)
    return {name: describe_value(value) for name, value in params.items() if name not in _NOT_SETTINGS}


def describe_space(search: Any) -> dict[str, str]:
    """Return the search space by parameter; where it is a list of spaces, their alternatives joined by `|`."""
    space = next(value for name in _SPACES if (value := getattr(search, name, None)) is not None)
    described: dict[str, str] = {}
    for subspace in _subspaces(space):
        for name, values in subspace.items():
            text = describe_value(values)
            known = described.get(name)
            described[name] = text if known is None or text == known else f"{known} | {text}"
    return described


def planned_trials(search: Any, n_first: int) -> int | None:
    """Return how many trials a search will have, of which it evaluates `n_first` first; None where that is open."""
    if hasattr(search, "factor"):  # halving: each rung depends on the one before
        return None
    # scikit-optimize's search, `GPSearchCV`; the others evaluate all their candidates at once.
    return int(getattr(search, "total_iterations", None) or getattr(search, "n_calls", None) or n_first)


def describe_value(value: Any) -> str:
    """Return one line for a setting, a list of choices or a distribution.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> describe_value(loguniform(1e-4, 1e-1))
    'loguniform(0.0001, 0.1)'
    >>> describe_value([len, "a", 1.5])
    "[len, 'a', 1.5]"
    """
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(describe_value(item) for item in value)}]"
    if hasattr(value, "dist") and hasattr(value, "args"):
        given = [str(arg) for arg in value.args] + [f"{name}={arg}" for name, arg in value.kwds.items()]
        return f"{value.dist.name}({', '.join(given)})"
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    return " ".join(repr(value).split())


def _subspaces(space: Any) -> Iterator[Mapping[str, Any]]:
    for subspace in [space] if isinstance(space, Mapping) else space:
        # skopt's search takes (space, number of iterations) too.
        yield subspace[0] if isinstance(subspace, tuple) else subspace
