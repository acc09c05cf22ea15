"""Cross-validation with Keras alone, as the objectives of the other frameworks do it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from benchmarks.searches import BATCH_SIZE, Search


def cross_validate(
    search: Search, params: Mapping[str, Any], X: np.ndarray, y: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]
) -> float:
    """Return a candidate's mean accuracy over the folds."""
    return float(np.mean([_fold(search, params, X, y, train, test) for train, test in folds]))


def _fold(search: Search, params: Mapping[str, Any], X: Any, y: Any, train: Any, test: Any) -> float:
    model = fit(search, params, X[train], y[train])
    return float(model.evaluate(X[test], y[test], verbose=0)[1])


def fit(search: Search, params: Mapping[str, Any], X: np.ndarray, y: np.ndarray) -> keras.Model:
    """Return a candidate's network, trained."""
    model = search.create_model(**params)
    model.fit(X, y, epochs=search.epochs, batch_size=BATCH_SIZE, verbose=0)
    return model
