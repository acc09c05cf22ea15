"""scikit-optimize's default covariance in closed form: an amplitude times Matern 5/2 with length scales, and noise.

scikit-learn's kernels compose: each factor and each derivative is an array of its own, that of the length scales of
shape (n_samples, n_samples, n_features). Known as a whole, the same covariance needs each distance once, and its sums
over pairs are products of matrices. Results equal theirs up to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs
from scipy.spatial.distance import cdist, squareform
from skopt.learning.gaussian_process.kernels import ConstantKernel, Matern, Product, Sum, WhiteKernel

Array = NDArray[np.float64]

# Numbers in a block of the cross-covariance: a few temporaries of this size stay in a core's cache.
_BLOCK_SIZE = 32_768


@dataclass(frozen=True)
class Covariance:
    """Values of the hyperparameters: `amplitude * Matern(length_scale, nu=5/2) + noise`.

    Parameters
    ----------
    amplitude : float
    length_scale : ndarray of shape (n_features,)
    noise : float
        Variance of the observations' noise: 0 where there is none.
    free : tuple of bool
        Whether amplitude, length scales and noise are fitted.
    """

    amplitude: float
    length_scale: Array
    noise: float
    free: tuple[bool, bool, bool]

    @classmethod
    def of(cls, kernel: Any, n_features: int) -> Covariance | None:
        """Return the covariance that a kernel is for points of so many features, or None if it is another one."""
        match kernel:
            case Sum(k1=Product() as signal, k2=WhiteKernel() as white):
                noise, noise_free = float(white.noise_level), not white.hyperparameter_noise_level.fixed
            case Product() as signal:
                noise, noise_free = 0.0, False
            case _:
                return None
        match signal:
            case Product(k1=ConstantKernel() as amplitude, k2=Matern(nu=2.5) as matern):
                length_scale = np.atleast_1d(np.asarray(matern.length_scale, dtype=float))
                if len(length_scale) != n_features:
                    return None
                free = (
                    not amplitude.hyperparameter_constant_value.fixed,
                    not matern.hyperparameter_length_scale.fixed,
                    noise_free,
                )
                return cls(float(amplitude.constant_value), length_scale, noise, free)
            case _:
                return None

    def with_theta(self, theta: Array) -> Covariance:
        """Return the covariance whose free hyperparameters have the logarithms `theta`, in scikit-learn's order."""
        sizes = [size for size, free in zip((1, len(self.length_scale), 1), self.free, strict=True) if free]
        values = iter(np.split(np.exp(theta), np.cumsum(sizes)[:-1]))
        amplitude, length_scale, noise = (next(values) if free else None for free in self.free)
        return replace(
            self,
            amplitude=self.amplitude if amplitude is None else float(amplitude[0]),
            length_scale=self.length_scale if length_scale is None else length_scale,
            noise=self.noise if noise is None else float(noise[0]),
        )


