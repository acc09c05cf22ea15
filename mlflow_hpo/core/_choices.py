"""Hyperparameters that are no range: one of several values, a fixed one, or what a distribution of scipy draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow_hpo.core._space_checks import (
    Scalar,
    check_category,
    check_distinct,
    first_sentence,
    scipy_distribution,
)
from mlflow_hpo.core.errors import InvalidArgumentError


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
