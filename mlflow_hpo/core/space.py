"""The search space: one description of every hyperparameter, from which grid, random and Bayesian searches draw.

Every kind is spelled out. scikit-optimize takes a bare `[16, 32]` for a range and scikit-learn takes it for two
choices, so a space never holds a bare list.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mlflow_hpo.core._space_checks import (
    Prior,
    Scalar,
    check_bounds,
    check_category,
    check_distinct,
    check_grid,
    check_whole,
    first_sentence,
    scipy_distribution,
)
from mlflow_hpo.core.errors import InvalidArgumentError

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Real:
    """A real number between two bounds, both included.

    Parameters
    ----------
    low, high : float
        The bounds; `low` below `high`.
    prior : {"uniform", "log"}
        Scale on which values are drawn. "log" needs `low` above zero.
    grid : tuple of float or None
        The values that a grid search tries.
    steps : int or None
        In place of `grid`: how many values a grid search tries, evenly spaced on the prior's scale, bounds included.

    Raises
    ------
    InvalidArgumentError
        The bounds or the grid make no sense.

    Examples
    --------
    >>> Real(0.0001, 0.01, prior="log", steps=3).grid_values()
    [0.0001, 0.001, 0.01]
    """

    low: float
    high: float
    prior: Prior = "uniform"
    grid: tuple[float, ...] | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        check_bounds(self.low, self.high, self.prior)
        check_grid(self.grid, self.steps, self.low, self.high)
        # Equal spaces must compare and digest equal, whether bounds were written 1 or 1.0.
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        if self.grid is not None:
            object.__setattr__(self, "grid", tuple(float(value) for value in self.grid))

    def grid_values(self) -> list[float]:
        """Return the values that a grid search tries.

        Raises
        ------
        InvalidArgumentError
            The range has neither `grid` nor `steps`.
        """
        if self.grid is not None:
            return list(self.grid)
        if self.steps is None:
            raise InvalidArgumentError(_no_grid(self, "a continuous range"))
        return [float(f"{value:.12g}") for value in _spaced(self)]

    def distribution(self) -> Any:
        """Return what a random search draws from: a frozen scipy distribution."""
        import scipy.stats

        if self.prior == "log":
            return scipy.stats.loguniform(self.low, self.high)
        return scipy.stats.uniform(self.low, self.high - self.low)


@dataclass(frozen=True)
class Integer:
    """A whole number between two bounds, both included.

    Parameters
    ----------
    low, high : int
        The bounds; `low` below `high`.
    prior : {"uniform", "log"}
        Scale on which values are drawn. "log" needs `low` above zero.
    grid : tuple of int or None
        The values that a grid search tries.
    steps : int or None
        In place of `grid`: how many values a grid search tries, evenly spaced on the prior's scale, bounds included.

    Raises
    ------
    InvalidArgumentError
        The bounds or the grid make no sense.

    Examples
    --------
    >>> Integer(16, 64, prior="log", steps=3).grid_values()
    [16, 32, 64]
    """

    low: int
    high: int
    prior: Prior = "uniform"
    grid: tuple[int, ...] | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        check_whole((self.low, self.high, *(self.grid or ())))
        check_bounds(self.low, self.high, self.prior)
        check_grid(self.grid, self.steps, self.low, self.high)

    def grid_values(self) -> list[int]:
        """Return the values that a grid search tries.

        Raises
        ------
        InvalidArgumentError
            The range has neither `grid` nor `steps`.
        """
        if self.grid is not None:
            return list(self.grid)
        if self.steps is None:
            raise InvalidArgumentError(_no_grid(self, "a range of integers"))
        return list(dict.fromkeys(round(value) for value in _spaced(self)))

    def distribution(self) -> Any:
        """Return what a random search draws from: an object with scipy's `rvs`."""
        import scipy.stats

        if self.prior == "log":
            return LogInteger(self.low, self.high)
        return scipy.stats.randint(self.low, self.high + 1)


@dataclass(frozen=True)
class Categorical:
    """One of several values that have no order.

    Parameters
    ----------
    values : tuple of str, int, float, bool or None
        The choices, each once.

    Raises
    ------
    InvalidArgumentError
        There is no value, a value twice, or one that is no single value.
    """

    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        if not self.values:
            raise InvalidArgumentError("categories are an empty list; name at least one value.")
        for value in self.values:
            check_category(value)
        check_distinct("categories", self.values)

    def grid_values(self) -> list[Scalar]:
        """Return the values that a grid search tries."""
        return list(self.values)

    def distribution(self) -> list[Scalar]:
        """Return what a random search draws from: the list of values."""
        return list(self.values)


@dataclass(frozen=True)
class Fixed:
    """A value that is the same in every trial; it is set on the estimator and not searched.

    Parameters
    ----------
    value : object
        The value.
    """

    value: Any


