"""Networks with layers and functions of the user's own: kept by value, with a tag that says so."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from model_helpers import assert_same_bits, predict_elsewhere, save_estimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mlflow_hpo.tracking import names
from mlflow_hpo.tracking.packing import template_of

pytestmark = pytest.mark.slow

SOURCE = """
import keras

FACTOR = 0.5

@keras.saving.register_keras_serializable("mine")
class Scale(keras.layers.Layer):
    def __init__(self, k=2.0, **kwargs):
        super().__init__(**kwargs)
        self.k = k

    def call(self, x):
        return x * self.k * FACTOR

    def get_config(self):
        return {**super().get_config(), "k": self.k}

class Shift(keras.layers.Layer):
    def call(self, x):
        return x + 1

class Small(keras.regularizers.Regularizer):
    def __call__(self, x):
        return keras.ops.sum(x * x) * FACTOR

    def get_config(self):
        return {}

def bend(x):
    return keras.ops.tanh(x) * FACTOR

def own_loss(y, p):
    return keras.ops.mean(keras.ops.square(y - p))

class Subclassed(keras.Model):
    pass  # built from inputs and outputs, as scikeras needs it

def create_layers():
    keras_layers = keras.layers
    model = keras.Sequential([
        keras_layers.Input((3,)),
        keras_layers.Dense(4, activation=bend, kernel_regularizer=Small()),
        Scale(3.0),
        Shift(),
        keras_layers.Lambda(lambda x: keras.ops.sin(x) * FACTOR),
        keras_layers.Lambda(bend),
        keras_layers.Dense(1),
    ])
    model.compile("adam", own_loss)
    return model

def create_subclassed():
    inputs = keras.layers.Input((3,))
    model = Subclassed(inputs, keras.layers.Dense(1)(Shift()(inputs)))
    model.compile("adam", "mse")
    return model

def create_with_own_loss():
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", own_loss)
    return model
"""

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X.sum(axis=1)


def pickled_because(path: Path) -> str | None:
    """Return why a part of a saved model is a pickle, if one is."""
    return (mlflow.models.Model.load(str(path)).metadata or {}).get(names.PICKLE)


def test_own_parts_travel_by_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from mlflow_hpo.keras import KerasRegressor

    (tmp_path / "own_network.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    import own_network  # type: ignore[import-not-found]

    def fit(function: Any, name: str) -> Any:
        estimator = make_pipeline(FunctionTransformer(), KerasRegressor(function, epochs=1, verbose=0, random_state=0))
        template = template_of(estimator, X, Y)
        save_estimator(estimator.fit(X, Y), tmp_path / name, template)
        return estimator

    functions = ("create_layers", "create_subclassed", "create_with_own_loss")
    estimators = {name: fit(getattr(own_network, name), name) for name in functions}
    tags = {name: pickled_because(tmp_path / name) for name in functions}
    for part in ("Scale", "Shift", "Small", r"dense(_\d+)?\.activation", r"lambda(_\d+)?\.function"):
        assert re.search(part, tags["create_layers"])
    assert "Subclassed" in tags["create_subclassed"]
    assert tags["create_with_own_loss"] is None  # predicting needs no loss
    assert "Subclassed" in caplog.text
    assert not list(tmp_path.rglob("*.compiled"))
    assert all((tmp_path / name / "estimator.skops").exists() for name in functions)

    expected = {name: estimator.predict(X) for name, estimator in estimators.items()}
    (tmp_path / "own_network.py").unlink()
    del sys.modules["own_network"]
    network = mlflow.keras.load_model(str(tmp_path / "create_with_own_loss"))
    assert_same_bits(network.predict(X, verbose=0)[:, 0], expected["create_with_own_loss"])
    asked = [(tmp_path / name, X, "predict") for name in functions]
    answers = predict_elsewhere(asked, tmp_path, blocked=("own_network",))
    for name, answer in zip(functions, answers, strict=True):
        assert_same_bits(answer, expected[name])
