"""scikit-optimize's Gaussian process at a fraction of its cost."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.utils import check_array
from skopt.learning import GaussianProcessRegressor

from mlflow_hpo.search.gp._matern import Array, Covariance, Evidence, Posterior
from mlflow_hpo.search.gp._memory import FitMemory
from mlflow_hpo.search.gp._threads import one_blas_thread


@dataclass
class _HyperparameterSearch:
    """What lives only while a fit looks for its hyperparameters."""

    recalled: Array | None
    optima: list[tuple[Array, float]] = field(default_factory=list)
    evidence: Evidence | None = None


class FastGaussianProcessRegressor(GaussianProcessRegressor):
    """`skopt.learning.GaussianProcessRegressor`: the same model, fitted and predicted at a fraction of its cost.

    Likelihood, predictions and their gradients equal scikit-optimize's up to rounding. For its default covariance
    (amplitude x Matern 5/2 with a length scale a dimension, and noise) they come from closed forms; with any other
    kernel only the predictive variance is computed in another way.

    With a `memory`, the hyperparameters are searched for from those of the fit before too, besides the kernel's own and
    `n_restarts_optimizer` random ones, and points that were just predicted are not predicted again: the three
    acquisition functions of "gp_hedge" share one prediction.

    Parameters
    ----------
    kernel, alpha, optimizer, n_restarts_optimizer, normalize_y, copy_X_train, random_state, noise
        As in scikit-optimize.
    memory : FitMemory or None
        What fits leave for the next, shared by all clones. None: every fit is one of its own, as in scikit-optimize.
    """

    _search: _HyperparameterSearch | None = None
    _posterior: Posterior | None = None

    def __init__(
        self,
        kernel: Any = None,
        alpha: Any = 1e-10,
        optimizer: Any = "fmin_l_bfgs_b",
        n_restarts_optimizer: int = 0,
        normalize_y: bool = False,
        copy_X_train: bool = True,
        random_state: Any = None,
        noise: Any = None,
        memory: FitMemory | None = None,
    ) -> None:
        super().__init__(
            kernel=kernel,
            alpha=alpha,
            optimizer=optimizer,
            n_restarts_optimizer=n_restarts_optimizer,
            normalize_y=normalize_y,
            copy_X_train=copy_X_train,
            random_state=random_state,
            noise=noise,
        )
        self.memory = memory

    def fit(self, X: Any, y: Any) -> FastGaussianProcessRegressor:
        """Fit the process, as scikit-optimize does and from what the memory holds for the first rows of the same data.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)

        Returns
        -------
        self : object
        """
        data = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
        search = _HyperparameterSearch(None if self.memory is None else self.memory.recall_fit(*data))
        self._posterior = None
        self._search = search
        try:
            with one_blas_thread():
                super().fit(X, y)
        finally:
            # A study keeps the model of each of its steps: without what only its fit needed.
            self._search = None
        if self.memory is not None and search.optima:
            self.memory.keep_fit(*data, min(search.optima, key=_cost)[0])
        self._posterior = self._closed_form()
        return self

    def _constrained_optimization(self, obj_func: Any, initial_theta: Array, bounds: Array) -> tuple[Array, float]:
        optima = [super()._constrained_optimization(obj_func, initial_theta, bounds)]
        search = self._search
        if search is not None:
            if not search.optima and search.recalled is not None and len(search.recalled) == len(initial_theta):
                optima.append(super()._constrained_optimization(obj_func, search.recalled, bounds))
            search.optima.extend(optima)
        best: tuple[Array, float] = min(optima, key=_cost)
        return best

    def log_marginal_likelihood(
        self, theta: Array | None = None, eval_gradient: bool = False, clone_kernel: bool = True
    ) -> Any:
        """Return the log-marginal likelihood of `theta`, and its gradient if asked for, as scikit-learn does."""
        evidence = self._closed_evidence() if eval_gradient else None
        if theta is None or evidence is None:
            return super().log_marginal_likelihood(theta, eval_gradient, clone_kernel)
        return evidence.at(theta)

    def _closed_evidence(self) -> Evidence | None:
        search = self._search
        if search is None or self.y_train_.ndim > 1:
            return None
        if search.evidence is None:
            covariance = Covariance.of(self.kernel_, self.X_train_.shape[1])
            if covariance is not None:
                search.evidence = Evidence(covariance, self.X_train_, self.y_train_, self.alpha)
        return search.evidence

    def _closed_form(self) -> Posterior | None:
        covariance = Covariance.of(self.kernel_, self.X_train_.shape[1]) if self.alpha_.ndim == 1 else None
        return None if covariance is None else Posterior(covariance, self.X_train_, self.alpha_, self.K_inv_)

    def predict(
        self,
        X: Any,
        return_std: bool = False,
        return_cov: bool = False,
        return_mean_grad: bool = False,
        return_std_grad: bool = False,
    ) -> Any:
        """Predict as scikit-optimize's process does.

        Parameters
        ----------
        X : array-like of shape (n_points, n_features)
        return_std, return_cov : bool
            Whether the standard deviation, of shape (n_points,), or the covariance, of shape (n_points, n_points), is
            returned with the mean.
        return_mean_grad, return_std_grad : bool
            Whether the gradients by the one point in `X` are returned too.

        Returns
        -------
        ndarray of shape (n_points,), or tuple of ndarray
            Mean, and what else was asked for, in this order.
        """
        with one_blas_thread():
            return self._predict(X, return_std, return_cov, return_mean_grad, return_std_grad)

    def _predict(
        self, X: Any, return_std: bool, return_cov: bool, return_mean_grad: bool, return_std_grad: bool
    ) -> Any:
        grads = return_mean_grad or return_std_grad
        if return_cov or not return_std or not hasattr(self, "X_train_") or (grads and not return_std_grad):
            return super().predict(X, return_std, return_cov, return_mean_grad, return_std_grad)
        X = _checked(X)
        if not grads:
            return self._mean_and_std(X)
        if self._posterior is None or len(X) != 1:
            return super().predict(X, return_std, return_cov, return_mean_grad, return_std_grad)
        return self._gradients(X[0], self._posterior)

    def _mean_and_std(self, X: Array) -> tuple[Array, Array]:
        memory = self.memory
        known = None if memory is None else memory.recall_prediction(self.alpha_, X)
        if known is not None:
            return known
        mean, variance = self._normalised(X) if self._posterior is None else self._posterior.mean_and_variance(X)
        mean, std = self.y_train_std_ * mean + self.y_train_mean_, np.sqrt(_non_negative(variance)) * self.y_train_std_
        if memory is not None and len(X) > 1:
            memory.keep_prediction(self.alpha_, X, mean, std)
        return mean, std

    def _normalised(self, X: Array) -> tuple[Array, Array]:
        cross = self.kernel_(X, self.X_train_)
        return cross @ self.alpha_, self.kernel_.diag(X) - np.einsum("ij,ij->i", cross @ self.K_inv_, cross)

    def _gradients(self, x: Array, posterior: Posterior) -> tuple[Array, Array, Array, Array]:
        mean, variance, mean_grad, variance_grad = posterior.gradients(x)
        std = np.sqrt(_non_negative(np.array([variance]))) * self.y_train_std_
        # scikit-optimize's own threshold below which the deviation has no slope.
        std_grad = np.zeros_like(x) if std[0] <= 1e-8 else variance_grad * self.y_train_std_**2 / std
        return (
            np.atleast_1d(mean * self.y_train_std_ + self.y_train_mean_),
            std,
            mean_grad * self.y_train_std_,
            std_grad,
        )


def _cost(optimum: tuple[Array, float]) -> float:
    return optimum[1]


def _checked(X: Any) -> Array:
    # scikit-learn's check costs more than the prediction of a point.
    if isinstance(X, np.ndarray) and X.dtype == np.float64 and X.ndim == 2 and X.size and np.isfinite(X).all():
        return X
    checked: Array = check_array(X, dtype=np.float64)
    return checked


def _non_negative(variance: Array) -> Array:
    if np.any(variance < 0):
        warnings.warn("Predicted variances smaller than 0. Setting those variances to 0.", stacklevel=4)
        variance = np.maximum(variance, 0.0)
    return variance
