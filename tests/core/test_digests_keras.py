"""Digests of Keras's objects: by configuration and weights, whatever names Keras has counted up to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlflow_hpo.core.digest import digest

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.slow


def double(x: Any) -> Any:
    return 2 * x


def triple(x: Any) -> Any:
    return 3 * x


class Scaled(keras.losses.Loss):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self._factor = factor

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self._factor * (y_true - y_pred)


class Noted(keras.callbacks.Callback):
    def __init__(self, note: str) -> None:
        super().__init__()
        self.note = note


class Times(keras.layers.Layer):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def call(self, inputs: Any) -> Any:
        return self.factor * inputs


def network(skip_to: int = 1, activation: Any = double, weight: float = 1.0) -> Any:
    inputs = keras.Input((3,))
    layers = [inputs]
    for _ in range(2):
        layers.append(keras.layers.Dense(3, activation=activation)(layers[-1]))
    model = keras.Model(inputs, keras.layers.Add()([layers[skip_to], layers[2]]))
    model.compile("adam", Scaled(2))
    model.set_weights([np.full_like(one, weight) for one in model.get_weights()])
    return model


MAKERS: list[Callable[[], Any]] = [
    lambda: keras.optimizers.Adam(0.1),
    lambda: keras.optimizers.Adam(0.2),
    lambda: keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.3)),
    lambda: keras.layers.Dense(3, activation=double),
    lambda: keras.layers.Dense(3, activation=triple),
    lambda: keras.layers.Dense(3, activation="relu"),
    lambda: keras.initializers.GlorotUniform(seed=1),
    lambda: keras.initializers.GlorotUniform(seed=2),
    lambda: keras.callbacks.EarlyStopping(patience=3),
    lambda: keras.callbacks.EarlyStopping(patience=4),
    lambda: keras.callbacks.LearningRateScheduler(double),
    lambda: keras.metrics.MeanMetricWrapper(double),
    lambda: keras.metrics.MeanMetricWrapper(triple),
    lambda: keras.losses.MeanSquaredError(),
    lambda: Scaled(2),
    lambda: Scaled(3),
    lambda: Noted("a"),
    lambda: Noted("b"),
    lambda: Times(2),
    lambda: Times(3),
    network,
    lambda: network(skip_to=0),
    lambda: network(activation=triple),
    lambda: network(weight=2.0),
]


def test_equal_ones_are_equal_and_others_are_not() -> None:
    first = [digest(make()) for make in MAKERS]
    assert [digest(make()) for make in MAKERS] == first
    assert len(set(first)) == len(first)
