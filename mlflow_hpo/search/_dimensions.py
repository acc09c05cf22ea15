"""Search spaces as scikit-optimize takes them, and points of them as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from skopt import space as skopt_space

from mlflow_hpo.core import space
from mlflow_hpo.core.errors import InvalidArgumentError

_PRIORS = {"uniform": "uniform", "log": "log-uniform"}


def as_dimensions(parameters: Mapping[str, Any]) -> list[skopt_space.Dimension]:
    """Return scikit-optimize's dimensions for a search space, named by its parameters.

    Bare lists and tuples are refused: scikit-optimize takes `[16, 32]` for a range, scikit-learn for two choices.

    Parameters
    ----------
    parameters : mapping of str to parameter
        Parameters of `mlflow_hpo.core.space`, or scikit-optimize's own dimensions.

    Raises
    ------
    InvalidArgumentError
        A parameter is neither.
    """
    return [_as_dimension(name, parameter) for name, parameter in parameters.items()]


def _as_dimension(name: str, parameter: Any) -> skopt_space.Dimension:
    match parameter:
        case skopt_space.Dimension():
            named = parameter.__class__.__new__(parameter.__class__)
            named.__dict__.update(parameter.__dict__)
            named.name = name
            return named
        case space.Real():
            return skopt_space.Real(parameter.low, parameter.high, prior=_PRIORS[parameter.prior], name=name)
        case space.Integer():
            return skopt_space.Integer(parameter.low, parameter.high, prior=_PRIORS[parameter.prior], name=name)
        case space.Categorical():
            return skopt_space.Categorical(list(parameter.values), name=name)
        case _:
            raise InvalidArgumentError(
                f"{name}={parameter!r}: a dimension is Real(low, high), Integer(low, high) or Categorical(values), of "
                "mlflow_hpo.core.space or of skopt.space."
            )


def dimension_names(dimensions: Sequence[Any]) -> list[str]:
    """Return the names of scikit-optimize's dimensions: `x0`, `x1`, ... where they have none."""
    return [getattr(dimension, "name", None) or f"x{index}" for index, dimension in enumerate(dimensions)]


def named_point(names: Sequence[str], point: Sequence[Any]) -> dict[str, Any]:
    """Return a point of the space as parameters with plain Python values.

    scikit-optimize gives Python's types in one phase and NumPy's in another.

    Examples
    --------
    >>> named_point(["units", "activation"], [np.int64(16), np.str_("relu")])
    {'units': 16, 'activation': 'relu'}
    """
    return {name: _plain(value) for name, value in zip(names, point, strict=True)}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
