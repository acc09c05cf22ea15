"""Hyperparameter search for Keras and scikit-learn models, tracked live in MLflow.

Names are loaded when they are first used, so that `import mlflow_hpo` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow_hpo.core.config import Tracking
    from mlflow_hpo.keras import KerasClassifier, KerasRegressor
    from mlflow_hpo.search import (
        BayesSearchCV,
        GPSearchCV,
        GridSearchCV,
        HalvingGridSearchCV,
        HalvingRandomSearchCV,
        RandomizedSearchCV,
        gp_minimize,
    )

__version__ = "0.1.0"

__all__ = [
    "BayesSearchCV",
    "GPSearchCV",
    "GridSearchCV",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
    "KerasClassifier",
    "KerasRegressor",
    "RandomizedSearchCV",
    "Tracking",
    "gp_minimize",
]

_ROOMS = {"KerasClassifier": "keras", "KerasRegressor": "keras", "Tracking": "core.config"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"mlflow_hpo.{_ROOMS.get(name, 'search')}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
