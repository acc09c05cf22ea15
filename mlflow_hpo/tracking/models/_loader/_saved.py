"""`SavedEstimator`: the python_function of a model's directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import DESCRIPTION_FILE, METHODS, NETWORKS, PICKLE_FILE, SKOPS_FILE
from ._inputs import InputSpec
from ._network import reading_networks_of
from ._plain import predictor_from
from ._trusted import TRUSTED


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

    @classmethod
    def load(cls, directory: Path) -> SavedEstimator:
        """Read a model's directory."""
        description = json.loads((directory / DESCRIPTION_FILE).read_text("utf-8"))
        with reading_networks_of(directory / NETWORKS):
            if description["predictor"] is not None:
                estimator = predictor_from(description["predictor"])
            else:
                estimator = _load_estimator(directory)
        return cls(estimator, InputSpec.from_dict(description["inputs"]))

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


def _load_estimator(directory: Path) -> Any:
    safe = directory / SKOPS_FILE
    if safe.exists():
        import skops.io

        return skops.io.load(safe, trusted=TRUSTED)
    # Only models that nothing safe could hold have a pickle; their MLmodel says so and why.
    import pickle

    return pickle.loads((directory / PICKLE_FILE).read_bytes())
