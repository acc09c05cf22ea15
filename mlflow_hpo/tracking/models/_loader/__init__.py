"""What travels inside a model's directory and loads it: needs neither mlflow_hpo nor the user's source.

`mlflow.pyfunc.load_model` imports this package from the model's own `code/` and calls `_load_pyfunc`.
Nothing in here may import mlflow_hpo; keras and cloudpickle are imported only by the models that need them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ._custom import CONFIG, CustomParts, entries, write_with_config
from ._inputs import InputSpec
from ._labels import LabelDecoder
from ._network import NetworkPredictor, reading_networks_of
from ._trusted import TRUSTED

__all__ = [
    "CONFIG",
    "INPUTS_FILE",
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
    "write_with_config",
]

INPUTS_FILE = "inputs.json"
SKOPS_FILE = "estimator.skops"
PICKLE_FILE = "estimator.pkl"
NETWORKS = "networks"
METHODS = ("predict", "predict_proba", "decision_function")


class SavedEstimator:
    """A fitted estimator as a python_function.

    Parameters
    ----------
    estimator : estimator
        Fitted; predicts as the one that was saved.
    inputs : InputSpec
        The data it was trained on: what callers send is brought to these types first.
    """

    def __init__(self, estimator: Any, inputs: InputSpec) -> None:
        self.estimator = estimator
        self.inputs = inputs

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Return what the estimator's `predict`, or the method that `params["predict_method"]` names, returns."""
        name = (params or {}).get("predict_method") or "predict"
        if name not in METHODS:
            raise ValueError(f"predict_method is one of {', '.join(METHODS)}; got {name!r}.")
        method = getattr(self.estimator, name, None)
        if method is None:
            raise ValueError(f"This model's {type(self.estimator).__name__} has no {name}; leave predict_method out.")
        return method(self.inputs.restore(data))

    def get_raw_model(self) -> Any:
        """Return the fitted scikit-learn estimator."""
        return self.estimator


def _load_pyfunc(path: str) -> SavedEstimator:
    directory = Path(path)
    inputs = InputSpec.from_dict(json.loads((directory / INPUTS_FILE).read_text("utf-8")))
    with reading_networks_of(directory / NETWORKS):
        return SavedEstimator(_load_estimator(directory), inputs)


def _load_estimator(directory: Path) -> Any:
    safe = directory / SKOPS_FILE
    if safe.exists():
        import skops.io

        return skops.io.load(safe, trusted=TRUSTED)
    # Only models that nothing safe could hold have a pickle; their MLmodel says so and why.
    import pickle

    return pickle.loads((directory / PICKLE_FILE).read_bytes())
