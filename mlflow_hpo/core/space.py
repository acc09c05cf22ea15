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

from mlflow_hpo.core._choices import Categorical, Distribution, Fixed
from mlflow_hpo.core._ranges import Integer, LogInteger, Real
from mlflow_hpo.core.errors import InvalidArgumentError

__all__ = [
    "Categorical",
    "Dimension",
    "Distribution",
    "Fixed",
    "Integer",
    "LogInteger",
    "Parameter",
    "Real",
    "Searched",
    "Space",
    "dimension",
]

_Result = TypeVar("_Result")

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
