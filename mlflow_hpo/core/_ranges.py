"""Hyperparameters that are numbers between two bounds."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from mlflow_hpo.core._space_checks import Prior, check_bounds, check_grid, check_whole
from mlflow_hpo.core.errors import InvalidArgumentError

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class _Range(ABC, Generic[_Number]):
    """What real numbers and whole ones have in common; each says itself what a number of its kind is."""

    low: _Number
    high: _Number
    prior: Prior = "uniform"
    grid: tuple[_Number, ...] | None = None
    steps: int | None = None

    _kind: ClassVar[str]

    def __post_init__(self) -> None:
        check_bounds(self.low, self.high, self.prior)
        check_grid(self.grid, self.steps, self.low, self.high)

    @staticmethod
    @abstractmethod
    def _rounded(value: float) -> _Number:
        """Return the number of this kind that a grid has for a value."""

    @abstractmethod
    def distribution(self) -> Any:
        """Return what a random search draws from: an object with scipy's `rvs`."""

    def grid_values(self) -> list[_Number]:
        """Return the values that a grid search tries.

        Raises
        ------
        InvalidArgumentError
            The range has neither `grid` nor `steps`.
        """
        if self.grid is not None:
            return list(self.grid)
        if self.steps is None:
            raise InvalidArgumentError(
                f"a grid search cannot try {self._kind}; add the values it shall try, "
                f"such as grid: [{self.low!r}, {self.high!r}], or how many, such as steps: 3."
            )
        import numpy as np

        spaced = np.geomspace if self.prior == "log" else np.linspace
        values = [self._rounded(float(value)) for value in spaced(self.low, self.high, self.steps)]
        values[0], values[-1] = self.low, self.high  # whatever a logarithm has made of them
        return list(dict.fromkeys(values))


@dataclass(frozen=True)
class Real(_Range[float]):
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

    _kind = "a continuous range"

    def __post_init__(self) -> None:
        super().__post_init__()
        # Equal spaces must compare and digest equal, whether bounds were written 1 or 1.0.
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        if self.grid is not None:
            object.__setattr__(self, "grid", tuple(float(value) for value in self.grid))

    @staticmethod
    def _rounded(value: float) -> float:
        return float(f"{value:.12g}")

    def distribution(self) -> Any:
        """Return what a random search draws from: a frozen scipy distribution."""
        import scipy.stats

        if self.prior == "log":
            return scipy.stats.loguniform(self.low, self.high)
        return scipy.stats.uniform(self.low, self.high - self.low)


@dataclass(frozen=True)
class Integer(_Range[int]):
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

    _kind = "a range of integers"

    def __post_init__(self) -> None:
        check_whole((self.low, self.high, *(self.grid or ())))
        super().__post_init__()

    @staticmethod
    def _rounded(value: float) -> int:
        return round(value)

    def distribution(self) -> Any:
        """Return what a random search draws from: an object with scipy's `rvs`."""
        import scipy.stats

        if self.prior == "log":
            return LogInteger(self.low, self.high)
        return scipy.stats.randint(self.low, self.high + 1)


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
