"""What is searched: data, networks, spaces and folds, the same for every contender."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import loguniform, uniform
from sklearn.datasets import load_digits
from sklearn.model_selection import ParameterSampler, StratifiedKFold

BATCH_SIZE = 32


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds.

    Parameters
    ----------
    low, high : float
    log : bool
        Whether they are drawn uniformly in their logarithm.
    """

    low: float
    high: float
    log: bool = False

    @property
    def distribution(self) -> Any:
        """What scikit-learn draws from."""
        return loguniform(self.low, self.high) if self.log else uniform(self.low, self.high - self.low)


@dataclass(frozen=True)
class Choice:
    """Values of a list.

    Parameters
    ----------
    values : tuple of int
    """

    values: tuple[int, ...]

    @property
    def distribution(self) -> list[int]:
        """What scikit-learn draws from: without replacement, where all of a space is lists."""
        return list(self.values)


Space = Mapping[str, Range | Choice]


@dataclass(frozen=True)
class Search:
    """One random search.

    Parameters
    ----------
    name : str
        What the command line calls it.
    title : str
        What the report calls it.
    create_model : callable
        Makes a compiled network from one candidate's parameters, given by name.
    make_data : callable
        Returns X of shape (n_samples, ...) and y of shape (n_samples,).
    make_space : callable
        Returns the space for a seed.
    n_candidates, n_folds, epochs : int
    max_rows : int or None
        How many rows are used; None is all.
    """

    name: str
    title: str
    create_model: Callable[..., Any]
    make_data: Callable[[], tuple[np.ndarray, np.ndarray]]
    make_space: Callable[[int], Space]
    n_candidates: int = 12
    n_folds: int = 3
    epochs: int = 5
    max_rows: int | None = None

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return X and y."""
        X, y = self.make_data()
        return X[: self.max_rows], y[: self.max_rows]

    def splitter(self, seed: int) -> StratifiedKFold:
        """Return the splitter; scikeras's classifiers get unstratified folds where it is not given."""
        return StratifiedKFold(self.n_folds, shuffle=True, random_state=seed)

    def folds(self, y: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return training and test rows of each fold."""
        return list(self.splitter(seed).split(np.zeros(len(y)), y))

    def distributions(self, seed: int, prefix: str = "") -> dict[str, Any]:
        """Return what scikit-learn's random search draws from.

        Parameters
        ----------
        seed : int
        prefix : str
            Put before each parameter's name. It does not change what is drawn.
        """
        return {prefix + name: dimension.distribution for name, dimension in self.make_space(seed).items()}

    def candidates(self, seed: int) -> list[dict[str, Any]]:
        """Return the candidates that scikit-learn's random search draws."""
        drawn = ParameterSampler(self.distributions(seed), self.n_candidates, random_state=seed)
        return [{name: np.asarray(value).item() for name, value in candidate.items()} for candidate in drawn]

    def quick(self) -> Search:
        """Return the same search made tiny, to see whether everything works."""
        return dataclasses.replace(self, n_candidates=2, n_folds=2, epochs=1, max_rows=400)


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's 1,797 digits of 64 features."""
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype("float32"), y.astype("int64")


def images() -> tuple[np.ndarray, np.ndarray]:
    """Return 2,000 synthetic images of 28x28, ten noisy prototypes."""
    generator = np.random.default_rng(0)
    y = generator.integers(0, 10, 2000)
    prototypes = generator.normal(size=(10, 28, 28, 1))
    X = prototypes[y] + generator.normal(size=(2000, 28, 28, 1)) * 1.5
    return X.astype("float32"), y.astype("int64")


def wide_rows() -> tuple[np.ndarray, np.ndarray]:
    """Return 10,000 synthetic rows of 784 features, ten noisy prototypes."""
    generator = np.random.default_rng(0)
    y = generator.integers(0, 10, 10_000)
    prototypes = generator.normal(size=(10, 784)) * 0.15
    X = prototypes[y] + generator.normal(size=(10_000, 784))
    return X.astype("float32"), y.astype("int64")


def mlp(learning_rate: float = 0.01, dropout_rate: float = 0.2, units: int = 128, features: int = 64) -> Any:
    """Return a compiled network with one hidden layer."""
    import keras

    model = keras.Sequential(
        [
            keras.layers.Input((features,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dropout(dropout_rate),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    return _compiled(model, learning_rate)


def wide_mlp(learning_rate: float = 0.01, dropout_rate: float = 0.2) -> Any:
    """Return `mlp` for 784 features."""
    return mlp(learning_rate, dropout_rate, features=784)


def cnn(learning_rate: float = 0.01, dropout_rate: float = 0.2) -> Any:
    """Return a compiled network with two convolutions."""
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(16, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(dropout_rate),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    return _compiled(model, learning_rate)


def _compiled(model: Any, learning_rate: float) -> Any:
    import keras

    model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _rates(seed: int) -> Space:
    return {"learning_rate": Range(1e-4, 3e-2, log=True), "dropout_rate": Range(0.1, 0.5)}


def _widths(seed: int) -> Space:
    drawn = np.random.default_rng(seed).choice(np.arange(96, 161), size=12, replace=False)
    return {"units": Choice(tuple(drawn.tolist()))}


SEARCHES = {
    search.name: search
    for search in (
        Search("digits", "Digits, MLP 64-128-10", mlp, digits, _rates),
        Search("widths", "Digits, MLP, 12 widths (12 graphs)", mlp, digits, _widths),
        Search("cnn", "CNN 28x28, 2,000 images", cnn, images, _rates),
        Search("mlp784", "MLP 784-128-10, 10,000 rows", wide_mlp, wide_rows, _rates),
        Search("mlp784_long", "MLP 784-128-10, 48 candidates", wide_mlp, wide_rows, _rates, n_candidates=48),
    )
}
