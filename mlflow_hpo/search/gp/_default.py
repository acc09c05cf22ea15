"""The fast surrogate for a search space, and the one setting that asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from skopt.utils import cook_estimator, normalize_dimensions

from mlflow_hpo.core import space
from mlflow_hpo.core.errors import InvalidArgumentError, did_you_mean
from mlflow_hpo.search._dimensions import as_dimensions
from mlflow_hpo.search.gp._memory import FitMemory
from mlflow_hpo.search.gp._regressor import FastGaussianProcessRegressor

FAST_GP = "fast-gp"
_SURROGATES = (FAST_GP, "GP", "RF", "ET", "GBRT", "DUMMY")
_N_RESTARTS = 1


def fast_gp(
    dimensions: Sequence[Any] | Mapping[str, Any],
    *,
    noise: Any = "gaussian",
    random_state: Any = None,
    n_restarts_optimizer: int = _N_RESTARTS,
) -> FastGaussianProcessRegressor:
    """Return scikit-optimize's default surrogate for a search space, at a fraction of its cost.

    Its starts are others than scikit-optimize's (kernel's own, the fit before, `n_restarts_optimizer` random ones), so
    the points after the initial ones are others too. With 2 random ones no start of scikit-optimize's is left out.

    `gp_minimize(..., base_estimator="fast-gp")` and `GPSearchCV(..., gp_options={"base_estimator": "fast-gp"})` make
    it themselves. `BayesSearchCV` takes it as `optimizer_kwargs={"base_estimator": fast_gp(search_space)}`.

    Parameters
    ----------
    dimensions : sequence or mapping of dimension
        The search space.
    noise : "gaussian" or float
        As in `skopt.gp_minimize`: fitted, or this variance.
    random_state : int, RandomState or None
        Seed of the hyperparameters' random starts.
    n_restarts_optimizer : int
        Number of random starts of each fit, besides the one from the fit before.

    Examples
    --------
    >>> from skopt.space import Integer, Real
    >>> fast_gp([Real(1e-4, 1e-1, "log-uniform"), Integer(16, 512)], random_state=0).kernel
    1**2 * Matern(length_scale=[1, 1], nu=2.5)
    """
    library = cook_estimator("GP", space=_normalised(dimensions), noise=noise, random_state=random_state)
    settings = library.get_params(deep=False) | {"n_restarts_optimizer": n_restarts_optimizer}
    return FastGaussianProcessRegressor(**settings, memory=FitMemory())


def _normalised(dimensions: Sequence[Any] | Mapping[str, Any]) -> Any:
    if isinstance(dimensions, Mapping):
        dimensions = [
            as_dimensions({name: value})[0] if isinstance(value, space.Dimension) else value
            for name, value in dimensions.items()
        ]
    return normalize_dimensions(dimensions)


def with_fast_gp(dimensions: Sequence[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return `gp_minimize`'s options with the surrogate itself where `base_estimator` is "fast-gp".

    The seed of the surrogate is drawn as scikit-optimize draws its own: the same seed gives the same initial points.

    Parameters
    ----------
    dimensions : sequence of dimension
    options : mapping of str to object
        Arguments of `skopt.gp_minimize`.

    Raises
    ------
    InvalidArgumentError
        `base_estimator` is a name that is not known.
    """
    name = options.get("base_estimator")
    if not isinstance(name, str):
        return dict(options)
    if name.upper() in _SURROGATES:
        return dict(options)
    if name != FAST_GP:
        raise InvalidArgumentError(
            f"base_estimator={name!r}: {FAST_GP!r}, one of scikit-optimize's {', '.join(_SURROGATES[1:])}, an "
            f"estimator, or None for scikit-optimize's default.{did_you_mean(name, _SURROGATES)}"
        )
    rng = check_random_state(options.get("random_state"))
    seed = rng.randint(0, np.iinfo(np.int32).max)
    surrogate = fast_gp(dimensions, noise=options.get("noise", "gaussian"), random_state=seed)
    return {**options, "base_estimator": surrogate, "random_state": rng}
