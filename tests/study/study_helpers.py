"""What tests of studies in several processes share."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from sklearn import model_selection
from sklearn.datasets import make_classification

from mlflow_hpo import GridSearchCV, Tracking

TIMEOUT = 120


def wait_until(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_gone(pid: int | str) -> bool:
    return not Path(f"/proc/{pid}").exists()


def data(n_features: int = 4) -> tuple[Any, Any]:
    return make_classification(60, n_features=n_features, n_informative=4, n_redundant=0, random_state=0)


def comparable(results: dict[str, Any]) -> dict[str, Any]:
    return {name: np.asarray(column).tolist() for name, column in results.items() if not name.endswith("_time")}


def check_keras_study(store: MlflowClient, tracking: Tracking) -> None:
    """See that Keras models train as they do in one process, and that their curves and files are kept."""
    keras = pytest.importorskip("keras")
    from mlflow_hpo import KerasClassifier

    def create_model(rate: float = 0.1) -> Any:
        model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2, activation="softmax")])
        model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy")
        return model

    X, y = data()
    model = KerasClassifier(create_model, epochs=3, verbose=0, random_state=0)
    plain = model_selection.GridSearchCV(model, {"rate": [0.1, 0.01]}, cv=2).fit(X, y)
    ours = GridSearchCV(model, {"rate": [0.1, 0.01]}, cv=2, tracking=tracking).fit(X, y)
    assert repr(comparable(ours.cv_results_)) == repr(comparable(plain.cv_results_))
    run_id = ours.study_.trials["run_id"][0]
    assert len(store.get_metric_history(run_id, "split1/loss")) == 3
    assert len(store.search_logged_models([ours.study_.experiment_id])) == 3
