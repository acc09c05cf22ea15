"""What travels inside a model's directory and loads it: needs neither mlflow_hpo nor the user's source.

`mlflow.pyfunc.load_model` imports this package from the model's own `code.zip` and calls `_load_pyfunc`.
Nothing in here may import mlflow_hpo; keras, skops and cloudpickle are imported only by the models that need them.
Names are loaded when they are first used: what only writes a model's directory need not import scikit-learn.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._custom import CONFIG, CustomParts, entries, write_with_config
    from ._inputs import InputSpec
    from ._labels import LabelDecoder
    from ._network import NetworkPredictor
    from ._plain import plain_predictor, predictor_from
    from ._saved import SavedEstimator
    from ._trusted import TRUSTED

__all__ = [
    "CONFIG",
    "DESCRIPTION_FILE",
    "METHODS",
    "NETWORKS",
    "PICKLE_FILE",
    "SKOPS_FILE",
    "TRUSTED",
    "CustomParts",
    "InputSpec",
    "LabelDecoder",
    "NetworkPredictor",
    "SavedEstimator",
    "entries",
    "plain_predictor",
    "predictor_from",
    "write_with_config",
]

DESCRIPTION_FILE = "estimator.json"
SKOPS_FILE = "estimator.skops"
PICKLE_FILE = "estimator.pkl"
NETWORKS = "networks"
METHODS = ("predict", "predict_proba", "decision_function")

_MODULES = {
    "_custom": ("CONFIG", "CustomParts", "entries", "write_with_config"),
    "_inputs": ("InputSpec",),
    "_labels": ("LabelDecoder",),
    "_network": ("NetworkPredictor",),
    "_plain": ("plain_predictor", "predictor_from"),
    "_saved": ("SavedEstimator",),
    "_trusted": ("TRUSTED",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _load_pyfunc(path: str) -> SavedEstimator:
    from ._saved import SavedEstimator

    return SavedEstimator.load(Path(path))
