"""What is trained: scikeras's estimators mended, made fast, and reporting their epochs to the study around them.

Names are loaded when they are first used: `watch_fits` must come without TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow_hpo.keras._wrappers import KerasClassifier, KerasRegressor
    from mlflow_hpo.keras.watch import watch_fits

__all__ = ["KerasClassifier", "KerasRegressor", "watch_fits"]

_HOMES = {
    "KerasClassifier": "mlflow_hpo.keras._wrappers",
    "KerasRegressor": "mlflow_hpo.keras._wrappers",
    "watch_fits": "mlflow_hpo.keras.watch",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
