"""`NetworkPredictor`: a scikit-learn estimator around a saved Keras network."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils import ClassifierTags, RegressorTags, check_array
from sklearn.utils.metaestimators import available_if

from ._custom import load_with_parts

_networks: ContextVar[_Networks | None] = ContextVar("networks", default=None)


class _Networks:
    """The networks of one model's directory; each is read once, however many estimators share it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: dict[int, Any] = {}

    def __getitem__(self, index: int) -> Any:
        if index not in self._read:
            self._read[index] = _read_network(self._directory, index)
        return self._read[index]


def _read_network(directory: Path, index: int) -> Any:
    # By name, because a model without a network must load where keras is not installed.
    keras = importlib.import_module("keras")
    file = directory / f"{index}.keras"
    parts = file.with_suffix(".pkl")
    if parts.exists():
        return load_with_parts(keras, file, parts.read_bytes())
    # Predictions need no optimizer, loss or metric, and a user's own loss could not be found here.
    return keras.saving.load_model(file, compile=False, safe_mode=True)


@contextlib.contextmanager
def reading_networks_of(directory: Path) -> Iterator[None]:
    """Give every `NetworkPredictor` that is loaded inside the context its network from `directory`."""
    token = _networks.set(_Networks(directory))
    try:
        yield
    finally:
        _networks.reset(token)


def _is_classifier(estimator: NetworkPredictor) -> bool:
    return estimator.kind == "classifier"


class NetworkPredictor(BaseEstimator):
    """Predicts what the Keras estimator did from whose parts it was made.

    Parameters
    ----------
    index : int or None
        Which of the model's networks. None in the place of an estimator that was never fitted: pipelines and stacks
        keep such originals beside their fitted copies.
    kind : {"classifier", "regressor"}
        How raw outputs become predictions.
    feature_encoder : transformer or None
        Prepares X for the network.
    target_encoder : transformer or None
        Turns outputs into labels or values.
    batch_size : int
        Rows a step: another size can change the last bits.
    """

    def __init__(
        self,
        index: int | None = None,
        kind: str = "regressor",
        feature_encoder: Any = None,
        target_encoder: Any = None,
        batch_size: int = 32,
    ) -> None:
        self.index = index
        self.kind = kind
        self.feature_encoder = feature_encoder
        self.target_encoder = target_encoder
        self.batch_size = batch_size

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        networks = _networks.get()
        if networks is not None and self.index is not None:
            self.network_ = networks[self.index]

    def fit(self, X: Any, y: Any = None) -> NetworkPredictor:
        """Refuse: a saved model predicts and is not trained again."""
        raise NotImplementedError("A saved network only predicts; open it with mlflow.keras.load_model to train it.")

    def predict(self, X: Any) -> Any:
        """Return labels or values for X of shape (n_samples, ...)."""
        outputs = self._outputs(X)
        return outputs if self.target_encoder is None else self.target_encoder.inverse_transform(outputs)

    @available_if(_is_classifier)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class for X of shape (n_samples, ...)."""
        outputs = self._outputs(X)
        if self.target_encoder is None:
            return outputs
        return self.target_encoder.inverse_transform(outputs, return_proba=True)

    def _outputs(self, X: Any) -> Any:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError("This network was not fitted when the model was saved.")
        if len(getattr(self.network_, "inputs", None) or ()) <= 1:
            X = _checked(X)
        if self.feature_encoder is not None:
            X = self.feature_encoder.transform(X)
        return self.network_.predict(X, batch_size=self.batch_size, verbose=0)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = self.kind
        tags.classifier_tags = ClassifierTags() if self.kind == "classifier" else None
        tags.regressor_tags = RegressorTags() if self.kind == "regressor" else None
        return tags


def _checked(X: Any) -> Any:
    """Do to X what scikeras does before its feature encoder, except that no type is refused."""
    if hasattr(X, "tolil"):
        return X.tolil()
    kind = np.asarray(X).dtype.kind
    return check_array(X, allow_nd=True, dtype="float32" if kind in "OUS" else None, input_name="X")