@dataclass(frozen=True)
class Distribution:
    """A distribution of `scipy.stats`, for random searches.

    Parameters
    ----------
    name : str
        Name in `scipy.stats`, such as "norm" or "loguniform".
    args : tuple of float
        Its positional arguments, in scipy's order and with scipy's meaning.
    kwargs : mapping of str to float
        Its named arguments, such as `loc` and `scale`.
    grid : tuple or None
        The values that a grid search tries.

    Raises
    ------
    InvalidArgumentError
        scipy has no such distribution, or not with these arguments.

    Examples
    --------
    >>> bool(Distribution("randint", (1, 9)).distribution().rvs() < 9)
    True
    """

    name: str
    args: tuple[float, ...] = ()
    kwargs: Mapping[str, float] = field(default_factory=dict, hash=False)
    grid: tuple[Scalar, ...] | None = None

    def __post_init__(self) -> None:
        if self.grid is not None:
            object.__setattr__(self, "grid", Categorical(self.grid).values)
        self.distribution()

    def grid_values(self) -> list[Scalar]:
        """Return the values that a grid search tries.

        Raises
        ------
        InvalidArgumentError
            No `grid` is given.
        """
        if self.grid is None:
            raise InvalidArgumentError("a grid search cannot try a distribution; add the values, such as grid: [1, 2].")
        return list(self.grid)

    def distribution(self) -> Any:
        """Return the frozen scipy distribution."""
        import numpy as np

        make = scipy_distribution(self.name)
        try:
            frozen = make(*self.args, **self.kwargs)
            drawn = np.asarray(frozen.rvs(size=4, random_state=np.random.RandomState(0)), dtype=float)
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidArgumentError(
                f"scipy.stats.{self.name} does not take these arguments: {first_sentence(error)}"
            ) from error
        if not np.isfinite(drawn).all():
            raise InvalidArgumentError(
                f"scipy.stats.{self.name} draws values that are not finite with these arguments."
            )
        return frozen


@dataclass(frozen=True)
class LogInteger:
    """Draws whole numbers evenly on a log scale, as scipy's frozen distributions draw theirs.

    Parameters
    ----------
    low, high : int
        The bounds, both included.
    """

    low: int
    high: int

    def rvs(self, random_state: Any = None) -> int:
        """Draw one number.

        Parameters
        ----------
        random_state : numpy.random.RandomState, int or None
            Source of randomness.

        Returns
        -------
        int
            Between `low` and `high`.
        """
        from sklearn.utils import check_random_state

        # Half a unit on either side gives the two ends as much room as their neighbours have.
        low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
        drawn = round(math.exp(check_random_state(random_state).uniform(low, high)))
        return min(max(drawn, self.low), self.high)


Parameter = Real | Integer | Categorical | Fixed | Distribution
Searched = Real | Integer | Categorical | Distribution
Dimension = Real | Integer | Categorical


@dataclass(frozen=True)
class Space:
    """The hyperparameters of a study, by name.

    Parameters
    ----------
    parameters : mapping of str to parameter
        At least one of them not `Fixed`.

    Raises
    ------
    InvalidArgumentError
        Nothing is left to search.

    Examples
    --------
    >>> space = Space({"units": Categorical((16, 32)), "rate": Real(0, 0.5, steps=2), "epochs": Fixed(3)})
    >>> space.to_grid()
    {'units': [16, 32], 'rate': [0.0, 0.5]}
    >>> space.grid_size(), space.fixed
    (4, {'epochs': 3})
    """

    parameters: Mapping[str, Parameter] = field(hash=False)

    def __post_init__(self) -> None:
        if not self.searched:
            raise InvalidArgumentError("the search space is empty; name at least one parameter that is not fixed.")

    @property
    def searched(self) -> dict[str, Searched]:
        """The parameters whose values differ from trial to trial."""
        return {name: one for name, one in self.parameters.items() if not isinstance(one, Fixed)}

    @property
    def fixed(self) -> dict[str, Any]:
        """The values that are the same in every trial."""
        return {name: one.value for name, one in self.parameters.items() if isinstance(one, Fixed)}

    def to_grid(self) -> dict[str, list[Any]]:
        """Return the `param_grid` of a grid search.

        Raises
        ------
        InvalidArgumentError
            A range has no values for a grid.
        """
        return {name: _named(name, one.grid_values) for name, one in self.searched.items()}

    def to_distributions(self) -> dict[str, Any]:
        """Return the `param_distributions` of a random search."""
        return {name: one.distribution() for name, one in self.searched.items()}

    def to_dimensions(self) -> dict[str, Dimension]:
        """Return the parameters for a Bayesian search.

        Raises
        ------
        InvalidArgumentError
            A parameter is a scipy distribution, which a Bayesian search cannot model.
        """
        return {name: _named(name, functools.partial(dimension, one)) for name, one in self.searched.items()}

    def grid_size(self) -> int:
        """Return the number of combinations of a grid search."""
        return math.prod(len(values) for values in self.to_grid().values())


def dimension(parameter: Searched) -> Dimension:
    """Return `parameter`, if a Bayesian search can model it.

    Raises
    ------
    InvalidArgumentError
        It is a scipy distribution.
    """
    if isinstance(parameter, Distribution):
        raise InvalidArgumentError(
            "a Bayesian search cannot model a scipy distribution; write a range, "
            "such as {real: [0.001, 0.1], prior: log}, or {integer: [1, 9]}, or {categories: [a, b]}."
        )
    return parameter


def _named(name: str, call: Callable[[], _Result]) -> _Result:
    try:
        return call()
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{name}: {error}") from error


def _no_grid(parameter: Real | Integer, what: str) -> str:
    low, high = parameter.low, parameter.high
    return (
        f"a grid search cannot try {what}; add the values it shall try, such as grid: [{low!r}, {high!r}], "
        "or how many, such as steps: 3."
    )


def _spaced(parameter: Real | Integer) -> list[float]:
    import numpy as np

    assert parameter.steps is not None
    spaced = np.geomspace if parameter.prior == "log" else np.linspace
    values = [float(value) for value in spaced(parameter.low, parameter.high, parameter.steps)]
    return [float(parameter.low), *values[1:-1], float(parameter.high)]
