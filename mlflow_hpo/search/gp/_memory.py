"""What one fit of a study's surrogate leaves for the next."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Fit:
    X: Array
    y: Array
    theta: Array

    def begins(self, X: Array, y: Array) -> bool:
        n_samples = len(self.X)
        return n_samples < len(X) and np.array_equal(self.X, X[:n_samples]) and np.array_equal(self.y, y[:n_samples])

    def has(self, X: Array, y: Array) -> bool:
        return np.array_equal(self.X, X) and np.array_equal(self.y, y)


@dataclass(frozen=True)
class _Prediction:
    # Holding the fitted weights themselves, not their id, keeps another fit from ever being taken for this one.
    fitted: Array
    X: Array
    mean: Array
    std: Array


class FitMemory:
    """Hyperparameters of the last fits, and the last prediction, shared by an estimator and all its clones.

    scikit-optimize clones its surrogate at every step. scikit-learn clones an estimator's parameters with it, except
    those that say how they are cloned: a memory stays the same object.

    It never makes a result depend on what else was fitted with it: what is recalled belongs to a fit to the first rows
    of the very same data. Pickles and deep copies of a memory are empty.

    Parameters
    ----------
    max_fits : int
        How many fits are kept: as many as lie between two steps of a study, with all points that are asked for at once.

    Examples
    --------
    >>> from sklearn.base import clone
    >>> from mlflow_hpo.search.gp import FastGaussianProcessRegressor
    >>> memory = FitMemory()
    >>> clone(FastGaussianProcessRegressor(memory=memory)).memory is memory
    True
    """

    def __init__(self, max_fits: int = 32) -> None:
        self.max_fits = max_fits
        self._fits: deque[_Fit] = deque(maxlen=max_fits)
        self._prediction: _Prediction | None = None

    def __sklearn_clone__(self) -> FitMemory:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return FitMemory, (self.max_fits,)

    def __repr__(self) -> str:
        return f"FitMemory(max_fits={self.max_fits})"

    def keep_fit(self, X: Array, y: Array, theta: Array) -> None:
        """Keep the hyperparameters `theta` that were fitted to `X` and `y`."""
        self._fits = deque((fit for fit in self._fits if not fit.has(X, y)), maxlen=self.max_fits)
        self._fits.append(_Fit(X.copy(), y.copy(), theta.copy()))

    def recall_fit(self, X: Array, y: Array) -> Array | None:
        """Return the hyperparameters fitted to most of the first rows of `X` and `y`, but not to all of them."""
        begun = [fit for fit in self._fits if fit.begins(X, y)]
        return max(begun, key=lambda fit: len(fit.X)).theta if begun else None

    def keep_prediction(self, fitted: Array, X: Array, mean: Array, std: Array) -> None:
        """Keep what the process with the weights `fitted` predicts at `X`."""
        self._prediction = _Prediction(fitted, X.copy(), mean.copy(), std.copy())

    def recall_prediction(self, fitted: Array, X: Array) -> tuple[Array, Array] | None:
        """Return mean and standard deviation at `X`, if they are what was predicted last."""
        last = self._prediction
        if last is None or last.fitted is not fitted or not np.array_equal(last.X, X):
            return None
        return last.mean.copy(), last.std.copy()
