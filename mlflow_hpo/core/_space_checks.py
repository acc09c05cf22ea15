"""What a search space may hold, and how each mistake in it is worded."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

from mlflow_hpo.core.errors import InvalidArgumentError, did_you_mean

Prior = Literal["uniform", "log"]
Scalar = str | int | float | bool | None

# Beyond it doubles no longer tell whole numbers apart, and random draws overflow C integers.
_LARGEST_INTEGER = 2**53
_MOST_STEPS = 10_000

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60


def shown(value: object) -> str:
    """Return the value as it appears in a message: its repr, shortened."""
    return _short.repr(value)


def first_sentence(error: BaseException) -> str:
    """Return the first sentence of another library's error, with its full stop."""
    return " ".join(str(error).split()).partition(". ")[0].rstrip(".") + "."


def check_bounds(low: float, high: float, prior: str) -> None:
    """Refuse bounds that are no numbers, equal or reversed, or that the prior cannot take."""
    for bound in (low, high):
        if not _is_number(bound) or not math.isfinite(bound):
            raise InvalidArgumentError(f"bounds are finite numbers; got {shown(bound)}.")
    check_prior(prior)
    if low == high:
        raise InvalidArgumentError(
            f"both bounds are {shown(low)}; a value that never changes is {{fixed: {shown(low)}}}."
        )
    if low > high:
        raise InvalidArgumentError(
            f"the bounds are reversed: {shown(low)} is above {shown(high)}; write [{shown(high)}, {shown(low)}]."
        )
    if prior == "log" and low <= 0:
        raise InvalidArgumentError(f"a log prior needs bounds above zero; the lower one is {shown(low)}.")
    if not math.isfinite(high - low):
        raise InvalidArgumentError(f"the range from {shown(low)} to {shown(high)} is too wide for a number.")


def check_prior(prior: object) -> None:
    """Refuse a prior that is not known."""
    if prior not in get_args(Prior):
        # scikit-optimize calls it "log-uniform".
        hint = " Did you mean 'log'?" if "log" in str(prior) else did_you_mean(str(prior), get_args(Prior))
        raise InvalidArgumentError(f"prior is one of {', '.join(get_args(Prior))}; got {shown(prior)}.{hint}")


def check_whole(values: Iterable[object]) -> None:
    """Refuse values that are no whole numbers of a size that a random generator can draw."""
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST_INTEGER:
            raise InvalidArgumentError(f"an integer range takes whole numbers up to 2**53; got {shown(value)}.")


def check_grid(grid: Sequence[float] | None, steps: int | None, low: float, high: float) -> None:
    """Refuse grid values outside of the bounds, or twice, and a number of steps that makes no grid."""
    if grid is not None and steps is not None:
        raise InvalidArgumentError("give grid or steps, not both.")
    if grid is not None:
        _check_grid_values(grid, low, high)
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or not 2 <= steps <= _MOST_STEPS):
        raise InvalidArgumentError(f"steps is a whole number from 2 to {_MOST_STEPS}; got {shown(steps)}.")


def check_category(value: object) -> None:
    """Refuse a category that is no single, finite value."""
    if isinstance(value, tuple | list | dict | set):
        raise InvalidArgumentError(
            f"a category is a single value (text, number, true, false or null); got {shown(value)}. "
            "Give it a name, and let the model function translate the name."
        )
    if value is not None and not isinstance(value, str | int | float):
        raise InvalidArgumentError(f"a category is text, a number, true, false or null; got {shown(value)}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidArgumentError(f"a category cannot be {value!r}.")


def check_distinct(what: str, values: Sequence[Scalar]) -> None:
    """Refuse a value that is named twice."""
    seen: set[tuple[bool, Scalar]] = set()
    for value in values:
        # True equals 1 in Python, but they are two choices to whoever wrote them.
        key = (isinstance(value, bool), value)
        if key in seen:
            raise InvalidArgumentError(f"{what} hold {shown(value)} twice.")
        seen.add(key)


def scipy_distribution(name: str) -> Any:
    """Return the distribution of `scipy.stats` called `name`.

    Raises
    ------
    InvalidArgumentError
        There is none.
    """
    import scipy.stats
    from scipy.stats import rv_continuous, rv_discrete

    kinds = (rv_continuous, rv_discrete)
    made = getattr(scipy.stats, name, None)
    if not isinstance(made, kinds):
        known = [one for one in dir(scipy.stats) if isinstance(getattr(scipy.stats, one), kinds)]
        raise InvalidArgumentError(
            f"scipy.stats has no distribution {shown(name)}.{did_you_mean(name, known)} "
            "Common ones: uniform, loguniform, randint, norm, expon."
        )
    return made


def _check_grid_values(grid: Sequence[float], low: float, high: float) -> None:
    if not grid:
        raise InvalidArgumentError("grid is an empty list; name at least one value.")
    for value in grid:
        if not _is_number(value) or not low <= value <= high:
            raise InvalidArgumentError(
                f"grid values lie within the bounds, {shown(low)} to {shown(high)}; got {shown(value)}."
            )
    check_distinct("grid values", grid)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