class Evidence:
    """Log-marginal likelihood of the hyperparameters for training data, and its gradient.

    Rasmussen and Williams, Gaussian Processes for Machine Learning, equations 2.30 and 5.9.

    Parameters
    ----------
    covariance : Covariance
        Says which hyperparameters are free, and the values of the others.
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    alpha : float or ndarray of shape (n_samples,)
        Added to the covariance's diagonal.
    """

    def __init__(self, covariance: Covariance, X: Array, y: Array, alpha: Any) -> None:
        self._covariance = covariance
        self._y = y
        self._alpha = alpha
        self._rows, self._columns = np.triu_indices(len(X), k=1)
        self._pairs = self._rows * len(X) + self._columns
        self._squares: Array = (X.T[:, self._rows] - X.T[:, self._columns]) ** 2

    def at(self, theta: Array) -> tuple[float, Array]:
        """Return the log-marginal likelihood and its gradient at the logarithms of the free hyperparameters."""
        covariance = self._covariance.with_theta(theta)
        weights = covariance.length_scale**-2
        root, decay = _root_and_decay(weights @ self._squares, covariance.amplitude)
        signal = _matern(root, decay)
        K = squareform(signal)
        np.fill_diagonal(K, covariance.amplitude + covariance.noise + self._alpha)
        # LAPACK's matrices are transposed ones of NumPy's, and K is symmetric: no copy is made.
        factor, failed = dpotrf(K.T, lower=1, overwrite_a=1, clean=0)
        if failed:
            return -np.inf, np.zeros_like(theta)
        log_determinant = 2.0 * np.log(np.diag(factor)).sum()
        dual: Array = dpotrs(factor, self._y, lower=1)[0]
        value = -0.5 * (self._y @ dual + log_determinant + len(dual) * math.log(2.0 * math.pi))
        inverse = dpotri(factor, lower=1, overwrite_c=1)[0].T
        slope = dual[self._rows] * dual[self._columns] - inverse.ravel()[self._pairs]
        trace = float(dual @ dual - np.trace(inverse))
        parts = (
            [slope @ signal + 0.5 * covariance.amplitude * trace],
            5.0 / 3.0 * weights * (self._squares @ (slope * (1.0 + root) * decay)),
            [0.5 * covariance.noise * trace],
        )
        return float(value), np.concatenate([part for part, free in zip(parts, covariance.free, strict=True) if free])


@dataclass(frozen=True)
class Posterior:
    """Predictions of a fitted process, its targets' normalisation aside.

    Parameters
    ----------
    covariance : Covariance
    X : ndarray of shape (n_samples, n_features)
        Training data.
    dual : ndarray of shape (n_samples,)
        Inverse covariance of the training data times their targets.
    inverse : ndarray of shape (n_samples, n_samples)
        That inverse covariance.
    """

    covariance: Covariance
    X: Array
    dual: Array
    inverse: Array

    def mean_and_variance(self, X: Array) -> tuple[Array, Array]:
        """Return mean and variance, of shape (n_points,), at points of shape (n_points, n_features)."""
        length_scale = self.covariance.length_scale
        mean, variance = np.empty(len(X)), np.empty(len(X))
        trained, points = self.X / length_scale, X / length_scale
        step = max(1, _BLOCK_SIZE // len(trained))
        for start in range(0, len(points), step):
            block = slice(start, start + step)
            root, decay = _root_and_decay(
                cdist(points[block], trained, metric="sqeuclidean"), self.covariance.amplitude
            )
            cross = _matern(root, decay)
            mean[block] = cross @ self.dual
            variance[block] = np.einsum("ij,ij->i", cross @ self.inverse, cross)
        return mean, self.covariance.amplitude + self.covariance.noise - variance

    def gradients(self, x: Array) -> tuple[float, float, Array, Array]:
        """Return mean and variance at one point of shape (n_features,), and gradients of mean and half the variance."""
        scaled = (x - self.X) / self.covariance.length_scale
        root, decay = _root_and_decay(np.einsum("ij,ij->i", scaled, scaled), self.covariance.amplitude)
        cross = _matern(root, decay)
        weighted = self.inverse @ cross
        jacobian = scaled * ((-5.0 / 3.0) * (1.0 + root) * decay)[:, np.newaxis] / self.covariance.length_scale
        variance = self.covariance.amplitude + self.covariance.noise - cross @ weighted
        return float(cross @ self.dual), float(variance), self.dual @ jacobian, -(weighted @ jacobian)


def _root_and_decay(squares: Array, amplitude: float) -> tuple[Array, Array]:
    """Return `sqrt(5) r` and `amplitude exp(-sqrt(5) r)` for squared scaled distances `r**2`, which are overwritten."""
    squares *= 5.0
    root = np.sqrt(squares, out=squares)
    decay = np.exp(-root)
    decay *= amplitude
    return root, decay


def _matern(root: Array, decay: Array) -> Array:
    """Return `(1 + root + root**2 / 3) decay`."""
    polynomial = root * (1.0 / 3.0)
    polynomial += 1.0
    polynomial *= root
    polynomial += 1.0
    polynomial *= decay
    return polynomial
